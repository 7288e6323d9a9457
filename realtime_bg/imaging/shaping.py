"""The shape of an alpha: which parts are a person, and which holes are filled."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha

Mask = NDArray[np.uint8]

FAINT = 0.1  # alpha that no longer joins two parts of a person
NEXT_TO = np.ones((5, 5), np.uint8)  # small pixels


def certain_parts(alpha: Alpha, least: float) -> Alpha:
    """The alpha ``float32 (h, w)`` without its parts that nowhere reach ``least``: there the
    network is never sure to see somebody. What holds parts together is an alpha above `FAINT`;
    fainter pixels stay next to a part that stays. (Thresholding with hysteresis as in Canny 1986,
    A computational approach to edge detection.)
    """
    count, labels = cv2.connectedComponents((alpha > FAINT).view(np.uint8), ltype=cv2.CV_16U)
    sure = np.bincount(labels[alpha >= least], minlength=count) > 0
    sure[0] = False  # what is no part
    if not sure.any():  # nothing to go by
        return alpha
    return alpha * cv2.dilate(sure.view(np.uint8)[labels], NEXT_TO)


def large_parts(alpha: Alpha, least: float) -> Alpha:
    """The alpha without its parts of less than the share ``least`` of the picture."""
    kept = (alpha > FAINT).view(np.uint8)
    kept &= ~_below(kept, least, border=True)
    return alpha * cv2.dilate(kept, NEXT_TO)


def without_holes(alpha: Alpha, largest: float) -> Alpha:
    """The alpha with its holes of less than the share ``largest`` of the picture filled, soft edges
    and all. A gap that is open to the picture's border is no hole."""
    holes = _below((alpha < 0.5).view(np.uint8), largest, border=False)
    return np.maximum(alpha, cv2.dilate(holes, NEXT_TO))


def _below(parts: Mask, share: float, border: bool) -> Mask:
    """The parts, ``uint8 (h, w)`` of 0 and 1, that cover less than a share of the picture, and
    ``border``: also those at its border."""
    _, labels, table, _ = cv2.connectedComponentsWithStats(parts)
    small = table[:, cv2.CC_STAT_AREA] < share * parts.size
    small[0] = False
    if not border:
        left, top, width, height = table[:, : cv2.CC_STAT_AREA].T
        rows, columns = parts.shape
        small &= (left > 0) & (top > 0) & (left + width < columns) & (top + height < rows)
    return small.view(np.uint8)[labels]
