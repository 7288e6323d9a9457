"""The size of the network's input: chosen at start, reduced while the network is too slow for the
frame rate."""

import math
from collections import deque
from pathlib import Path
from statistics import median
from typing import TypeAlias

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


class InputSizeController:
    """Maintains the frame rate: reduces the work size while the network is too slow for the camera.

    Decides by how long the engine was busy with each frame, over `WINDOW` frames. ``step`` counts
    the reductions; 0 is the size chosen at start.
    """

    def __init__(self, smallest_scale: float = 0.0) -> None:
        """``smallest_scale``: the smallest factor of the sides at which the engine still finds
        people."""
        self.step = 0
        self._last_step = sum(scale >= smallest_scale for scale in SCALES) - 1
        self._busy: deque[float] = deque(maxlen=WINDOW)
        self._gaps: deque[float] = deque(maxlen=WINDOW)
        self._last: Frame | None = None
        self._easy, self._patience = 0, PATIENCE

    @property
    def scale(self) -> float:
        """The current factor of the sides of the size chosen at start."""
        return SCALES[self.step]

    def update(self, frame: Frame, seconds: float) -> bool:
        """Record that the engine was busy with ``frame`` for ``seconds``. Return whether `scale`
        has changed."""
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
