"""File names that are not UTF-8, which Python represents with lone surrogates (PEP 383)."""


def is_unicode(name: str) -> bool:
    """Whether ``name`` has no lone surrogates, so that libraries can encode it as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    """``name`` with ``?`` for every byte that is not UTF-8, to be shown or sent."""
    return name.encode(errors="replace").decode()
