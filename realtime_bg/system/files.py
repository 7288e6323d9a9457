"""Files that are there whole or not at all: written under another name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from realtime_bg.errors import SinkError, reason


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """The name beside ``path`` under which the block writes; makes the folder.

    When the block ends, ``path`` is replaced by what it wrote; when it raises, that is removed, and
    what was there stays. Raises OSError.
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
    """Write a file as `whole` does. Raises SinkError, and then leaves what was there."""
    try:
        with whole(path) as partial:
            partial.write_bytes(data)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({reason(error)})") from None


def write_private(path: Path, data: bytes) -> None:
    """Like `write_whole`, for the eyes of its owner alone (mode 0600). Raises OSError."""
    with whole(path) as partial:
        partial.unlink(missing_ok=True)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
