"""The person's colour without the old room, for engines that say alpha alone.

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
WIDE, NARROW = 9, 3  # sides of the windows in pixels of a small map, one after the other
LITTLE = np.float32(1e-3)  # weight below which a window says nothing


def estimate_foreground(image: Image, alpha: Alpha) -> Image:
    """BGR ``uint8 (h, w, 3)`` of a picture and its alpha ``float32 (h, w)``, both small (about
    256x144): the windows are of pixels. Where alpha is 1 it is the picture."""
    seen = image.astype(np.float32)
    weight = cv2.merge([alpha] * 3)
    person, room = _spread(seen, seen, seen, weight, WIDE)
    person, _ = _spread(seen, person, room, weight, NARROW)
    return np.clip(person + np.float32(0.5), 0, 255).astype(np.uint8)


def _spread(
    seen: Floats, person: Floats, room: Floats, weight: Floats, side: int
) -> tuple[Floats, Floats]:
    """One pass: both colours blurred by their weights, then the person's moved so that the two
    together give what is ``seen``."""
    window = (side, side)
    blurred = cv2.blur(weight, window)
    spread = cv2.blur(person * weight, window) / (blurred + LITTLE)
    rest = np.float32(1) - weight
    behind = cv2.blur(room * rest, window) / (np.float32(1) - blurred + LITTLE)
    off = seen - weight * spread - rest * behind
    return np.clip(spread + weight * off, 0, 255).astype(np.float32, copy=False), behind
