"""Detecting that the whole process stood still (SIGSTOP, a paused container, a suspended computer),
which is not a hang of any part of it."""

import time
from collections.abc import Callable

LONGEST = 1.0  # seconds between two calls of the watchdog, which normally passes every 0.1 s


class Standstill:
    """Updated by each pass of the watchdog. ``since``: from when on the process has been running
    without a break; a hang is judged by the time after that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.since = self._last = clock()

    def update(self) -> bool:
        """Return whether the process has stood still since the last call."""
        now, last = self._clock(), self._last
        self._last = now
        if now - last <= LONGEST:
            return False
        self.since = now
        return True
