"""People drawn into a room, for clips whose truth is known."""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from realtime_bg.frames import Frame, Matte

SIZE = (256, 144)
FPS = 30.0


class Drawn(NamedTuple):
    """Where somebody stands: the middle and the top of the head, and the width of the shoulders,
    in pixels of the picture; their clothes, BGR; and the seed of their pattern."""

    x: float
    top: float
    wide: float
    colour: tuple[int, int, int] = (60, 120, 200)
    seed: int = 0


def silhouette(person, size=SIZE):
    """Where somebody is, ``float32 (h, w)``: head, neck and a body down to the lower edge."""
    x, top, wide = person.x, person.top, person.wide
    mask = np.zeros((size[1], size[0]), np.uint8)
    head = wide * 0.36
    fine = 4  # bits of a fraction of a pixel

    def at(*place):
        return tuple(round(value * (1 << fine)) for value in place)

    ellipse = at(x, top + head * 0.65), at(head * 0.5, head * 0.65)
    cv2.ellipse(mask, *ellipse, 0, 0, 360, 255, -1, cv2.LINE_AA, fine)
    neck = at(x - head * 0.25, top + head), at(x + head * 0.25, top + head * 1.7)
    cv2.rectangle(mask, *neck, 255, -1, cv2.LINE_AA, fine)
    shoulder = top + head * 1.5
    body = at(x - wide / 2, shoulder), at(x + wide / 2, size[1] + 9)
    cv2.rectangle(mask, *body, 255, -1, cv2.LINE_AA, fine)
    return mask.astype(np.float32) / 255


def room(size=SIZE, colour=(90, 110, 100), seed=99):
    """An empty room with some texture, BGR."""
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, 18, (size[1] // 4, size[0] // 4, 3)).astype(np.float32)
    grain = cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(np.float32(colour) + grain, 0, 255).astype(np.uint8)


def clothes(person, size=SIZE):
    """The colours of somebody, with a pattern that moves along, BGR."""
    rng = np.random.default_rng(person.seed + 1)
    pattern = rng.normal(0, 22, (24, 24, 1)).astype(np.float32)
    side = max(8, round(person.wide * 2))
    pattern = cv2.resize(pattern, (side, side), interpolation=cv2.INTER_CUBIC)
    move = np.float32([[1, 0, person.x - side / 2], [0, 1, person.top]])
    pattern = cv2.warpAffine(pattern, move, size, borderMode=cv2.BORDER_WRAP)
    return np.clip(np.float32(person.colour) + pattern[..., None], 0, 255).astype(np.uint8)


@lru_cache(64)
def scene(people, size=SIZE):
    """A picture of ``people``, a tuple with the hindmost first, and the visible part of each,
    ``float32``. They are not to be changed."""
    image = room(size)
    seen = []
    for person in people:
        mask = silhouette(person, size)
        image = cv2.blendLinear(clothes(person, size), image, mask, 1 - mask)
        seen = [one * (1 - mask) for one in seen] + [mask]
    return image, seen


def matte(people, index=0, epoch=0, size=SIZE, fps=FPS, small=True):
    """The matte of all of them, as an engine gives it, and the visible part of each."""
    image, seen = scene(tuple(people), size)
    frame = Frame(image, index, index / fps, epoch)
    alpha = np.clip(sum(seen, np.zeros(size[::-1], np.float32)), 0, 1).astype(np.float32)
    if not small:
        return Matte(frame, alpha), seen
    work = size[0] // 2, size[1] // 2
    guide = cv2.resize(image, work, interpolation=cv2.INTER_AREA)
    return Matte(frame, cv2.resize(alpha, work, interpolation=cv2.INTER_AREA), guide=guide), seen
