"""Finds the person as the area enclosed by the strongest contours.

Canny, "A computational approach to edge detection", PAMI 1986; contours are traced as in Suzuki and
Abe, "Topological structural analysis of digitized binary images", CVGIP 1985.
"""

import cv2
import numpy as np

from realtime_bg.engines.classical._shared import Mask, SmallEngine, disk, pieces
from realtime_bg.frames import Alpha, Image

NECK = 4  # pixels at work size; what is connected by less than twice this width is another object
ROOM = 0.25  # fraction of the upper border above which a contour belongs to the room


class Edges(SmallEngine):
    """Edges are dilated until they close, then filled. A filled shape counts if its area is
    plausible, if it lies where people usually are, and if it does not run along the border of the
    picture."""

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
        """Edges of all channels together: a face and a wall may differ only in colour."""
        s, calm = self.settings.edges, cv2.GaussianBlur(small, (3, 3), 0)
        edges = np.zeros(small.shape[:2], np.uint8)
        for channel in cv2.split(calm):
            edges |= cv2.Canny(channel, s.canny_low, s.canny_high, L2gradient=True)
        return np.asarray(edges > 0, np.uint8)

    def _filled(self, edges: Mask) -> Mask:
        """The interiors of the contours that have a plausible area and do not belong to the
        room."""
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
    """Each connected contour, closed along the lower edge, where people are cut off."""
    edges, (_, labels) = edges.copy(), cv2.connectedComponents(edges)
    for label in np.unique(labels[-1][labels[-1] > 0]):
        columns = np.flatnonzero(labels[-1] == label)
        edges[-1, columns[0] : columns[-1] + 1] = 1
    return edges
