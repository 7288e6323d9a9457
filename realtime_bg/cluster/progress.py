"""How far a bulk run is: one number over all units, the rate, and what each node contributes."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

WINDOW = 60.0  # seconds over which rates are averaged


class View(NamedTuple):
    """``done`` and ``total``: weights, see `Unit`. ``made`` of ``results`` are complete.
    ``eta``: seconds, None if unknown. ``nodes``: photos or frames per second by node."""

    done: float
    total: float
    made: int
    results: int
    eta: float | None
    nodes: dict[str, float]

    @property
    def rate(self) -> float:
        """Photos or frames per second of all nodes together."""
        return sum(self.nodes.values())


class Progress:
    """Written by the threads of all workers."""

    def __init__(
        self, total: float, count: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``total``: weight of all units. ``count``: results to be made."""
        self._total, self._count, self._clock = total, count, clock
        self._lock = threading.Lock()
        self._began = clock()
        self._done, self._made = 0.0, 0
        self._running: dict[int, float] = {}  # the done weight of units at work, by worker
        self._nodes: dict[str, deque[tuple[float, float]]] = {}

    def at_work(self, worker: int, weight: float) -> None:
        """So much of the unit at which a worker is, is done."""
        with self._lock:
            self._running[worker] = weight

    def made_by(self, node: str, amount: float) -> None:
        """A node has done so many more photos or frames."""
        with self._lock:
            self._nodes.setdefault(node, deque()).append((self._clock(), amount))

    def finished(self, worker: int, weight: float, results: int = 0) -> None:
        """A worker has ended its unit, which has this weight, 0 if it has to be done again, and so
        many results were completed or have failed for good."""
        with self._lock:
            self._running.pop(worker, None)
            self._done += weight
            self._made += results

    def view(self) -> View:
        """The present state."""
        with self._lock:
            now = self._clock()
            done = min(self._total, self._done + sum(self._running.values()))
            spent = now - self._began
            eta = (self._total - done) * spent / done if done > 0 else None
            nodes = {node: self._rate(times, now) for node, times in self._nodes.items()}
            return View(done, self._total, self._made, self._count, eta, nodes)

    def _rate(self, times: deque[tuple[float, float]], now: float) -> float:
        while times and times[0][0] < now - WINDOW:
            times.popleft()
        span = min(WINDOW, now - self._began)
        return sum(amount for _, amount in times) / span if span > 0 else 0.0
