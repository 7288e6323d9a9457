"""Temporal smoothing of alphas against flicker, along the motion of the picture."""

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Frame, Matte
from realtime_bg.imaging.flow import Flow, Grey, grey, moved

GAP = 0.5  # seconds after which the last frame says nothing any more
SAME = 8.0  # grey levels by which a place may differ from where it came from, and be the same place
FAINTEST = 0.01  # alpha that is nothing
AROUND = 5, 5  # small pixels that this is judged by


class Steady:
    """Remembers the last alpha of one stream of mattes, at the size of the network.

    Where the present picture and the last one, moved, agree, what still differs between the alphas
    is the network's doubt and is averaged; where they do not, something has come into view or is
    too fast, and only the present counts, so that nothing smears.
    """

    def __init__(self) -> None:
        self._flow = Flow()
        self._last: tuple[Matte, Alpha, Grey] | None = None

    def __call__(self, matte: Matte, weight: float) -> Alpha:
        """The alpha ``float32 (h, w)`` of a matte with a guide; ``weight``: of what was, 0 to 1."""
        assert matte.guide is not None
        alpha, seen = matte.alpha, grey(matte.guide)
        if weight and self._last is not None and _continues(matte, self._last[0]):
            _, before, then = self._last
            places = self._flow.places(seen, then)
            off = cv2.blur(cv2.absdiff(seen, moved(then, places)), AROUND).astype(np.float32)
            share = np.float32(weight) * np.exp(np.square(off) * np.float32(-1 / SAME**2))
            # Bilinear would soften the edge a little more with every frame.
            before = moved(before, places, cv2.INTER_CUBIC)
            alpha = np.minimum(alpha + share * (before - alpha), 1)
            # What is left of the person where they were would else be blended for long.
            alpha = cv2.threshold(alpha, FAINTEST, 0, cv2.THRESH_TOZERO)[1]
        self._last = matte, alpha, seen
        return alpha


def _continues(matte: Matte, last: Matte) -> bool:
    return matte.alpha.shape == last.alpha.shape and follows(matte.frame, last.frame)


def follows(frame: Frame, last: Frame) -> bool:
    """Whether a frame comes soon after another one of the same scene."""
    return frame.epoch == last.epoch and 0 < frame.time - last.time < GAP
