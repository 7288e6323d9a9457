"""How large the picture is that a network sees."""

import math
from pathlib import Path
from typing import TypeAlias

from realtime_bg.errors import EngineError
from realtime_bg.frames import Size
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
