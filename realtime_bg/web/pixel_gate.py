"""One gate for all decoding of uploads, which bounds the pixels that are in memory at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PixelGate:
    """Admits pictures as long as they have at most ``pixels`` pixels together; others wait."""

    def __init__(self, pixels: int) -> None:
        self._most, self._inside = pixels, 0
        self._changed = threading.Condition()

    @contextmanager
    def admit(self, pixels: int) -> Iterator[None]:
        """Hold the place of a picture. One that is larger than the gate passes alone."""
        count = min(pixels, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._inside + count <= self._most)
            self._inside += count
        try:
            yield
        finally:
            with self._changed:
                self._inside -= count
                self._changed.notify_all()
