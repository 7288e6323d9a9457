"""Small islands and holes of an alpha by evidence over time: what was there in most of the last
frames stays, what appears for a moment does not."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha

FRAMES = 12  # over which evidence is averaged
LARGEST = 0.03  # of the picture; a larger part is somebody
MIDDLE = 0.5  # alpha from which a pixel counts as person
NEAR = 0.06  # alpha from which a pixel is connected to a part: its soft edge goes with it
ENOUGH = 0.5  # evidence that decides


class Evidence:
    """Remembers where a person was seen in the last frames of one stream, at work size."""

    def __init__(self) -> None:
        self._seen: Alpha | None = None  # fraction of the last frames, about

    def forget(self) -> None:
        """The next alpha continues nothing."""
        self._seen = None

    def __call__(self, alpha: Alpha) -> Alpha:
        """The alpha, ``float32 (h, w)``, without islands that were there in less than half of the
        last frames, and without holes that were not. Parts at the border of the picture stay: they
        may be entering it."""
        person = (alpha >= MIDDLE).astype(np.uint8)
        seen = self._seen
        if seen is None or seen.shape != alpha.shape:
            self._seen = person.astype(np.float32)
            return alpha
        result = _without_islands(alpha, seen)
        result = _without_holes(result, person, seen)
        # What is hidden counts as well: what stays becomes visible after a while
        cv2.accumulateWeighted(person, seen, 1 / FRAMES)
        return result


def _parts(mask: NDArray[np.uint8]) -> list[tuple[slice, slice, NDArray[np.bool_]]]:
    """The small connected parts of ``uint8 (h, w)`` that touch no border, each with its box."""
    height, width = mask.shape
    count, labels, table, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for label in range(1, count):
        left, top, wide, high, area = table[label]
        inside = left > 0 and top > 0 and left + wide < width and top + high < height
        if inside and area < LARGEST * mask.size:
            box = slice(top, top + high), slice(left, left + wide)
            found.append((*box, labels[box] == label))
    return found


def _without_islands(alpha: Alpha, seen: Alpha) -> Alpha:
    result = alpha
    for rows, columns, part in _parts((alpha >= NEAR).astype(np.uint8)):
        solid = part & (alpha[rows, columns] >= MIDDLE)
        if solid.any() and seen[rows, columns][solid].mean() < ENOUGH:
            result = alpha.copy() if result is alpha else result
            result[rows, columns][part] = 0
    return result


def _without_holes(alpha: Alpha, person: NDArray[np.uint8], seen: Alpha) -> Alpha:
    result = alpha
    for rows, columns, part in _parts(1 - person):
        if seen[rows, columns][part].mean() > ENOUGH:
            result = alpha.copy() if result is alpha else result
            result[rows, columns][part] = 1
    return result
