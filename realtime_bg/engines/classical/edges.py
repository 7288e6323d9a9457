"""The person as the area enclosed by the strongest outlines.

Canny, "A computational approach to edge detection", PAMI 1986; outlines are followed as in
Suzuki and Abe, "Topological structural analysis of digitized binary images", CVGIP 1985.
"""

import cv2
import numpy as np

from realtime_bg.engines.classical._shared import Mask, SmallEngine, disk, pieces
from realtime_bg.frames import Alpha, Image

NECK = 4  # pixels of the work picture; what hangs on by twice as much is another thing
ROOM = 0.25  # share of the upper border from which an outline is the room's


class Edges(SmallEngine):
    """Edges are thickened until they close, then filled; of the filled shapes those count whose
    area fits, that lie where people are and that do not run along the picture's border."""

    description = "no weights: closed outlines; for a person before a plain wall"

    def solve(self, small: Image, time: float) -> Alpha | None:
        s = self.settings.edges
        edges = cv2.dilate(self._edges(small), disk(1), iterations=s.dilate_iter)
        shapes = self._filled(closed_below(edges))
        shapes = cv2.erode(shapes, disk(1), iterations=s.erode_iter, borderValue=1)
        shapes = cv2.morphologyEx(shapes, cv2.MORPH_OPEN, disk(NECK))
        if not shapes.any():
            return None
        mask = pieces(shapes, self.place**2, 0.3)
        return self.softened(mask, small, s.blur) if self.plausible(mask) else None

    def _edges(self, small: Image) -> Mask:
        """Edges of any channel: a face and a wall may differ in colour alone."""
        s, calm = self.settings.edges, cv2.GaussianBlur(small, (3, 3), 0)
        edges = np.zeros(small.shape[:2], np.uint8)
        for channel in cv2.split(calm):
            edges |= cv2.Canny(channel, s.canny_low, s.canny_high, L2gradient=True)
        return np.asarray(edges > 0, np.uint8)

    def _filled(self, edges: Mask) -> Mask:
        """The insides of the outlines whose area is allowed and that are not the room's."""
        s, shapes = self.settings.edges, np.zeros_like(edges)
        contours, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            if not s.min_area <= cv2.contourArea(contour) / edges.size <= s.max_area:
                continue
            shape = cv2.drawContours(np.zeros_like(edges), [contour], -1, 1, cv2.FILLED)
            if shape[self.border].mean() < ROOM:
                shapes |= shape
        return shapes


def closed_below(edges: Mask) -> Mask:
    """Each connected outline closed along the lower edge, where people are cut off."""
    edges, (_, labels) = edges.copy(), cv2.connectedComponents(edges)
    for label in np.unique(labels[-1][labels[-1] > 0]):
        columns = np.flatnonzero(labels[-1] == label)
        edges[-1, columns[0] : columns[-1] + 1] = 1
    return edges
