"""What somebody looks like, to know them again: the colours of their head, their middle and their
lower part, in any of several lights."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Image

BANDS, STEPS = 3, 8  # parts from top to bottom; steps of each channel
LIGHTS = (0.85, 0.92, 1.0, 1.08, 1.17)  # exposures in which somebody may come back
SAMPLES = 600  # pixels that are looked at

Looks = NDArray[np.float32]  # (BANDS * STEPS**3,): how often each colour occurs, in all 1
Mask = NDArray[np.bool_]
Codes = NDArray[np.uint16]  # (h, w): the colour of each pixel, below 512
Colours = NDArray[np.float32]  # (512,): how often each colour occurs


def looks(picture: Image, mask: Mask) -> list[Looks]:
    """Somebody's looks in each of the `LIGHTS`; ``mask`` must not be empty."""
    rows, columns = np.nonzero(mask)
    chosen = slice(None, None, max(1, len(rows) // SAMPLES))
    rows, columns = rows[chosen], columns[chosen]
    pixels = cv2.blur(picture, (3, 3))[rows, columns].astype(np.float32)
    band = (rows - rows[0]) * BANDS // (rows[-1] + 1 - rows[0])
    return [_counted(np.minimum(pixels * np.float32(light), 255), band) for light in LIGHTS]


def likeness(one: list[Looks], other: list[Looks]) -> float:
    """The Bhattacharyya coefficient in the light that suits best: 1 for the same looks, 0 for no
    colour in common."""
    plain = other[LIGHTS.index(1.0)]
    return max(float(np.sqrt(seen * plain).sum()) for seen in one)


def _counted(pixels: NDArray[np.float32], band: NDArray[np.int64]) -> Looks:
    """Each pixel counts for the steps around its value, the nearer the more."""
    place = pixels * np.float32(STEPS / 256) - np.float32(0.5)
    low = np.floor(place)
    share = place - low
    first = low.astype(np.int64)
    total = np.zeros(BANDS * STEPS**3)
    for corner in np.ndindex(2, 2, 2):
        steps = np.clip(first + corner, 0, STEPS - 1)
        weight = np.abs(1 - np.asarray(corner) - share).prod(axis=1)
        index = ((band * STEPS + steps[:, 0]) * STEPS + steps[:, 1]) * STEPS + steps[:, 2]
        total += np.bincount(index, weight, len(total))
    return (total / total.sum()).astype(np.float32)


def codes_of(picture: Image) -> Codes:
    """The colours of a picture in eight steps for each channel, ``uint16 (h, w)`` below 512."""
    blue, green, red = cv2.split(picture >> 5)
    return blue.astype(np.uint16) << 6 | green.astype(np.uint16) << 3 | red


def histogram(codes: Codes) -> Colours:
    """How often each of the colours occurs, ``float32 (512,)``, in all 1."""
    counts = np.bincount(codes, minlength=512) / max(1, len(codes))
    return counts.astype(np.float32)
