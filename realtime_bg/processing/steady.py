"""Temporal smoothing of alphas against flicker, with motion compensation."""

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Frame, Matte
from realtime_bg.imaging.flow import Flow, Grey, enlarged_places, moved, searched
from realtime_bg.imaging.geometry import resize
from realtime_bg.processing.evidence import Evidence

RATE = 30.0  # frames a second for which weights and steps are meant
GAP = 0.5  # seconds after which the last frame is no longer used
# Grey levels by which a motion-compensated pixel may differ and still count as unchanged
SAME = 8.0
FAINTEST = 0.01  # a lower alpha counts as 0
AROUND = 3, 3  # neighbourhood in which this is decided, in the picture that motion is looked for in
# For each difference in grey levels, how certain it is that the pixel is unchanged
UNCHANGED = np.exp(np.square(np.arange(256, dtype=np.float32)) * np.float32(-1 / SAME**2))
# For the same, by how much the alpha may change: in a still picture the network changes its mind
# gradually. This halves the number of pixels that jump, and raises the error (MAD) by 1 %.
STEP = np.interp(np.arange(256), (3.0, 8.0), (0.12, 1.0)).astype(np.float32)


class Steady:
    """Remembers the last alpha of one stream of mattes, whose size changes where an engine turns
    from the whole picture to a window (see `WindowedEngine`).

    Where the current picture agrees with the motion-compensated last one, any difference between
    the alphas is uncertainty of the network and is averaged. Where the pictures disagree, something
    has come into view or moves too fast, and only the current alpha counts, so that nothing smears.
    Before that, small islands and holes of a moment are dropped, see `Evidence`.
    """

    def __init__(self) -> None:
        self._flow, self._evidence = Flow(), Evidence()
        self._last: tuple[Matte, Alpha, Grey] | None = None

    def __call__(self, matte: Matte, weight: float) -> Alpha:
        """The smoothed alpha, ``float32 (h, w)``, of a matte with a guide. ``weight`` of the
        previous alpha: 0 to 1, at `RATE` frames a second."""
        assert matte.guide is not None
        alpha, seen = matte.alpha, searched(matte.guide)
        height, width = alpha.shape
        continues = self._last is not None and _continues(matte.frame, self._last[0].frame)
        if not weight or not continues:
            self._evidence.forget()
        frames = 1.0  # so many at `RATE` since the last one
        if continues and self._last is not None:
            frames = RATE * (matte.frame.time - self._last[0].frame.time)
        if weight:
            alpha = self._evidence(alpha, frames)
        if weight and self._last is not None and continues:
            _, before, then = self._last
            before, then = resize(before, (width, height)), resize(then, seen.shape[::-1])
            places = self._flow.places(seen, then)
            off = cv2.blur(cv2.absdiff(seen, moved(then, places)), AROUND)
            share = resize(cv2.LUT(off, np.float32(weight**frames) * UNCHANGED), (width, height))
            most = resize(cv2.LUT(off, np.float32(frames) * STEP), (width, height))
            # Bilinear interpolation would soften the edge a little more with every frame.
            before = moved(before, enlarged_places(places, (width, height)), cv2.INTER_CUBIC)
            step = (1 - share) * (alpha - before)
            alpha = before + np.clip(step, -most, most, out=step)
            alpha = np.clip(alpha, 0, 1, out=alpha)
            # Otherwise a faint remainder would stay visible for long where the person was.
            alpha = cv2.threshold(alpha, FAINTEST, 0, cv2.THRESH_TOZERO)[1]
        self._last = matte, alpha, seen
        return alpha


def _continues(frame: Frame, last: Frame) -> bool:
    return frame.same_view(last) and follows(frame, last)


def follows(frame: Frame, last: Frame) -> bool:
    """Whether a frame follows soon after another one of the same scene."""
    return frame.epoch == last.epoch and 0 < frame.time - last.time < GAP
