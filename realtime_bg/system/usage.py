"""How much of the processor and the memory this process uses."""

import threading
import time
from typing import Any

import psutil

SECONDS = 1.0  # between two measurements


class Usage:
    """Measures at most once a second, for any number of readers on any thread."""

    def __init__(self) -> None:
        self._process, self._lock = psutil.Process(), threading.Lock()
        self._process.cpu_percent()  # the first call only begins the measurement
        self._due, self._last = time.monotonic() + SECONDS, self._read(0.0)

    def measured(self) -> dict[str, Any]:
        """``cpu_percent`` of one core (200 means two cores) over the last second, and
        ``memory_mb``, the resident memory in 10**6 bytes."""
        with self._lock:
            if time.monotonic() >= self._due:
                self._due = time.monotonic() + SECONDS
                self._last = self._read(self._process.cpu_percent())
            return self._last

    def _read(self, percent: float) -> dict[str, Any]:
        memory = self._process.memory_info().rss / 1e6
        return {"cpu_percent": round(percent), "memory_mb": round(memory)}
