"""Removing the old room's colour from the soft edges of a photo, at full size."""

import math

import numpy as np

from realtime_bg.frames import Cutout, Image, Size
from realtime_bg.imaging.foreground import Floats, corrected, fused
from realtime_bg.imaging.geometry import resize, shrunk
from realtime_bg.processing.refine import SOLID, person_box

SIDE = 320  # pixels on the longer side of the picture in which colours are spread
WINDOWS = 57, 5  # window sides in its pixels: a wide one first, then a narrow one


def decontaminated(cutout: Cutout) -> Image:
    """The foreground without the room's contribution, BGR ``uint8 (H, W, 3)``.

    Blur fusion (Forte 2021, Approximate fast foreground colour estimation, ICIP): where the alpha
    is low, colours of the person from further away and then from nearby are spread into the edge;
    where it is high, the picture keeps its own. The means are computed in a small picture, the last
    step at full size. A foreground predicted by the engine is only spread, not corrected.

    This way, pixels with an alpha near 0 keep no detail of the room, which anybody who looks only
    at the colour channels of a file could otherwise see.
    """
    alpha = cutout.alpha
    # With enough margin around the person for the widest window to see the room behind.
    reach = math.ceil(max(1.0, max(alpha.shape) / SIDE) * (WINDOWS[0] // 2))
    box = person_box(alpha, alpha.shape, reach)
    if box is None:
        return cutout.foreground
    mixed = cutout.foreground is cutout.image
    image, alpha = cutout.foreground[box], np.ascontiguousarray(alpha[box])
    size = image.shape[1], image.shape[0]
    small = shrunk(size, min(1.0, SIDE / max(size)))
    part, weight = resize(image, small).astype(np.float32), resize(alpha, small)
    person, room = fused(part, weight, WINDOWS)
    edge = (alpha > 0) & (alpha < SOLID)
    seen, share = image[edge].astype(np.float32), alpha[edge][:, None]
    near = _enlarged(person, size)[edge]
    # A foreground predicted by the engine contains nothing of the room, so it is only spread.
    behind = _enlarged(room, size)[edge] if mixed else near
    result = cutout.foreground.copy()
    result[box][edge] = np.rint(corrected(seen, share, near, behind))
    return result


def _enlarged(colour: Floats, size: Size) -> Floats:
    return resize(np.rint(colour).astype(np.uint8), size).astype(np.float32)
