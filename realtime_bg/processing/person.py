"""Somebody in the picture: what is known of their looks, their outline and their motion."""

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image, Layer
from realtime_bg.imaging.flow import Places, grid, moved
from realtime_bg.imaging.geometry import resize, shrunk
from realtime_bg.processing.looks import Colours, Looks, Mask, looks

NOBODY = 0
ENTERING = 0.3  # seconds in which somebody may come in in several parts
STEADY = 0.3  # weight of the newest frame in the motion of somebody who touches nobody
WHOLE, FADING = 0.9, 0.998  # of the largest part seen: it shows them; and what that loses a frame
DEPTH, MIDDLE = 4, 128  # how the depth inside an outline is stored: steps for a pixel, and 0
CELL = 4  # pixels of which the motion is one
WHOLE_MOTION = 0.2  # weight of the whole person's motion beside that of a part
RELAX = 0.3  # of the difference between the way of a part and the whole person's vanishes
COASTING = 0.99  # of the motion of somebody hidden is left in the next frame

Step = NDArray[np.float32]  # (2,): x and y in pixels


@dataclass
class Person:
    """Of somebody: ``number``, the label, from 1; ``colours`` of their picture; ``mask`` and
    ``picture``: where they were, and the picture, when last seen alone or last taken over;
    ``last``: the part of them that was last visible; ``age``: frames in which they were alone;
    ``since`` and ``seen``: when they were first and last visible, in seconds; ``step``: their
    motion in pixels for each frame; ``entering``: borders of the picture at which they have
    been in all frames so far; ``left``: last seen at the border, and touching nobody;
    ``hidden``: most of them is behind somebody; ``places``: where each pixel of this frame is
    in ``picture``, None while they are alone; ``gain``: the light on them, relative to
    ``picture``."""

    number: int
    colours: Colours
    mask: Mask
    picture: Image
    seen: float
    since: float = field(init=False)
    last: Mask = field(init=False)
    age: int = 1
    step: Step = field(default_factory=lambda: np.zeros(2, np.float32))
    entering: frozenset[str] = frozenset()
    left: bool = False
    hidden: bool = False
    visible: bool = True
    places: Places | None = None
    gain: float = 1.0
    _best: tuple[float, Image, Mask] = field(init=False)
    _looks: list[Looks] | None = None
    _kept: Layer | None = None
    _now: Layer | None = None

    def __post_init__(self) -> None:
        self.since, self.last = self.seen, self.mask
        self._best = 0.0, self.picture, self.mask

    def coming_in(self, now: float) -> frozenset[str]:
        """The borders over which they may still be coming in."""
        return self.entering if now - self.since < ENTERING else frozenset()

    @property
    def looks(self) -> list[Looks]:
        """What they looked like when most of them was seen."""
        if self._looks is None:
            self._looks = looks(*self._best[1:])
        return self._looks

    def learn(self, colours: Colours, weight: float) -> None:
        """Believe the colours of this frame with a weight from 0 to 1."""
        self.colours += np.float32(weight) * (colours - self.colours)

    def alone(self, mask: Mask, picture: Image) -> None:
        """They touch nobody in this frame."""
        if self.places is None:
            step = _middle(mask) - _middle(self.mask)
            self.step = self.step + np.float32(STEADY) * (step - self.step)
        area = float(np.count_nonzero(mask))
        if area >= WHOLE * self._best[0]:
            self._best, self._looks = (area, picture, mask), None
        else:
            self._best = self._best[0] * FADING, *self._best[1:]
        self.mask, self.picture = mask, picture
        self.places = self._kept = self._now = None
        self.gain = 1.0

    def back(self, mask: Mask, picture: Image) -> None:
        """They have come back into the picture, or from behind somebody, at another place."""
        self.mask, self.picture, self.visible = mask, picture, True
        self.places = self._kept = self._now = None
        self.hidden = False
        self.step = np.zeros(2, np.float32)

    def anchor(self, mask: Mask, picture: Image) -> None:
        """What they look like now, while they touch somebody, as far as it is known."""
        assert self.places is not None
        self.mask, self.picture = mask, picture
        self._kept = self._now = None
        self.places = grid(self.mask.shape[::-1])
        self.gain = 1.0

    def advance(self) -> Mask:
        """Move what is remembered to the next frame, by their motion alone; where they should be
        then, if nothing hid them."""
        if self.places is None:
            matrix = np.array([[1, 0, self.step[0]], [0, 1, self.step[1]]], np.float32)
            mask = cv2.warpAffine(
                self.mask.view(np.uint8),
                matrix,
                self.mask.shape[::-1],
                flags=cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_REPLICATE,
            )
            return mask.view(np.bool_)
        self.places, self._now = self.places - self.step, None
        if not self.visible:
            self.step = self.step * np.float32(COASTING)
        return self.seen_now()[..., 3] > MIDDLE

    def bend(self, motion: Places, weight: Alpha, whole: Step) -> None:
        """Correct where their parts are: by the mean of ``motion``, ``float32 (h, w, 2)`` in
        pixels, around each of them, as far as its ``weight`` goes, and for the rest by that of the
        whole person. What has been bent slowly goes back."""
        assert self.places is not None
        height, width = weight.shape
        small = shrunk((width, height), 1 / CELL)
        sure = resize(cv2.merge([weight, weight]), small)
        mean = resize(motion * weight[..., None], small)
        bent = resize(self.places, small) - _cells(weight.shape)
        rest = np.float32(WHOLE_MOTION)
        middle = (bent * sure).sum(axis=(0, 1)) / np.maximum(sure.sum() / 2, np.float32(1e-3))
        near = (cv2.blur(mean, (3, 3)) + rest * whole) / (cv2.blur(sure, (3, 3)) + rest)
        near += np.float32(RELAX) * (middle - bent)
        # Bends are slight: adding the motion is as good as moving the places along with it.
        self.places = self.places + resize(near, (width, height))
        self._now = None

    def put_aside(self, by: int) -> None:
        """Correct where they are by some pixels to the right."""
        assert self.places is not None
        self.places = self.places - np.array([by, 0], np.float32)
        self._now = None

    def seen_now(self) -> Layer:
        """What should be seen of them in this frame if nothing hid them: BGR, and how deep each
        pixel is inside their outline, see `depth`."""
        if self._kept is None:
            deep = distance(~self.mask) - distance(self.mask)
            deep = np.clip(deep, -MIDDLE / DEPTH, (255 - MIDDLE) / DEPTH) * DEPTH + MIDDLE
            layer = cv2.cvtColor(self.picture, cv2.COLOR_BGR2BGRA)
            cv2.insertChannel(deep.astype(np.uint8), layer, 3)
            self._kept = layer
        if self.places is None:
            self.places, self._now = grid(self.mask.shape[::-1]) - self.step, None
        if self._now is None:
            self._now = moved(self._kept, self.places)
        return self._now


def depth(layer: Layer) -> Alpha:
    """How many pixels each pixel is inside an outline; negative outside."""
    values = cv2.extractChannel(layer, 3).astype(np.float32)
    values -= np.float32(MIDDLE)
    values *= np.float32(1 / DEPTH)
    return values


def distance(mask: Mask) -> Alpha:
    """How far each pixel is from a mask; 0 inside."""
    far: Alpha = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 3)
    return far


@lru_cache(4)
def _cells(shape: tuple[int, int]) -> Places:
    """The position of each cell of a picture."""
    return resize(grid(shape[::-1]), shrunk(shape[::-1], 1 / CELL))


def _middle(mask: Mask) -> Step:
    found = cv2.moments(mask.view(np.uint8), binaryImage=True)
    if not found["m00"]:
        return np.zeros(2, np.float32)
    return np.array([found["m10"], found["m01"]], np.float32) / np.float32(found["m00"])
