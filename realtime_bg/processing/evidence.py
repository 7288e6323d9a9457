"""Small islands and holes of an alpha by evidence over time: what was there in most of the last
frames stays, what appears for a moment does not."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha
from realtime_bg.imaging.geometry import resize

FRAMES = 12  # over which evidence is averaged, at 30 a second
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

    def __call__(self, alpha: Alpha, frames: float = 1.0) -> Alpha:
        """The alpha, ``float32 (h, w)``, without islands that were there in less than half of the
        last frames, and without holes that were not. Parts at the border of the picture stay: they
        may be entering it. ``frames``: how many have passed since the last one, at 30 a second."""
        person = (alpha >= MIDDLE).astype(np.uint8)
        seen = self._seen
        if seen is None:
            self._seen = person.astype(np.float32)
            return alpha
        if seen.shape != alpha.shape:  # the engine has turned to another part of the picture
            seen = self._seen = resize(seen, alpha.shape[::-1])
        result = _without_islands(alpha, seen)
        result = _without_holes(result, person, seen)
        # What is hidden counts as well: what stays becomes visible after a while
        cv2.accumulateWeighted(person, seen, 1 - (1 - 1 / FRAMES) ** frames)
        return result


Part = tuple[tuple[slice, slice], NDArray[np.bool_]]


def _parts(mask: NDArray[np.uint8], holes: bool) -> list[Part]:
    """The small connected parts of ``uint8 (h, w)``, 0 and 1, or the small ``holes`` in them, that
    touch no border, each with its box. Contours take a tenth of the time of connected
    components."""
    height, width = mask.shape
    kind = cv2.RETR_CCOMP if holes else cv2.RETR_EXTERNAL
    contours, levels = cv2.findContours(mask, kind, cv2.CHAIN_APPROX_NONE)
    found = []
    for index, contour in enumerate(contours):
        left, top, wide, high = cv2.boundingRect(contour)
        at_border = left == 0 or top == 0 or left + wide == width or top + high == height
        if at_border or (holes and levels[0, index, 3] < 0):
            continue
        part = np.zeros((high, wide), np.uint8)
        cv2.drawContours(part, [contour], 0, 1, cv2.FILLED, offset=(-left, -top))
        box = slice(top, top + high), slice(left, left + wide)
        part &= mask[box] ^ holes  # a contour goes along the pixels of the mask
        if np.count_nonzero(part) < LARGEST * mask.size:
            found.append((box, part.astype(bool)))
    return found


def _without_islands(alpha: Alpha, seen: Alpha) -> Alpha:
    result = alpha
    for box, part in _parts((alpha >= NEAR).astype(np.uint8), holes=False):
        solid = part & (alpha[box] >= MIDDLE)
        if solid.any() and seen[box][solid].mean() < ENOUGH:
            result = alpha.copy() if result is alpha else result
            result[box][part] = 0
    return result


def _without_holes(alpha: Alpha, person: NDArray[np.uint8], seen: Alpha) -> Alpha:
    result = alpha
    for box, part in _parts(person, holes=True):
        if seen[box][part].mean() > ENOUGH:
            result = alpha.copy() if result is alpha else result
            result[box][part] = 1
    return result
