"""The person's own colours, where the picture shows person and room mixed."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.eye import Cutout
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.geometry import resize, shrunk
from realtime_bg.refine import REACH, SOLID, person_box

SIDE = 320  # pixels on the longer side of the picture in which colours are spread
RADII = (28, 2)  # of the two windows, in its pixels
LEAST = 1e-3  # weight below which a window has seen nothing

Colours: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]


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
    box = person_box(alpha, alpha.shape, REACH)
    if box is None:
        return cutout.foreground
    mixed = cutout.foreground is cutout.image
    image, alpha = cutout.foreground[box], np.ascontiguousarray(alpha[box])
    size = image.shape[1], image.shape[0]
    small = shrunk(size, min(1.0, SIDE / max(size)))
    part, weight = resize(image, small).astype(np.float32), resize(alpha, small)
    person = room = part
    for radius in RADII:
        person, room = _spread(person, weight, radius), _spread(room, 1 - weight, radius)
        if mixed:
            person = _corrected(part, weight, person, room)
    edge = (alpha > 0) & (alpha < SOLID)
    fine = _corrected(
        image[edge], alpha[edge], _enlarged(person, size)[edge],
        _enlarged(room, size)[edge] if mixed else None,
    )  # fmt: skip
    result = cutout.foreground.copy()
    result[box][edge] = np.rint(fine)
    return result


def _enlarged(colour: NDArray[np.float32], size: Size) -> Image:
    return resize(np.rint(colour).astype(np.uint8), size)


def _spread(colour: NDArray[np.float32], weight: Alpha, radius: int) -> NDArray[np.float32]:
    """The mean colour around each pixel, by weight."""
    side = (2 * radius + 1,) * 2
    total = cv2.blur(weight, side)[..., None]
    mean = cv2.blur(colour * weight[..., None], side) / np.maximum(total, LEAST)
    return np.where(total > LEAST, mean, colour).astype(np.float32)


def _corrected(
    image: Colours, alpha: Alpha, person: Colours, room: Colours | None
) -> NDArray[np.float32]:
    """``person`` moved, as far as the alpha says, to what the picture asks for."""
    a = alpha[..., None]
    behind = person if room is None else room
    wanted = image - (a * person + (1 - a) * behind)
    return np.clip(person + a * wanted, 0, 255)
