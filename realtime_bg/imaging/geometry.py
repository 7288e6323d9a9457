"""Resizing and fitting pictures: cover, contain or stretch."""

import math
from typing import Any, Literal, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Image, Size

Fit: TypeAlias = Literal["cover", "contain", "stretch"]
Box: TypeAlias = tuple[slice, slice]  # rows and columns
Pixels = TypeVar("Pixels", bound=NDArray[Any])


def scaled_size(source: Size, size: Size, mode: Fit) -> Size:
    """``source`` scaled towards ``size``: it covers it, is contained in it, or equals it.

    Sizes are (width, height) in pixels, at least 1.
    """
    if mode == "stretch":
        return size
    ratios = size[0] / source[0], size[1] / source[1]
    scale = max(ratios) if mode == "cover" else min(ratios)
    return max(1, round(source[0] * scale)), max(1, round(source[1] * scale))


def shrunk(size: Size, scale: float) -> Size:
    """``size`` times ``scale``, with sides of at least 1."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resize(image: Pixels, size: Size) -> Pixels:
    """``image`` (H, W) or (H, W, C) at exactly ``size``; the input itself if it has that size."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    shrinks = size[0] * size[1] < width * height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how)


def enlarged(small: Pixels, size: Size, box: Box) -> Pixels:
    """The part ``box`` (rows and columns) of ``small``, (h, w) or (h, w, C), after bilinear
    upsampling to ``size``. The pixels equal those of upsampling the whole."""
    small_part, inner, sides = [], [], []
    for have, full, part in zip(small.shape[:2], size[::-1], box, strict=True):
        # Upsampling a part equals upsampling the whole if the part starts and ends on lines of both
        # grids.

        step = have // math.gcd(have, full)
        first = max(0, part.start * have // full // step * step - step)
        last = min(have, -(-part.stop * have // (full * step)) * step + step)
        start, stop = first * full // have, last * full // have
        small_part.append(slice(first, last))
        inner.append(slice(part.start - start, part.stop - start))
        sides.append(stop - start)
    large = cv2.resize(small[tuple(small_part)], (sides[1], sides[0]))
    return large[tuple(inner)]


def fit(image: Pixels, size: Size, mode: Fit) -> Pixels:
    """``image`` (H, W) or (H, W, C) at ``size``, centred; the input itself if it already fits.

    ``cover`` fills the size and crops the rest, ``contain`` shows everything and pads with black,
    ``stretch`` ignores the aspect ratio. The result is C-contiguous.
    """
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    if mode == "cover":
        # Crop first, so that a narrow strip never becomes a huge intermediate picture.
        shape = scaled_size(size, (width, height), "contain")
        left, top = (width - shape[0]) // 2, (height - shape[1]) // 2
        image = image[top : top + shape[1], left : left + shape[0]]  # type: ignore[assignment]
        return np.ascontiguousarray(resize(image, size))  # type: ignore[return-value]
    if mode == "stretch":
        return resize(image, size)
    small = resize(image, scaled_size((width, height), size, mode))
    canvas = np.zeros((size[1], size[0], *image.shape[2:]), image.dtype)
    left, top = (size[0] - small.shape[1]) // 2, (size[1] - small.shape[0]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas  # type: ignore[return-value]


def even(size: Size) -> Size:
    """``size`` rounded down to even sides of at least 2, because 4:2:0 loses an odd last line."""
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)


def trimmed(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    """``pixels`` (H, W) or (H, W, C) without what lies to the right of ``size`` or below it,
    C-contiguous; a side of 1 is padded to 2."""
    width, height = size
    part = pixels[:height, :width]
    rows, columns = height - part.shape[0], width - part.shape[1]
    if rows or columns:
        beyond = ((0, rows), (0, columns), *((0, 0) for _ in part.shape[2:]))
        part = np.pad(part, beyond, mode="edge")
    return np.ascontiguousarray(part)


def disc(radius: int) -> Image:
    """A disc of ones, ``uint8 (2 * radius + 1, 2 * radius + 1)``."""
    side = 2 * radius + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
