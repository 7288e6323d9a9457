"""Writes files completely or not at all: under a temporary name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from realtime_bg.errors import SinkError, reason


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` for the block to write to; create the folder.

    When the block ends, the temporary file replaces ``path``; if it raises, the temporary file is
    deleted and ``path`` is unchanged. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as `whole` does. Raises SinkError, and then leaves the previous file."""
    try:
        with whole(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({reason(error)})") from None


def write_private(path: Path, data: bytes) -> None:
    """Write a file as `whole` does, readable by its owner only (mode 0600). Raises OSError."""
    with whole(path) as partial:
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
