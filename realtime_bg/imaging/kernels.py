"""The functions of kernels.c, blending.c, softening.c and lighting.c, which are compiled when the
program is installed; see hatch_build.py. ``compiled`` says whether they are there. Where they are
not, because no compiler was found, the callers do the same with NumPy and OpenCV, in more passes.

The functions release the GIL. Arrays are C-contiguous, and all values finite.
"""

import ctypes
import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image
from realtime_bg.imaging.geometry import disc

Changes = NDArray[np.int16]
Levels = NDArray[np.uint16]

FOLDER = Path(__file__).parent / "compiled"
SUFFIX = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")


def _library() -> ctypes.CDLL | None:
    """The best library for this processor, or None if there is none that loads."""
    plain = _loaded(1)
    if plain is None:
        return None
    return (_loaded(3) if plain.processor_level() == 3 else None) or plain


def _loaded(level: int) -> ctypes.CDLL | None:
    """The library compiled for an x86-64 level; level 1 is compiled on other architectures too."""
    path = FOLDER / f"kernels-{level}.{SUFFIX}"
    try:
        return ctypes.CDLL(str(path)) if path.is_file() else None
    except OSError:  # compiled for another system
        return None


_compiled = _library()
compiled = _compiled is not None


def reduce(image: Image, small: Image, planes: Alpha | None) -> None:
    """Average areas of ``image`` (H, W, 3) into ``small`` (h, w, 3), which is not larger; the
    result is also written to ``planes`` (3, h, w), if there are any, as RGB in 0..1."""
    (height, width, _), (rows, columns, _) = image.shape, small.shape
    _check(image, np.uint8, (height, width, 3))
    _check(small, np.uint8, (min(rows, height), min(columns, width), 3))
    if planes is not None:
        _check(planes, np.float32, (3, rows, columns))
    _call("reduce", image, height, width, small, planes, rows, columns)


def fit_linear(guide: Image, alpha: Alpha, eps: float) -> tuple[Alpha, Alpha]:
    """Fit alpha = slope * grey + offset by least squares in every 3x3 window, with the
    regularisation ``eps``; beyond the border the nearest pixel counts. ``guide`` (h, w, 3), the
    others (h, w). Returns slope and offset."""
    _check(alpha, np.float32, alpha.shape[:2])
    _check(guide, np.uint8, (*alpha.shape, 3))
    slope, offset = np.empty_like(alpha), np.empty_like(alpha)
    _call("fit_linear", guide, alpha, *alpha.shape, ctypes.c_float(eps), slope, offset)
    return slope, offset


def estimate_change(guide: Image, alpha: Alpha, solid: float, beyond: int = 2) -> Changes:
    """What is to be added to the colours of ``guide`` (h, w, 3) to get those of the person, by the
    blur fusion of `foreground.py`; 0 where ``alpha`` (h, w) exceeds ``solid``, and without meaning
    more than ``beyond`` pixels from an alpha between 0 and ``solid``."""
    _check(alpha, np.float32, alpha.shape[:2])
    _check(guide, np.uint8, (*alpha.shape, 3))
    change = np.empty(guide.shape, np.int16)
    _call("estimate_change", guide, alpha, *alpha.shape, ctypes.c_float(solid), beyond, change)
    return change


def blend(
    frame: Image,
    slope: Alpha,
    offset: Alpha,
    change: Changes | None,
    threshold: float,
    background: Image,
    mirror: bool,
    out: Image,
    feather: int = 0,
    grow: int = 0,
) -> None:
    """Blend the person in ``frame`` over ``background`` into ``out``, all (H, W, 3), within 1 grey
    level of exact arithmetic.

    The maps ``slope`` and ``offset`` (h, w) and ``change`` (h, w, 3) are upsampled bilinearly.
    Alpha is slope * grey + offset clipped to 0..1, then with ``threshold``, which is between 0 and
    1, shifted to 0.5, and grown and feathered by pixels as in `refine.py`. The person's colours are
    those of the frame plus the change. ``mirror``: the result is flipped horizontally.
    """
    _check(frame, np.uint8, (*frame.shape[:2], 3))
    _check(background, np.uint8, frame.shape)
    _check(out, np.uint8, frame.shape)
    _check(slope, np.float32, slope.shape[:2])
    _check(offset, np.float32, slope.shape)
    if change is not None:
        _check(change, np.int16, (*slope.shape, 3))
    _call(
        "blend",
        frame,
        *frame.shape[:2],
        slope,
        offset,
        change,
        *slope.shape,
        ctypes.c_float(threshold),
        feather,
        grow,
        chords(abs(grow)),
        background,
        int(mirror),
        out,
    )


def settle(now: Image, before: Image, still: Image, weight: float, noise: float) -> None:
    """Replace ``before`` by a mean of it and ``now``, both (h, w, 3) and perhaps parts of larger
    images. ``before`` has the ``weight``, 0..1, times ``still`` (h, w), 0..255. That counts for
    differences up to twice the ``noise``, 1..255 grey levels, and nothing for those from four times
    on. It is rounded towards ``now``."""
    _check_part(now, now.shape)
    _check_part(before, now.shape)
    _check(still, np.uint8, now.shape[:2])
    strides = now.strides[0], before.strides[0]
    height, width = now.shape[:2]
    numbers = round(256 * weight), round(2**15 / noise)
    _call("settle", now, strides[0], before, strides[1], still, height, width, *numbers)


def relight(image: Image, levels: Levels, share: Image, out: Image) -> None:
    """Replace the levels of ``image`` (h, w, 3), into ``out``; both may be parts of larger images.
    ``levels`` (3, 256): for each channel what a level becomes where ``share`` (h, w) is 255, plus
    256 times what it becomes where that is 0."""
    _check_part(image, image.shape)
    _check_part(out, image.shape)
    _check(levels, np.uint16, (3, 256))
    _check(share, np.uint8, image.shape[:2])
    lines, size = (image.strides[0], out.strides[0]), image.shape[:2]
    _call("relight", image, lines[0], levels, share, *size, out, lines[1])


@functools.lru_cache(maxsize=4)
def chords(radius: int) -> NDArray[np.int32]:
    """How far the rows of a disc reach from its middle, at the distances 0 to ``radius``."""
    return (disc(radius).sum(axis=1, dtype=np.int32)[radius:] // 2).astype(np.int32)


def _check(array: NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    """The compiled code trusts what this has checked. Raises ValueError."""
    if array.dtype != dtype or array.shape != shape or not array.size:
        expected = f"{np.dtype(dtype)} {shape}"
        raise ValueError(f"expected an array {expected}, got {array.dtype} {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError("expected a C-contiguous array")


def _check_part(part: Image, shape: tuple[int, ...]) -> None:
    """The same for a part of a larger image, of which only the lines are contiguous."""
    if part.dtype != np.uint8 or part.shape != (*shape[:2], 3) or not part.size:
        raise ValueError(f"expected an array uint8 {shape}, got {part.dtype} {part.shape}")
    if part.strides[1:] != (3, 1):
        raise ValueError("expected an array with C-contiguous lines")


def _call(name: str, *arguments: object) -> None:
    plain = [
        ctypes.c_void_p(each.ctypes.data) if isinstance(each, np.ndarray) else each
        for each in arguments
    ]
    if getattr(_compiled, name)(*plain):
        raise MemoryError(f"not enough memory for {name}")
