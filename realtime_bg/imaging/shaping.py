"""Dropping small or uncertain parts of an alpha, and filling its holes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha

Mask = NDArray[np.uint8]

FAINT = 0.1  # a lower alpha does not connect two parts
NEXT_TO = np.ones((5, 5), np.uint8)  # in pixels of the small alpha


def certain_parts(alpha: Alpha, least: float) -> Alpha:
    """The alpha ``float32 (h, w)`` without its connected parts that nowhere reach ``least``,
    because the network is never certain there. Pixels above `FAINT` connect parts; fainter pixels
    are kept next to a part that is kept. (Hysteresis thresholding, Canny 1986, A computational
    approach to edge detection.)
    """
    kept = (alpha > FAINT).view(np.uint8)
    count, labels = cv2.connectedComponents(kept, ltype=cv2.CV_16U)
    sure = np.zeros(count, np.uint8)
    sure[labels[alpha >= least]] = 1
    sure[0] = 0  # the background
    if not sure.any():  # no part is certain, so there is nothing to compare with
        return alpha
    if not sure[1:].all():
        kept = np.take(sure, labels)
    return cv2.copyTo(alpha, cv2.dilate(kept, NEXT_TO))


def large_parts(alpha: Alpha, least: float) -> Alpha:
    """The alpha without connected parts that cover less than the fraction ``least`` of the
    picture."""
    kept = (alpha > FAINT).view(np.uint8)
    kept &= ~_below(kept, least, border=True)
    return alpha * cv2.dilate(kept, NEXT_TO)


def without_holes(alpha: Alpha, largest: float) -> Alpha:
    """The alpha with its holes filled that cover less than the fraction ``largest`` of the picture,
    including their soft edges. A gap that is open to the border of the picture is not a hole."""
    holes = _below((alpha < 0.5).view(np.uint8), largest, border=False)
    return np.maximum(alpha, cv2.dilate(holes, NEXT_TO))


def _below(parts: Mask, share: float, border: bool) -> Mask:
    """The connected parts, ``uint8 (h, w)`` of 0 and 1, that cover less than the fraction ``share``
    of the picture. ``border``: whether parts that touch the border of the picture are included."""
    _, labels, table, _ = cv2.connectedComponentsWithStats(parts)
    small = table[:, cv2.CC_STAT_AREA] < share * parts.size
    small[0] = False
    if not border:
        left, top, width, height = table[:, : cv2.CC_STAT_AREA].T
        rows, columns = parts.shape
        small &= (left > 0) & (top > 0) & (left + width < columns) & (top + height < rows)
    return small.view(np.uint8)[labels]
