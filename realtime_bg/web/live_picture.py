"""What the page needs of a live picture, whoever makes it: the server itself or the daemon."""

from typing import Any, Protocol

from realtime_bg.settings.live import Live
from realtime_bg.sinks.web import Channel
from realtime_bg.stats import Stats


class LivePicture(Protocol):
    """A pipeline that can be started, stopped, watched and steered, from any thread."""

    @property
    def live(self) -> Live:
        """Its settings, which outlast a stop."""

    @property
    def stats(self) -> Stats:
        """Its rates and times since the last start."""

    @property
    def channel(self) -> Channel:
        """Where its composites arrive."""

    @property
    def problem(self) -> str:
        """Why it ended, where nobody wanted that; else an empty string."""

    @property
    def running(self) -> bool:
        """Whether the camera is, or is about to be, in use."""

    @property
    def starts(self) -> int:
        """How often it was started."""

    @property
    def has_viewers(self) -> bool:
        """Whether any of its outputs has a viewer."""

    def start(self) -> None:
        """Let the camera run. Raises Refusal where that is not possible."""

    def stop(self) -> None:
        """Release the camera."""

    def close(self) -> None:
        """Stop and release everything. Idempotent."""

    def report(self) -> dict[str, Any]:
        """See `live.report.reported`."""
