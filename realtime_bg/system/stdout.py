"""Standard output as a stream of data, which nothing else may be written to."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_kept: list[int] = []  # the handle of the stream while it is reserved


@contextmanager
def reserved() -> Iterator[None]:
    """Reserve standard output for whoever calls `handle`: what other code, also that of libraries,
    writes to it goes to standard error until the block ends."""
    sys.stdout.flush()
    stream = os.dup(1)
    os.dup2(2, 1)
    _kept.append(stream)
    try:
        yield
    finally:
        _kept.remove(stream)
        sys.stdout.flush()
        os.dup2(stream, 1)
        os.close(stream)


def handle() -> int:
    """A new handle of standard output, for binary data; the caller closes it. Raises OSError."""
    copy = os.dup(_kept[-1] if _kept else 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(copy, os.O_BINARY)
    return copy
