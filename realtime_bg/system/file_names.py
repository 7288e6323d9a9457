"""What a file name says: whether it is a folder's, and whether it is UTF-8; other bytes are lone
surrogates in Python (PEP 383)."""

import os


def names_folder(path: str) -> bool:
    """Whether ``path`` is a folder, or is meant as one because it ends with a slash."""
    return path.endswith(("/", os.sep)) or os.path.isdir(os.path.expanduser(path))


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
