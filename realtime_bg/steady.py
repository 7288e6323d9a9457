"""Alphas that do not flicker: each is drawn towards the last one, moved to where that now is."""

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Image, Matte

GAP = 0.5  # seconds after which the last alpha says nothing any more
SAME = 8.0  # grey levels by which a place may differ from where it came from, and be the same place
AROUND = 5, 5  # small pixels that this is judged by


class Steady:
    """Remembers the last alpha of one stream of mattes, at the size of the network.

    Small motion (dense inverse search: Kroeger et al. 2016, arXiv 1603.03590) carries the last
    alpha to the present picture. Where both pictures agree, what still differs is the network's
    doubt and is averaged; where they do not, something has come into view or is too fast, and
    only the present counts, so that nothing smears.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._places = np.zeros((0, 0, 2), np.float32)
        self._last: tuple[Matte, Alpha, Image] | None = None

    def __call__(self, matte: Matte, weight: float) -> Alpha:
        """The alpha ``float32 (h, w)`` of a matte with a guide; ``weight``: of what was, 0 to 1."""
        assert matte.guide is not None
        alpha, grey = matte.alpha, cv2.cvtColor(matte.guide, cv2.COLOR_BGR2GRAY)
        if self._last is not None and self._follows(matte, self._last[0]) and weight:
            _, before, seen = self._last
            way = self._flow.calc(grey, seen, None)
            way += self._places
            seen = cv2.remap(seen, way, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            # Bilinear would soften the edge a little more with every frame.
            before = cv2.remap(before, way, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            off = cv2.blur(cv2.absdiff(grey, seen), AROUND).astype(np.float32)
            share = np.float32(weight) * np.exp(np.square(off) * np.float32(-1 / SAME**2))
            alpha = np.clip(alpha + share * (before - alpha), 0, 1)
        self._last = matte, alpha, grey
        return alpha

    def _follows(self, matte: Matte, last: Matte) -> bool:
        here, there = matte.frame, last.frame
        if matte.alpha.shape != last.alpha.shape or here.epoch != there.epoch:
            return False
        if self._places.shape[:2] != matte.alpha.shape:
            rows, columns = np.indices(matte.alpha.shape, np.float32)
            self._places = np.dstack([columns, rows])
        return 0 < here.time - there.time < GAP
