"""Files that are there whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from realtime_bg.errors import SinkError, reason


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name beside it, then rename; makes the folder. Raises
    SinkError, and then leaves what was there."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise SinkError(f"{path}: cannot be written ({reason(error)})") from None


def write_private(path: Path, data: bytes) -> None:
    """Like `write_whole`, for the eyes of its owner alone (mode 0600). Raises OSError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    partial.replace(path)
