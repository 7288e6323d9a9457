"""Where the heads and shoulders of people are in an alpha."""

from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Size
from realtime_bg.imaging.geometry import resize, shrunk
from realtime_bg.networks.faces import Box

SIDE = 160  # pixels on the longer side of the picture in which people are looked for
PERSON = 0.5  # alpha from which a pixel counts as person
LEAST = 0.01  # share of the picture that somebody covers
BESIDE = 0.2  # of the area of the largest part; smaller parts are not people
NARROW = 0.22  # of the usual width: a narrower row above a head is hair, or a hand
SHOULDERS = 1.6  # a row this many times as wide as the head above it
NECK = 0.8  # of the head's width: a row as narrow as this is the neck
HIGH = 0.8  # a head is at least this many times as high as it is wide
BELOW_NECK = 1.3  # a row this many times as wide as the neck above it
HALF = 0.5  # of the rows that are shown: a column with more of somebody is shown, too
OVER_FACE, HEAD = 0.3, 1.7  # hair above a face, and the head with its neck, in heights of the face
ABOVE, BELOW, ASIDE = 0.4, 1.1, 1.4  # what is shown around a head, in heights of it


class Bust(NamedTuple):
    """The box around somebody's head and shoulders with some room, in fractions of the picture; it
    may extend beyond it."""

    left: float
    top: float
    right: float
    bottom: float

    def joined(self, other: "Bust") -> "Bust":
        """The box around both."""
        low = (min(pair) for pair in zip(self[:2], other[:2], strict=True))
        high = (max(pair) for pair in zip(self[2:], other[2:], strict=True))
        return Bust(*low, *high)


def busts(alpha: Alpha, size: Size, faces: Sequence[Box] = ()) -> list[Bust]:
    """Those of all people in ``alpha``, ``float32 (h, w)`` of a picture of ``size``, the largest
    person first. ``faces``: those in the picture, the largest first; where there is none in
    somebody, the outline says where the head is."""
    small = shrunk(size, min(1.0, SIDE / max(size)))
    mask = (resize(alpha, small) >= PERSON).view(np.uint8)
    count, labels, table, _ = cv2.connectedComponentsWithStats(mask)
    areas = table[1:, cv2.CC_STAT_AREA]
    if count < 2 or areas.max() < LEAST * mask.size:
        return []
    order = [at for at in np.argsort(-areas) if areas[at] >= BESIDE * areas.max()]
    found = []
    for at in order:
        part = labels == at + 1
        own = [face for face in faces if _holds(part, face)]
        found += [_around(face, size) for face in own] or [_bust(part.view(np.uint8))]
    return found


def _holds(part: NDArray[np.bool_], face: Box) -> bool:
    """Whether the middle of a face is in a part."""
    height, width = part.shape
    row, column = (
        min(side - 1, max(0, int(at * side)))
        for at, side in ((face.y + face.height / 2, height), (face.x + face.width / 2, width))
    )
    return bool(part[row, column])


def _around(face: Box, size: Size) -> Bust:
    head, middle = HEAD * face.height, face.x + face.width / 2
    top, aside = face.y - OVER_FACE * face.height, ASIDE * head * size[1] / size[0]
    return Bust(middle - aside, top - ABOVE * head, middle + aside, top + head + BELOW * head)


def _bust(part: NDArray[np.uint8]) -> Bust:
    height, width = part.shape
    rows = _sums(part, 1)
    ordered = np.sort(rows)
    # Half of the person is in narrower rows, half in wider ones
    usual = float(ordered[np.searchsorted(np.cumsum(ordered), rows.sum() / 2)])
    held = np.flatnonzero(rows >= NARROW * usual)
    top, bottom = int(held[0]), int(held[-1]) + 1
    head = _head(rows[top:bottom], height)
    columns = _sums(part[top : top + max(1, round(head))], 0)
    middle = float((np.arange(width) * columns).sum() / columns.sum()) + 0.5
    last = top + head + BELOW * head
    # Somebody who touches the person is in the same part; an arm held out is in few of its rows.
    shown = part[top : min(bottom, round(last))]
    beside = np.flatnonzero(_sums(shown, 0) > HALF * len(shown))
    left, right = (int(beside[0]), int(beside[-1]) + 1) if len(beside) else (width, 0)
    return Bust(
        min(left, middle - ASIDE * head) / width,
        (top - ABOVE * head) / height,
        max(right, middle + ASIDE * head) / width,
        last / height,
    )


def _sums(part: NDArray[np.uint8], axis: int) -> NDArray[np.float32]:
    """The sums of its columns (0) or rows (1), ``float32``."""
    return cv2.reduce(part, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()


def _head(rows: NDArray[np.float32], height: int) -> float:
    """The height of the head with its neck, in pixels: down to where the shoulders begin. ``rows``:
    the width of the person in each row from the top of the head."""
    least = max(4, round(0.04 * height))
    found, widest, narrowest = 0.0, 0.0, 0.0
    above: list[float] = []
    for row, wide in enumerate(rows.tolist()):
        if wide >= widest:
            widest = narrowest = wide
        narrowest = min(narrowest, wide)
        below_neck = narrowest <= NECK * widest and wide > BELOW_NECK * narrowest
        usual = above[len(above) // 2] if above else 0.0
        insort(above, wide)
        high = row >= max(least, HIGH * usual)
        if high and (below_neck or wide > SHOULDERS * usual):
            found = float(row)
            break
    if not found:  # hair over the shoulders, or no shoulders in the picture
        found = 1.4 * float(np.median(rows[: max(1, len(rows) // 3)]))
    return float(np.clip(found, 0.05 * height, 0.4 * height))
