"""Turning pictures upright, by what files say of how the camera was held."""

import numpy as np

from realtime_bg.frames import Image

UPRIGHT = 1
_COUNTER_CLOCKWISE = {0: UPRIGHT, 1: 8, 2: 3, 3: 6}  # quarter turns, as EXIF's number


def of_rotation(degrees: float) -> int:
    """EXIF's number for a picture that is upright once it is turned counter-clockwise by
    ``degrees``, a multiple of 90, as videos say it."""
    return _COUNTER_CLOCKWISE[round(degrees / 90) % 4]


def upright(image: Image, orientation: int) -> Image:
    """``image``, ``uint8 (H, W)`` or ``(H, W, channels)``, turned and mirrored as EXIF's
    ``orientation`` (1 to 8) asks for; as it is for any other number. C-contiguous."""
    if orientation in (5, 6, 7, 8):  # rows and columns change places
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
