"""How large the picture is that a network sees: chosen at the start, changed to hold the rate."""

import math
from collections import deque
from pathlib import Path
from statistics import median
from typing import TypeAlias

from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Size
from realtime_bg.runtimes.onnx import threads

Sides: TypeAlias = tuple[int | None, int | None]
"""Width and height, None where any will do."""

STEP = 8  # sides are multiples of this, so that strided layers lose nothing
STRIDE = 32  # of deep networks, such as U-Nets of five levels and feature pyramids
CPU_AREA = 256 * 144  # what two cores do in real time
MANY_CORES_AREA = 384 * 216
FINE_AREA = 448 * 256  # half the error of two cores' real-time size, three times its cost
LARGEST = 4096  # side of a network's own input in pixels; beyond it one frame takes gigabytes
CUDA_AREA = 512 * 288

SCALES = 1.0, 0.75, 0.5625  # of the sides of the picture that the network sees at first
WINDOW = 45  # frames that are judged together
LATE = 1.0  # share of the time between two frames above which the network is too slow,
EASY = 0.7  # and below which, with the larger picture, it would be fast enough
PATIENCE = 8  # windows before the larger picture is tried again; twice as many after each failure


def work_size(wanted: Size | None, size: Size, cuda: bool, fine: bool = False) -> Size:
    """The (width, height) a network should see for frames of ``size``.

    ``wanted``: the user's own choice, cut to the frame; None picks an area by device, and by
    whether quality comes before speed (``fine``), and keeps the frame's aspect.
    """
    width, height = size
    if wanted is not None:
        return min(wanted[0], width), min(wanted[1], height)
    area = CPU_AREA if threads() < 4 else MANY_CORES_AREA
    if cuda or fine:
        area = CUDA_AREA if cuda else FINE_AREA
    return fitting(size, area)


def fitting(size: Size, area: int) -> Size:
    """The (width, height) of about ``area`` pixels with the aspect of ``size``, not larger."""
    width, height = size
    scale = math.sqrt(area / (width * height))
    if scale >= 1:
        return size
    return _stepped(width * scale, width), _stepped(height * scale, height)


def as_fixed(width: object, height: object, path: Path) -> Sides:
    """The sides a graph's input fixes, None for one that it leaves open. Raises EngineError for
    one that no picture has."""
    if any(isinstance(side, int) and not 1 <= side <= LARGEST for side in (width, height)):
        raise EngineError(
            f"{path}: takes pictures of {width}x{height}; sides from 1 to {LARGEST} are usable"
        )
    across, down = (side if isinstance(side, int) else None for side in (width, height))
    return across, down


def strided(size: Size, stride: int = STRIDE) -> Size:
    """``size`` or a little more: sides that are multiples of ``stride``, by default such as
    networks of any usual depth halve evenly."""
    return -(-size[0] // stride) * stride, -(-size[1] // stride) * stride


def _stepped(side: float, limit: int) -> int:
    return max(1, min(limit, max(STEP, round(side / STEP) * STEP)))


class InputSizeController:
    """Holds the frame rate: a network that is too slow for the camera sees a smaller picture.

    Judges by how long the engine was busy with each frame, `WINDOW` frames together. ``step``
    counts the reductions, 0 being the size chosen at the start.
    """

    def __init__(self, smallest_scale: float = 0.0) -> None:
        """``smallest_scale``: of the sides, at which the engine still finds people."""
        self.step = 0
        self._last_step = sum(scale >= smallest_scale for scale in SCALES) - 1
        self._busy: deque[float] = deque(maxlen=WINDOW)
        self._gaps: deque[float] = deque(maxlen=WINDOW)
        self._last: Frame | None = None
        self._easy, self._patience = 0, PATIENCE

    @property
    def scale(self) -> float:
        """Of the sides of the picture chosen at the start."""
        return SCALES[self.step]

    def update(self, frame: Frame, seconds: float) -> bool:
        """Note that the engine was busy with ``frame`` for ``seconds``. Whether `scale` has
        changed."""
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
            return self._change_to(self.step + 1)
        if self.step:
            growth = (SCALES[self.step - 1] / self.scale) ** 2
            self._easy = self._easy + 1 if busy * growth < EASY * between else 0
            if self._easy >= self._patience:
                self._easy, self._patience = 0, 2 * self._patience
                return self._change_to(self.step - 1)
        return False

    def _change_to(self, step: int) -> bool:
        if step > self._last_step:
            return False
        self.step = step
        return True
