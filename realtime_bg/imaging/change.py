"""How much a picture differs from the last one: not at all, as pictures in a row do, or wholly."""

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Frame, Image

ROWS = 180  # of the picture that are looked at, about
SMALL = 64, 36  # width and height of what pictures are compared at
ALIKE = 0.6  # correlation below which two pictures show different scenes
NOISE = 2.0  # grey levels by which a place of a still picture wavers
HELD = 5  # still frames in a row that one matte is good for


class Change:
    """Compares the frames of one stream."""

    def __init__(self) -> None:
        self._last: Alpha | None = None
        self._matted: Alpha | None = None
        self._held = 0
        self._epoch = 0

    def __call__(self, frame: Frame) -> tuple[bool, bool]:
        """Whether this frame is of another scene than the last one, and whether nothing has moved
        since the last frame that was to be matted."""
        seen = _small(frame.image)
        cut = frame.epoch != self._epoch
        cut |= self._last is not None and correlation(seen, self._last) < ALIKE
        self._last, self._epoch = seen, frame.epoch
        still = not cut and self._matted is not None and self._held < HELD
        # Neighbours together: less noise, and what moves moves several of them.
        still = still and cv2.blur(cv2.absdiff(seen, self._matted), (3, 3)).max() < NOISE
        self._held = self._held + 1 if still else 0
        if not still:
            self._matted = seen
        return cut, still

    def forget(self) -> None:
        """The next frame is to be matted."""
        self._matted = None


def correlation(one: Alpha, other: Alpha) -> float:
    """Of two grey pictures ``float32 (h, w)``: 1 for the same, whatever its exposure, about 0 for
    two that have nothing to do with each other."""
    a, b = one - one.mean(), other - other.mean()
    # Plain pictures are alike.
    return float(((a * b).sum() + 1) / (np.sqrt((a * a).sum() * (b * b).sum()) + 1))


def _small(image: Image) -> Alpha:
    step = max(1, image.shape[0] // ROWS)  # averaging all pixels costs five times as much
    grey = cv2.cvtColor(np.ascontiguousarray(image[::step, ::step]), cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
