"""Error responses of the API: an HTTP status and one line, always as ``{"error": "..."}``."""

from http import HTTPStatus


class Refusal(Exception):  # noqa: N818 - an answer, not a defect
    """Raised to send an error response instead of a result: an HTTP status and one line of text."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def missing(what: str) -> Refusal:
    """404."""
    return Refusal(HTTPStatus.NOT_FOUND, f"no such {what}")


def too_large(text: str) -> Refusal:
    """413."""
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)


def busy(text: str) -> Refusal:
    """429."""
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"{text}; try again in a moment")


def unusable(text: str) -> Refusal:
    """422."""
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, text)


def unreadable(text: str) -> Refusal:
    """The refusal of a photo or video that cannot be read, by the reader's error: 413 if it has too
    many pixels, otherwise 422."""
    return (too_large if "million pixels" in text else unusable)(text)
