"""Holding the frame rate: a network that is too slow for the camera sees a smaller picture."""

from collections import deque
from statistics import median

from realtime_bg.frames import Frame

RUNGS = 1.0, 0.75, 0.5625  # of the sides of the picture that the network sees at first
WINDOW = 45  # frames that are judged together
LATE = 1.0  # share of the time between two frames above which the network is too slow,
EASY = 0.7  # and below which, with the larger picture, it would be fast enough
PATIENCE = 8  # windows before the larger picture is tried again; twice as many after each failure


class Ladder:
    """Judges by how long the engine was busy with each frame. ``rung`` is where it stands;
    ``least``: the smallest scale at which the engine still finds people."""

    def __init__(self, least: float = 0.0) -> None:
        self.rung = 0
        self._last_rung = sum(scale >= least for scale in RUNGS) - 1
        self._busy: deque[float] = deque(maxlen=WINDOW)
        self._gaps: deque[float] = deque(maxlen=WINDOW)
        self._last: Frame | None = None
        self._easy, self._patience = 0, PATIENCE

    @property
    def scale(self) -> float:
        """Of the sides of the first picture."""
        return RUNGS[self.rung]

    def moves(self, frame: Frame, seconds: float) -> bool:
        """Whether `scale` is another one after ``frame``, at which the engine was ``seconds``."""
        last, self._last = self._last, frame
        if last is not None and frame.index > last.index and frame.epoch == last.epoch:
            self._gaps.append((frame.time - last.time) / (frame.index - last.index))
        self._busy.append(seconds)
        if len(self._busy) < WINDOW or not self._gaps:
            return False
        busy, between = median(self._busy), median(self._gaps)
        self._busy.clear()
        if busy > LATE * between:
            self._easy = 0
            return self._to(self.rung + 1)
        if self.rung:
            growth = (RUNGS[self.rung - 1] / self.scale) ** 2
            self._easy = self._easy + 1 if busy * growth < EASY * between else 0
            if self._easy >= self._patience:
                self._easy, self._patience = 0, 2 * self._patience
                return self._to(self.rung - 1)
        return False

    def _to(self, rung: int) -> bool:
        if rung > self._last_rung:
            return False
        self.rung = rung
        return True
