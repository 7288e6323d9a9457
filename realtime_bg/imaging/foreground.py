"""Foreground colour estimation, for engines that predict an alpha only.

Blended with the camera's own colours, an edge shows a rim of the room the person sits in. The
estimate is blur fusion (Forte, Approximate fast foreground colour estimation, ICIP 2021): colours
of sure places spread into the edge, corrected by what the picture shows there.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image

Floats: TypeAlias = NDArray[np.float32]  # (h, w, 3)
WINDOWS = 9, 3  # sides in pixels of a small map, one after the other
LITTLE = np.float32(1e-3)  # weight below which a window says nothing


def estimate_foreground(image: Image, alpha: Alpha) -> Image:
    """BGR ``uint8 (h, w, 3)`` of a picture and its alpha ``float32 (h, w)``, both small (about
    256x144): the windows are of pixels. Where alpha is 1 it is the picture."""
    person, _ = fused(image.astype(np.float32), alpha, WINDOWS)
    return np.clip(person + np.float32(0.5), 0, 255).astype(np.uint8)


def fused(seen: Floats, alpha: Alpha, windows: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The colours of person and room everywhere, 0..255, by windows of these sides."""
    person = room = seen
    weight = cv2.merge([alpha] * 3)
    rest = np.float32(1) - weight
    for side in windows:
        window = (side, side)
        blurred = cv2.blur(weight, window)
        person = cv2.blur(person * weight, window) / (blurred + LITTLE)
        room = cv2.blur(room * rest, window) / (np.float32(1) - blurred + LITTLE)
        person = corrected(seen, weight, person, room)
    return person, room


def corrected(seen: Floats, weight: Floats, person: Floats, room: Floats) -> Floats:
    """``person`` moved, as far as the alpha says, so that both together give what is ``seen``."""
    off = seen - weight * person - (np.float32(1) - weight) * room
    return np.clip(person + weight * off, 0, 255).astype(np.float32, copy=False)
