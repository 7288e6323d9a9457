"""Turning video frames and background pictures upright by the orientation stored in their files;
`media/photos.py` turns photos."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1


def of_matrix(a: float, b: float, c: float, d: float) -> int:
    """The EXIF orientation (1 to 8) of a picture that is shown by the linear map x' = a x + c y,
    y' = b x + d y, as the display matrix of a video track states it (ISO/IEC 14496-12, 8.3.2), x to
    the right and y down. Other angles count as the nearest quarter turn."""
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return {(1, 1): UPRIGHT, (-1, 1): 2, (-1, -1): 3, (1, -1): 4}[_sign(a), _sign(d)]
    return {(1, 1): 5, (1, -1): 6, (-1, -1): 7, (-1, 1): 8}[_sign(b), _sign(c)]


def _sign(value: float) -> int:
    return 1 if value >= 0 else -1


def is_turned(orientation: int) -> bool:
    """Whether an EXIF orientation exchanges width and height."""
    return orientation in (5, 6, 7, 8)


def upright(image: NDArray[Any], orientation: int) -> Any:
    """``image``, (H, W) or ``(H, W, channels)``, turned and mirrored by the EXIF
    ``orientation`` (1 to 8); unchanged for any other number. The result is C-contiguous."""
    if is_turned(orientation):  # rows and columns are swapped
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
