"""A part of a picture that fills a whole one: where it lies, and cutting it out with subpixel
precision."""

from typing import NamedTuple

import cv2
import numpy as np

from realtime_bg.frames import Size
from realtime_bg.imaging.geometry import Pixels


class Crop(NamedTuple):
    """Left, top, width and height in fractions of the picture, which contains it."""

    left: float
    top: float
    width: float
    height: float

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        """Where ``point`` of the part, in fractions of it, lies in the whole picture."""
        x, y = self.left + point[0] * self.width, self.top + point[1] * self.height
        return min(1.0, max(0.0, x)), min(1.0, max(0.0, y))


WHOLE = Crop(0.0, 0.0, 1.0, 1.0)


def cropped(image: Pixels, crop: Crop, size: Size) -> Pixels:
    """The part ``crop`` of ``image``, (h, w) or (h, w, C), at ``size``, interpolated bilinearly.
    It needs no pixel from outside the picture."""
    height, width = image.shape[:2]
    if crop == WHOLE and size == (width, height):
        return image
    across, down = crop.width * width / size[0], crop.height * height / size[1]
    # The centre of a pixel lies half a pixel from its corner, in both pictures
    back = np.array(
        [
            [across, 0, crop.left * width + across / 2 - 0.5],
            [0, down, crop.top * height + down / 2 - 0.5],
        ]
    )
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, back, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
