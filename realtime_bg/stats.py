"""Collects a run's timings by stage, frame rates, dropped frames and notices."""

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate

STAGES = ("capture", "resize", "network", "upsample", "composite", "hand-over")


# Upper bounds of a histogram's buckets in milliseconds, dense around 16 and 33.
BOUNDS = (1, 2, 5, 10, 15, 20, 25, 33, 50, 75, 100, 200, 500, 1000)


class Stats:
    """Counters and short histories, written by every stage and read by overlays and bench.

    Stages, in order: capture, resize, network, upsample, composite, hand-over.
    """

    def __init__(self, history: int = 240) -> None:
        """``history``: number of latest values kept for each stage."""
        self._history = history
        self._lock = threading.Lock()
        self._stages: dict[str, deque[float]] = {}
        self._buckets: dict[str, list[int]] = {}  # for the whole run, unlike the histories
        self._sums: dict[str, float] = {}
        self._ticks: deque[float] = deque(maxlen=60)
        self._notice: tuple[float, str] = (0.0, "")
        self.dropped = 0
        self.held = 0  # unchanged frames, whose matte was reused
        self.carried = 0  # frames whose matte is the previous one, moved along
        self.failures = 0
        self.engine = "loading"
        self.provider = ""
        self.model = ""
        self.recording_since: float | None = None  # monotonic seconds
        self.work_size: tuple[int, int] = (0, 0)
        # The part of the camera's picture that is shown, see `imaging.crops.Crop`
        self.shown_part = (0.0, 0.0, 1.0, 1.0)
        self.threads = 0  # of the network; 0 if there is none
        # Engines that failed too often: name -> reason, monotonic time at which it is tried again
        self.given_up: dict[str, tuple[str, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a ``with`` block as one run of the stage ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Record one run of a stage that took ``seconds``."""
        values = self._stages.get(name)
        if values is None:
            with self._lock:
                values = self._stages.setdefault(name, deque(maxlen=self._history))
        values.append(seconds * 1000.0)
        with self._lock:
            counts = self._buckets.setdefault(name, [0] * (len(BOUNDS) + 1))
            counts[bisect_left(BOUNDS, seconds * 1000.0)] += 1
            self._sums[name] = self._sums.get(name, 0.0) + seconds

    def clear(self) -> None:
        """Forget the histories of times, but keep the counters."""
        with self._lock:
            self._stages.clear()

    def tick(self) -> None:
        """Count one finished composite, for `fps`."""
        self._ticks.append(time.monotonic())

    @property
    def fps(self) -> float:
        """Return the finished composites per second over the last 60, or 0 if there are none."""
        ticks = list(self._ticks)
        if len(ticks) < 2 or time.monotonic() - ticks[-1] > 2.0:
            return 0.0
        return (len(ticks) - 1) / max(ticks[-1] - ticks[0], 1e-6)

    def milliseconds(self, name: str) -> list[float]:
        """Return the latest values of a stage, oldest first."""
        return list(self._stages.get(name, ()))

    def histogram(self, name: str) -> tuple[list[int], float]:
        """Return, for all runs of a stage, how many took no longer than each of `BOUNDS`, the last
        number being the total; and their total seconds."""
        with self._lock:
            counts = self._buckets.get(name, [0] * (len(BOUNDS) + 1))
            return list(accumulate(counts)), self._sums.get(name, 0.0)

    def median(self, name: str) -> float:
        """Return the median of a stage's latest values in milliseconds, or 0 if there are none."""
        values = sorted(self.milliseconds(name))
        return values[len(values) // 2] if values else 0.0

    def notice(self, text: str) -> None:
        """Show a text briefly in the preview ("recording out.mp4")."""
        self._notice = (time.monotonic(), text)

    def current_notice(self, seconds: float = 2.5) -> str:
        """Return the last notice while it is younger than ``seconds``, otherwise an empty
        string."""
        at, text = self._notice
        return text if text and time.monotonic() - at < seconds else ""
