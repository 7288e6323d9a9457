"""The size of the network's input, chosen at start; and in live runs, how much of the processor the
network needs for the frame rate: more threads first, then a smaller input."""

import math
from collections import deque
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias

from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Size
from realtime_bg.runtimes.onnx import threads

Sides: TypeAlias = tuple[int | None, int | None]
"""Width and height; None if any value is allowed."""

STEP = 8  # sides are multiples of this, so that strided layers lose no pixels
STRIDE = 32  # total stride of deep networks such as five-level U-Nets and feature pyramids
CPU_AREA = 256 * 144  # what two cores can process in real time
MANY_CORES_AREA = 384 * 216
FINE_AREA = 448 * 256  # half the error of the real-time size of two cores, at three times the cost
LARGEST = 4096  # largest side of a fixed input in pixels; beyond it one frame needs gigabytes
CUDA_AREA = 512 * 288

SCALES = 1.0, 0.75, 0.5625  # factors of the sides of the initial work size
WINDOW = 45  # frames that are judged together
LATE = 1.0  # fraction of the frame interval above which the network is too slow,
EASY = 0.7  # and below which the larger size would be fast enough
PATIENCE = 8  # windows before the larger size is tried again; doubled after each failure
EARLY = 10  # frames after which a network that takes twice the interval gets more threads at once


def work_size(wanted: Size | None, size: Size, cuda: bool, fine: bool = False) -> Size:
    """The (width, height) at which a network should run for frames of ``size``.

    ``wanted`` is the user's choice, limited to the size of the frame. None picks an area that
    depends on the device and on whether quality matters more than speed (``fine``), and keeps the
    aspect ratio.
    """
    width, height = size
    if wanted is not None:
        return min(wanted[0], width), min(wanted[1], height)
    area = CPU_AREA if threads() < 4 else MANY_CORES_AREA
    if cuda or fine:
        area = CUDA_AREA if cuda else FINE_AREA
    return fitting(size, area)


def fitting(size: Size, area: int) -> Size:
    """The (width, height) with about ``area`` pixels and the aspect ratio of ``size``, not larger
    than ``size``."""
    width, height = size
    scale = math.sqrt(area / (width * height))
    if scale >= 1:
        return size
    return _stepped(width * scale, width), _stepped(height * scale, height)


def as_fixed(width: object, height: object, path: Path) -> Sides:
    """The sides that a graph's input fixes; None for a side that it leaves open. Raises EngineError
    for an impossible side."""
    if any(isinstance(side, int) and not 1 <= side <= LARGEST for side in (width, height)):
        raise EngineError(
            f"{path}: its input is {width}x{height}; sides from 1 to {LARGEST} are supported"
        )
    across, down = (side if isinstance(side, int) else None for side in (width, height))
    return across, down


def strided(size: Size, stride: int = STRIDE) -> Size:
    """``size`` with its sides rounded up to multiples of ``stride``; the default suits networks of
    any common depth."""
    return -(-size[0] // stride) * stride, -(-size[1] // stride) * stride


def _stepped(side: float, limit: int) -> int:
    return max(1, min(limit, max(STEP, round(side / STEP) * STEP)))


def thread_counts(most: int) -> tuple[int, ...]:
    """The numbers of threads that are tried in succession: 1, 2, 4 and so on, then ``most``."""
    return (*(2**power for power in range(most.bit_length()) if 2**power < most), most)


class Level(NamedTuple):
    """``threads`` of the network, None for its default; ``scale``: of the sides of its input."""

    threads: int | None
    scale: float


class WorkloadController:
    """Maintains the frame rate while the network is too slow for the camera: more threads, then a
    smaller work size; and takes threads away while fewer would do, because each of them costs
    processor time.

    Decides by how long the engine was busy with each frame, over `WINDOW` frames. ``step`` counts
    the changes; 0 is the state at start.
    """

    def __init__(self, smallest_scale: float = 0.0, threads: tuple[int, ...] = ()) -> None:
        """``smallest_scale``: the smallest factor of the sides at which the engine still finds
        people. ``threads``: the numbers to try, ascending; empty for a network whose threads are
        not to be changed."""
        self.step = 0
        most = threads[-1] if threads else None
        scales = [scale for scale in SCALES if scale >= smallest_scale]
        self._levels = [Level(count, SCALES[0]) for count in threads[:-1]]
        self._levels += [Level(most, scale) for scale in scales]
        self._busy: deque[float] = deque(maxlen=WINDOW)
        self._gaps: deque[float] = deque(maxlen=WINDOW)
        self._last: Frame | None = None
        self._easy, self._patience = 0, PATIENCE

    @property
    def scale(self) -> float:
        """The current factor of the sides of the size chosen at start."""
        return self._levels[self.step].scale

    @property
    def threads(self) -> int | None:
        """The current number of the network's threads, None for its default."""
        return self._levels[self.step].threads

    def update(self, frame: Frame, seconds: float) -> bool:
        """Record that the engine was busy with ``frame`` for ``seconds``. Return whether `scale` or
        `threads` has changed."""
        last, self._last = self._last, frame
        if last is not None and frame.index > last.index and frame.epoch == last.epoch:
            self._gaps.append((frame.time - last.time) / (frame.index - last.index))
        self._busy.append(seconds)
        if len(self._busy) < EARLY or not self._gaps:
            return False
        if len(self._busy) < WINDOW and not self._lacks_threads():
            return False
        busy, between = median(self._busy), median(self._gaps)
        self._busy.clear()
        if busy > LATE * between:
            self._easy = 0
            return self._change_to(self._next(busy / between))
        if self.step:
            self._easy = self._easy + 1 if busy * self._growth() < EASY * between else 0
            if self._easy >= self._patience:
                self._easy, self._patience = 0, 2 * self._patience
                return self._change_to(self.step - 1)
        return False

    def _lacks_threads(self) -> bool:
        late = median(self._busy) > 2 * LATE * median(self._gaps)
        return late and self._more_threads_after(self.step)

    def _more_threads_after(self, step: int) -> bool:
        """Whether the level after ``step`` has more threads, and not a smaller input."""
        return step + 1 < len(self._levels) and self._levels[step + 1].scale == SCALES[0]

    def _next(self, times: float) -> int:
        """The next step for a network that takes ``times`` the interval: as many threads as would
        be enough if they shared the work evenly."""
        step, needed = self.step + 1, times * (self.threads or 1)
        while self._more_threads_after(step) and (self._levels[step].threads or 1) < needed:
            step += 1
        return step

    def _growth(self) -> float:
        """How many times as long a frame would take at most, one step back."""
        here, before = self._levels[self.step], self._levels[self.step - 1]
        if here.scale == before.scale:
            return (here.threads or 1) / (before.threads or 1)
        return (before.scale / here.scale) ** 2

    def _change_to(self, step: int) -> bool:
        if step >= len(self._levels):
            return False
        self.step = step
        return True
