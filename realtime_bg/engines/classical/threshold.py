"""Finds the person as what is darker or lighter than the border of the picture.

Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 1979; the adaptive
threshold is a local mean (Sauvola and Pietikainen, Pattern Recognition 2000, without its
variance term).
"""

import cv2
import numpy as np

from realtime_bg.engines.classical._shared import Mask, SmallEngine, disk, filled, pieces
from realtime_bg.frames import Alpha, Image

# by how much the person's fraction of the usual position must exceed that of the border
APART = 0.25


class Threshold(SmallEngine):
    """Thresholds each Lab channel, globally by its histogram or locally by its neighbourhood; the
    side that dominates the border is the room. The channel that best separates the middle from the
    border is used, together with any other that also does so."""

    description = (
        "no weights: light against dark; for a person in front of an evenly lit, plain wall"
    )

    def solve(self, small: Image, time: float) -> Alpha | None:
        lab = cv2.cvtColor(cv2.GaussianBlur(small, (5, 5), 0), cv2.COLOR_BGR2LAB)
        votes = [pieces(self._cut(channel), self.place**2) for channel in cv2.split(lab)]
        votes = [mask for mask in votes if self._apart(mask) > APART]
        if not votes:
            return None
        mask = np.asarray(np.any(votes, axis=0), np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disk(1))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk(3))
        mask = filled(pieces(mask, self.place), 0.05)
        return self.softened(mask, small) if self.plausible(mask) else None

    def _cut(self, channel: Image) -> Mask:
        """One channel, ``uint8 (h, w)``, thresholded to 0 and 1; the side that dominates the border
        is 0."""
        s = self.settings.threshold
        if s.method == "otsu":
            _, mask = cv2.threshold(channel, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
            return mask if mask[self.border].mean() < 0.5 else np.asarray(1 - mask, np.uint8)
        side = 1 + 2 * max(1, round(s.block * max(channel.shape) / 2))
        away = channel - cv2.blur(channel.astype(np.float32), (side, side))
        sides = (np.asarray(away * sign > s.offset, np.uint8) for sign in (-1, 1))
        return filled(max(sides, key=self._apart))

    def _apart(self, mask: Mask) -> float:
        inside = float((mask * self.place).sum() / max(self.place.sum(), 1e-6))
        return inside - float(mask[self.border].mean())
