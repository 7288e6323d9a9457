"""Decontaminating a photo's colours: removing the old room from soft edges at full size."""

import math

import numpy as np

from realtime_bg.frames import Cutout, Image, Size
from realtime_bg.imaging.foreground import Floats, corrected, fused
from realtime_bg.imaging.geometry import resize, shrunk
from realtime_bg.processing.refine import SOLID, person_box

SIDE = 320  # pixels on the longer side of the picture in which colours are spread
WINDOWS = 57, 5  # in its pixels: first from afar, then from near


def decontaminated(cutout: Cutout) -> Image:
    """The foreground without the room's share in it, BGR ``uint8 (H, W, 3)``.

    Blur fusion (Forte 2021, Approximate fast foreground colour estimation, ICIP): where the alpha
    is low, the colours of the person nearby, first from afar, then from near; where it is high,
    the picture's own. The means are taken in a small picture, the last step at full size. An
    engine's own foreground is taken as it is, and only spread.

    What an alpha is nearly 0 for keeps nothing of the room's detail in this way: a file with an
    alpha channel would show it to whoever looks at the colours alone.
    """
    alpha = cutout.alpha
    # With as much room around the person as the widest window needs to see what is behind.
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
    # An engine's own foreground has no room in it: it is only spread.
    behind = _enlarged(room, size)[edge] if mixed else near
    result = cutout.foreground.copy()
    result[box][edge] = np.rint(corrected(seen, share, near, behind))
    return result


def _enlarged(colour: Floats, size: Size) -> Floats:
    return resize(np.rint(colour).astype(np.uint8), size).astype(np.float32)
