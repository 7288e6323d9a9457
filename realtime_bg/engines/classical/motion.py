"""Finds the person as what moves in front of a fixed camera.

Zivkovic, "Improved adaptive Gaussian mixture model for background subtraction", ICPR 2004, and
Zivkovic and van der Heijden (k nearest neighbours), Pattern Recognition Letters 2006; shadows
as in Prati et al., "Detecting moving shadows", PAMI 2003.
"""

import logging
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.classical._shared import Mask, SmallEngine, disk, filled, pieces
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.exposure import exposure
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

SHADOW = 127  # OpenCV's label for a shadow
DARKEST = 0.7  # a shadow leaves at least this fraction of the light; grey cloth leaves less
EVERYTHING = 0.8  # fraction of changed pixels above which the camera has moved
WARM_UP = 10  # frames in which a new model may still see everything as new
CHANGED = 12  # difference between two frames, in grey levels, that is not noise
MOVED = 0.002  # fraction of neighbouring pixels that change when somebody moves


class Motion(SmallEngine):
    """Learns the room only where nobody is. Where the person was, the old room is kept until
    nothing has moved for ``hold`` seconds, so that a person who stands still does not become part
    of the room."""

    description = "no weights: moving objects; for a fixed camera that has seen the empty room"
    waits = False  # it has to see every frame to learn the room
    least_scale = 1.0  # after reopening, it would take the person for part of the room

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        log.warning(
            "a person who is sitting still now is taken for part of the room: "
            "move, or leave the picture once"
        )

    def reset(self) -> None:
        super().reset()
        knn = self.settings.motion.method == "knn"
        create = cv2.createBackgroundSubtractorKNN if knn else cv2.createBackgroundSubtractorMOG2
        self._model: Any = create(detectShadows=True)
        self._model.setShadowThreshold(DARKEST)
        self._moved_at: NDArray[np.float64] | None = (
            None  # when the neighbourhood of each pixel last moved, in seconds
        )

    def solve(self, small: Image, time: float) -> Alpha | None:
        if self._moved_at is None or self.last is None:
            self._moved_at = np.full(small.shape[:2], -np.inf)
            self._room, self._learnt = small, 0
            self._model.apply(small, learningRate=1.0)
            return None
        calm = self._as_before(small)
        found = np.asarray(self._model.apply(calm, learningRate=0) > SHADOW, np.uint8)
        self._learnt += 1
        if found.mean() > EVERYTHING:
            if self._learnt > WARM_UP:
                self.reset()
            else:
                self._model.apply(calm, learningRate=self.settings.motion.learning_rate)
            return None
        mask = self._held(self._tidy(found), small, time)
        mask &= 1 - self._ghosts(mask, small)
        # Where somebody is, the model is given the room as it was before. (Its own background image
        # does not work here: it is a mean over all components, a colour that was never there.)
        near = cv2.dilate(mask, disk(2)) > 0
        self._room = np.where(near[..., None], self._room, calm)
        self._model.apply(self._room, learningRate=self.settings.motion.learning_rate)
        return self.softened(mask, small) if mask.any() else None

    def _as_before(self, small: Image) -> Image:
        """The frame, converted to the exposure and white balance of the learned room."""
        room = None if self.alpha is None else self.alpha < 0.1
        gain = exposure(small.astype(np.float32), self._room.astype(np.float32), room)
        return np.asarray(np.clip(small / gain + 0.5, 0, 255), np.uint8)

    def _tidy(self, found: Mask) -> Mask:
        mask = cv2.morphologyEx(found, cv2.MORPH_OPEN, disk(1))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk(4))
        return pieces(filled(mask), np.ones(mask.shape, np.float32), 0.1)

    def _held(self, mask: Mask, small: Image, time: float) -> Mask:
        """The parts of ``mask`` that have moved, or had motion nearby, within the last ``hold``
        seconds."""
        assert self._moved_at is not None
        side = max(3, max(mask.shape) // 4 | 1)
        share = cv2.blur(self._change(small) * mask, (side, side))
        self._moved_at[share > MOVED] = time
        # A pixel that has just become person has moved there, even if its component hardly moves.
        fresh = (mask > 0) & np.isneginf(self._moved_at)
        self._moved_at[fresh] = time
        self._moved_at[mask == 0] = -np.inf
        return np.asarray(time - self._moved_at <= self.settings.motion.hold, np.uint8) & mask

    def _ghosts(self, mask: Mask, small: Image) -> Mask:
        """Ghosts: areas uncovered by somebody whom the model had taken for part of the room. Their
        contour is in the model but no longer in the frame."""
        count, labels = cv2.connectedComponents(mask)
        rim = mask - cv2.erode(mask, disk(1), borderValue=1)
        now, then, moving = (
            np.bincount(labels.ravel(), values.ravel(), count)
            for values in (rim * slope(small), rim * slope(self._room), self._change(small))
        )
        sizes = np.bincount(labels.ravel(), minlength=count)
        return ((now < 0.6 * then) & (moving < MOVED * sizes))[labels].astype(np.uint8) & mask

    def _change(self, small: Image) -> Alpha:
        assert self.last is not None
        return np.asarray(cv2.absdiff(small, self.last).max(2) > CHANGED, np.float32)


def slope(image: Image) -> Alpha:
    """Gradient magnitude of a BGR picture in grey levels per pixel, ``float32 (h, w)``."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    x, y = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(x, y), np.float32)
