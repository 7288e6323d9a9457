"""Shared base of the classical engines: small work picture, position priors, mask clean-up, and the
decision when a person counts as lost.
"""

from abc import abstractmethod
from functools import cached_property
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.base import Engine
from realtime_bg.engines.classical._portraits import Portraits
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

Mask: TypeAlias = NDArray[np.uint8]
"""``uint8 (h, w)``, 1 is person, 0 is room."""

LEAST = 0.01  # smallest fraction of the picture that counts as a person
ROUGH = 96  # pixels on the longer side at which the shape of a mask is judged
ASTRAY, CROWDED, UNLIKE = 0.3, 0.3, 0.5  # thresholds of `SmallEngine.plausible`


class SmallEngine(Engine):
    """An engine that finds the person in a picture of ``LONG_SIDE`` pixels; guided upsampling adds
    the detail. Subclasses implement `solve`."""

    LONG_SIDE = 256
    MOST = 0.85  # largest fraction of the picture that counts as a person
    CALM = 10.0  # grey levels; a smaller change between frames counts as no change
    SMOOTH = 0.7  # weight of the previous alpha where nothing changed

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        scale = min(1.0, self.LONG_SIDE / max(size))
        wanted = settings.work_size or (round(size[0] * scale), round(size[1] * scale))
        width, height = (min(max(new, 1), side) for new, side in zip(wanted, size, strict=True))
        self.work_size = width, height
        self.place, self.border = portrait(self.work_size), border(self.work_size)
        self.reset()

    def reset(self) -> None:
        self.alpha: Alpha | None = None  # of the last frame; None if nobody was found
        self.last: Image | None = None  # the last frame

    @abstractmethod
    def solve(self, small: Image, time: float) -> Alpha | None:
        """The alpha, ``float32 (h, w)``, of one work picture, BGR ``uint8 (h, w, 3)`` taken at
        ``time`` seconds. None if the person cannot be told from the room."""

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            small = cv2.resize(frame.image, self.work_size, interpolation=cv2.INTER_AREA)
        with self.stats.stage("network"):
            alpha = self.solve(small, frame.time)
            if alpha is not None and not self.found(alpha):
                alpha = None
            self.alpha, self.last = alpha, small
        if alpha is None:
            alpha = np.zeros(small.shape[:2], np.float32)
        return Matte(frame, alpha, guide=small, lost=self.alpha is None)

    def found(self, alpha: Alpha | Mask) -> bool:
        """Whether the area found is plausible for a person: neither nothing nor everything."""
        return LEAST < float(alpha.mean()) < self.MOST

    def plausible(self, mask: Mask) -> bool:
        """Whether ``mask`` lies where people usually are, does not touch the upper border, and has
        the shape of somebody in front of a webcam, unlike a couch or a body without a head."""
        inside = float((mask * self.place).sum()) / max(int(mask.sum()), 1)
        if inside <= ASTRAY or float(mask[self.border].mean()) >= CROWDED:
            return False
        return self._usual.likeness(mask.astype(np.float32)) > UNLIKE

    @cached_property
    def _usual(self) -> Portraits:
        scale = min(1.0, ROUGH / max(self.work_size))
        width, height = (max(1, round(side * scale)) for side in self.work_size)
        return Portraits((width, height))

    def softened(self, mask: Mask, small: Image, sigma: float = 0.8) -> Alpha:
        """``mask`` with its edge softened by ``sigma`` pixels, and smoothed over time only where
        the picture is still, which avoids both flicker and trails behind moving objects."""
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(sigma, 0.1))
        if self.alpha is not None and self.last is not None:
            change = cv2.absdiff(small, self.last).max(2).astype(np.float32)
            alpha += self.SMOOTH * np.exp(-((change / self.CALM) ** 2)) * (self.alpha - alpha)
        return np.asarray(np.clip(alpha, 0, 1), np.float32)


def portrait(size: Size) -> Alpha:
    """The prior probability, ``float32 (h, w)`` in [0, 1], that a pixel of a webcam picture or a
    photo is person: a head in the middle above shoulders that widen downwards."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    # relative to the height; narrow pictures contain narrow people
    unit = min(1.0, 1.2 * width / height)
    x, y = (x + 0.5 - width / 2) / (height * unit), (y + 0.5) / height
    broad = 0.16 + 0.22 * np.clip((y - 0.4) / 0.3, 0, 1)
    down = np.clip((y - 0.04) / 0.2, 0, 1)
    return np.asarray(np.exp(-((x / broad) ** 2)) * down, np.float32)


def border(size: Size) -> NDArray[np.bool_]:
    """The pixels, ``bool (h, w)``, that nearly always show the room: the top and the upper
    sides."""
    width, height = size
    edge = np.zeros((height, width), bool)
    side, top = max(1, width // 16), max(1, height // 20)
    edge[:top] = True
    edge[: max(1, height * 3 // 4), :side] = edge[: max(1, height * 3 // 4), -side:] = True
    return edge


def skin(lab: Image) -> Alpha:
    """How similar to skin each pixel of a Lab picture, ``uint8 (h, w, 3)``, is: ``float32 (h, w)``
    in [0, 1]. A single Gaussian in a and b (after Jones and Rehg, IJCV 2002)."""
    a, b = lab[..., 1].astype(np.float32), lab[..., 2].astype(np.float32)
    near = np.exp(-(((a - 144) / 9) ** 2 + ((b - 147) / 10) ** 2) / 2)
    return np.asarray(near * (lab[..., 0] > 50), np.float32)


def pieces(mask: Mask, place: Alpha, share: float = 0.15) -> Mask:
    """The connected component of ``mask`` with the largest sum of ``place``, and those with at
    least ``share`` of that sum."""
    count, labels = cv2.connectedComponents(mask, connectivity=4)
    if count <= 2:
        return mask
    weight = np.bincount(labels.ravel(), (place * mask).ravel(), count)
    kept = weight >= share * weight[1:].max()
    kept[0] = False
    return kept[labels].astype(np.uint8)


def filled(mask: Mask, largest: float = 1.0) -> Mask:
    """``mask`` with its holes filled that cover at most the fraction ``largest`` of the picture. A
    gap that is open only towards the lower edge is a hole too, because people are cut off there."""
    count, labels, table, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    hole = table[:, cv2.CC_STAT_AREA] < largest * mask.size
    hole[0] = False  # label 0 is the mask itself
    for edge in (labels[0], labels[:, 0], labels[:, -1]):
        hole[edge] = False
    return np.asarray(mask | hole[:count][labels], np.uint8)


def disk(radius: int) -> Mask:
    """A round structuring element with a radius of ``radius`` pixels."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
