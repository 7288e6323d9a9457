"""Finds the person as the region grown from a few seeds.

Adams and Bischof, "Seeded region growing", PAMI 1994, with one fixed tolerance per region.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.classical._shared import Mask, SmallEngine, disk, filled, pieces
from realtime_bg.frames import Alpha, Image

PORTRAIT = tuple(
    (0.5 + x, y)
    for y, xs in (
        (0.14, (-0.03, 0.0, 0.03)),
        (0.2, (-0.04, 0.0, 0.04)),
        (0.27, (-0.05, 0.0, 0.05)),
        (0.35, (-0.05, 0.0, 0.05)),
        (0.45, (-0.07, 0.0, 0.07)),
        (0.6, (-0.12, -0.06, 0.0, 0.06, 0.12)),
        (0.75, (-0.15, -0.07, 0.0, 0.07, 0.15)),
        (0.92, (-0.15, -0.05, 0.05, 0.15)),
    )
    for x in xs
)
SHARED = 0.5  # fraction of a region also reached from the room's seeds, above which it is room
GRID = 12  # seeds along the longer side, inside the person of the last frame
ROOM = 0.02  # fraction of the upper border that a region of the person may cover
ASTRAY = 0.35  # smallest mean prior of a region of the person


class Region(SmallEngine):
    """Grows a connected region of similar Lab colour from each seed. Regions that run along the
    border, or that also grow from there, belong to the room. In later frames the last mask supplies
    seeds too."""

    description = (
        "no weights: grows from seeds; for plain clothes in front of a wall of another colour"
    )

    def solve(self, small: Image, time: float) -> Alpha | None:
        calm = cv2.medianBlur(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), 5)
        taken = np.zeros(small.shape[:2], np.uint8)
        tried = taken.copy()
        room = self._room(calm)
        for x, y in self._seeds(small.shape[:2]):
            if not tried[y, x]:
                region = self._grown(calm, (x, y))
                tried |= region
                place = float((region * self.place).sum() / max(int(region.sum()), 1))
                shared = float((region & room).sum()) / max(int(region.sum()), 1)
                if region[self.border].mean() < ROOM and place > ASTRAY and shared < SHARED:
                    taken |= region
        if not taken.any():
            return None
        mask = cv2.morphologyEx(taken, cv2.MORPH_CLOSE, disk(3))
        mask = cv2.morphologyEx(filled(pieces(mask, self.place), 0.05), cv2.MORPH_OPEN, disk(1))
        # If the user has set the seeds, the region may be anything.
        known = bool(self.settings.region.seeds) or self.plausible(mask)
        return self.softened(mask, small) if known else None

    def _room(self, lab: Image) -> Mask:
        """The region that grows from the upper border, where the seeds of the room are."""
        height, width = lab.shape[:2]
        side, down = [0, width - 1], np.linspace(0, 0.7 * (height - 1), 4).astype(int)
        seeds = [(x, int(y)) for x in side for y in down]
        seeds += [(int(x), 0) for x in np.linspace(0, width - 1, 7)[1:-1]]
        room = np.zeros((height, width), np.uint8)
        for x, y in seeds:
            if not room[y, x]:
                room |= self._grown(lab, (x, y))
        return room

    def _seeds(self, shape: tuple[int, ...]) -> list[tuple[int, int]]:
        """Columns and rows of the seeds: the user's or those of a portrait, plus the interior of
        the last mask."""
        height, width = shape
        given = self.settings.region.seeds or PORTRAIT
        seeds = [
            (min(int(x * width), width - 1), min(int(y * height), height - 1)) for x, y in given
        ]
        if self.alpha is not None:
            inside = cv2.erode(self.alpha, disk(3), borderValue=1) > 0.9
            step = max(1, max(shape) // GRID)
            rows, columns = np.nonzero(inside[step // 2 :: step, step // 2 :: step])
            seeds += [
                (int(x) * step + step // 2, int(y) * step + step // 2)
                for x, y in zip(columns, rows, strict=True)
            ]
        return seeds

    def _grown(self, lab: Image, seed: tuple[int, int]) -> Mask:
        """The pixels that are connected with ``seed`` and within the tolerance of its colour."""
        tolerance = self.settings.region.tolerance
        held: NDArray[np.uint8] = np.zeros((lab.shape[0] + 2, lab.shape[1] + 2), np.uint8)
        # OpenCV scales L to 255 instead of 100, and shading changes lightness most.
        reach = (3 * tolerance, tolerance, tolerance)
        flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
        cv2.floodFill(lab, held, seed, 0, reach, reach, flags)
        return held[1:-1, 1:-1]
