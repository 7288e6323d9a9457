"""Foreground colour estimation, for engines that predict only an alpha.

If the camera's own colours are blended, a rim of the real room remains at the edge. The estimate is
blur fusion (Forte, Approximate fast foreground colour estimation, ICIP 2021): colours from certain
areas spread into the edge and are corrected by the picture itself.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image

Floats: TypeAlias = NDArray[np.float32]  # (h, w, 3)
WINDOWS = 9, 3  # window sides in pixels of the small picture, applied one after the other
LITTLE = np.float32(1e-3)  # weight below which a window has no information


def estimate_foreground(image: Image, alpha: Alpha) -> Image:
    """The foreground, BGR ``uint8 (h, w, 3)``, of a picture and its alpha ``float32 (h, w)``. Both
    must be small (about 256x144), because the windows are in pixels. Where alpha is 1, the
    foreground equals the picture."""
    person, _ = fused(image.astype(np.float32), alpha, WINDOWS)
    return np.clip(person + np.float32(0.5), 0, 255).astype(np.uint8)


def fused(seen: Floats, alpha: Alpha, windows: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The colours of person and room at every pixel, 0..255, estimated with windows of these
    sides."""
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
    """``person``, corrected so that blending it with ``room`` gives ``seen``."""
    off = seen - weight * person - (np.float32(1) - weight) * room
    return np.clip(person + weight * off, 0, 255).astype(np.float32, copy=False)
