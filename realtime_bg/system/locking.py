"""Locks on files, which the system releases when their process ends in any way."""

import os
from typing import IO, Any


def lock(file: IO[Any]) -> None:
    """Lock an open file for this process, without waiting. Raises OSError if it is locked."""
    if os.name == "nt":
        import msvcrt

        file.seek(1000)  # beyond the content, because a locked range cannot be read on Windows
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
