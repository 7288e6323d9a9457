"""Optical flow between two small pictures, and moving a matte along with it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Frame, Image, Matte
from realtime_bg.imaging.geometry import Pixels, resize

Grey = NDArray[np.uint8]  # (h, w)
Places = NDArray[np.float32]  # (h, w, 2): x and y in the earlier picture


SMALLEST = 12  # smallest side for which the search works; smaller pictures count as still


class Flow:
    """Dense inverse search (Kroeger et al. 2016, arXiv 1603.03590); it takes 0.2 ms at work
    size."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._grid: Places = np.zeros((0, 0, 2), np.float32)

    def places(self, now: Grey, before: Grey) -> Places:
        """The position in ``before`` of each pixel of ``now``, both grey pictures ``uint8 (h,
        w)``."""
        if self._grid.shape[:2] != now.shape:
            rows, columns = np.indices(now.shape, np.float32)
            self._grid = np.dstack([columns, rows])
        if min(now.shape) < SMALLEST:
            return self._grid
        way: Places = self._search.calc(now, before, None)
        way += self._grid
        return way

    def motion(self, places: Places) -> Places:
        """How far each pixel has moved, from the last result of `places`: x and y in pixels."""
        return places - self._grid


def moved(before: Pixels, places: Places, how: int = cv2.INTER_LINEAR) -> Pixels:
    """``before``, (h, w) or (h, w, C), moved by the flow."""
    return cv2.remap(before, places, None, how, borderMode=cv2.BORDER_REPLICATE)


def carried(matte: Matte, frame: Frame, flow: Flow) -> Matte:
    """An earlier matte, moved to fit a later frame. The matte must have a guide."""
    assert matte.guide is not None
    height, width = matte.alpha.shape
    guide = resize(frame.image, (width, height))
    places = flow.places(grey(guide), grey(matte.guide))
    foreground = None if matte.foreground is None else moved(matte.foreground, places)
    return Matte(frame, moved(matte.alpha, places), foreground, guide)


def grey(image: Image) -> Grey:
    """BGR ``uint8 (h, w, 3)`` as ``uint8 (h, w)``."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
