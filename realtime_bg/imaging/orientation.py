"""Turning video frames and background pictures upright by the orientation stored in their files;
`media/photos.py` turns photos."""

import numpy as np

from realtime_bg.frames import Image

UPRIGHT = 1
_COUNTER_CLOCKWISE = {0: UPRIGHT, 1: 8, 2: 3, 3: 6}  # quarter turns -> EXIF orientation


def of_rotation(degrees: float) -> int:
    """The EXIF orientation of a picture that has to be turned counter-clockwise by ``degrees``, a
    multiple of 90, as videos specify it."""
    return _COUNTER_CLOCKWISE[round(degrees / 90) % 4]


def upright(image: Image, orientation: int) -> Image:
    """``image``, ``uint8 (H, W)`` or ``(H, W, channels)``, turned and mirrored by the EXIF
    ``orientation`` (1 to 8); unchanged for any other number. The result is C-contiguous."""
    if orientation in (5, 6, 7, 8):  # rows and columns are swapped
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
