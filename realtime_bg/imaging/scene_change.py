"""Detecting scene cuts and still pictures."""

from typing import NamedTuple

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Frame, Image

ROWS = 180  # approximate number of rows that are compared
COMPARED_SIZE = 64, 36  # width and height of the grey pictures that are compared
SAME_SCENE = 0.6  # correlation below which two pictures show different scenes
NOISE = 2.0  # grey levels by which a cell of a still picture may fluctuate
MOST_HELD = 5  # successive still frames for which one matte may be reused


class SceneChange(NamedTuple):
    """``cut``: the frame shows another scene than the previous one, so history is void. ``still``:
    nothing has moved since the last frame that was matted."""

    cut: bool
    still: bool


class SceneChangeDetector:
    """Compares successive frames of one stream."""

    def __init__(self) -> None:
        self._last: Alpha | None = None
        self._matted: Alpha | None = None
        self._held = 0
        self._epoch = 0

    def update(self, frame: Frame) -> SceneChange:
        """Return what has changed in ``frame``; the next frame is compared with this one."""
        seen = _reduced(frame.image)
        cut = frame.epoch != self._epoch
        cut |= self._last is not None and not same_scene(seen, self._last)
        self._last, self._epoch = seen, frame.epoch
        still = not cut and self._matted is not None and self._held < MOST_HELD
        # Averaging neighbours reduces noise, and real motion affects several of them.
        still = still and cv2.blur(cv2.absdiff(seen, self._matted), (3, 3)).max() < NOISE
        self._held = self._held + 1 if still else 0
        if not still:
            self._matted = seen
        return SceneChange(cut, still)

    def forget_matte(self) -> None:
        """Make the next frame count as not still, because there is no matte to reuse."""
        self._matted = None


def same_scene(one: Alpha, other: Alpha) -> bool:
    """Whether two grey pictures ``float32 (h, w)`` show the same scene, in any light."""
    return correlation(one, other) >= SAME_SCENE


def correlation(one: Alpha, other: Alpha) -> float:
    """The correlation of two grey pictures ``float32 (h, w)``: 1 for the same picture at any
    exposure, about 0 for unrelated ones."""
    a, b = one - one.mean(), other - other.mean()
    # Two uniform pictures count as equal.
    return float(((a * b).sum() + 1) / (np.sqrt((a * a).sum() * (b * b).sum()) + 1))


def _reduced(image: Image) -> Alpha:
    step = max(1, image.shape[0] // ROWS)
    size = -(-image.shape[1] // step), -(-image.shape[0] // step)
    # Averaging all pixels costs five times as much, and slicing copies one pixel at a time.
    few = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
    grey = cv2.cvtColor(few, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, COMPARED_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
