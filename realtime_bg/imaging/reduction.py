"""Reducing a frame to a network's input, in one pass where the kernels are compiled."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Image, Size
from realtime_bg.imaging import kernels


def reduced(image: Image, size: Size, planes: NDArray[np.float32] | None = None) -> Image:
    """``image``, BGR ``uint8 (H, W, 3)``, averaged down to ``size``, which is not larger. The
    result is also written to ``planes``, if there are any, ``float32 (3, h, w)``, as RGB in
    0..1."""
    width, height = size
    if planes is not None and planes.shape != (3, height, width):
        raise ValueError(f"planes: expected (3, {height}, {width}), got {planes.shape}")
    if kernels.compiled and height <= image.shape[0] and width <= image.shape[1]:
        small = np.empty((height, width, 3), np.uint8)
        kernels.reduce(np.ascontiguousarray(image), small, planes)
        return small
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if planes is not None:
        np.multiply(small[:, :, ::-1].transpose(2, 0, 1), np.float32(1 / 255), out=planes)
    return small
