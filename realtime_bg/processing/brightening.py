"""Showing the network a brightened copy of a dark picture: it was trained on people whom one can
see."""

from dataclasses import replace

import cv2
import numpy as np

from realtime_bg.frames import DeviceMatte, Frame, Image, Matte, downloaded
from realtime_bg.imaging.geometry import resize
from realtime_bg.imaging.reduction import reduced
from realtime_bg.imaging.tone import LIGHT, Table, table
from realtime_bg.processing.metering import EVERY, LUMA, SIDE

# Light that the brightest hundredth of a dark picture has at most, and at which it is dark no more
DARK, BRIGHT_AGAIN = 0.3, 0.36
MEAN = 0.2  # light that it is given
MOST = 8.0  # largest gain
SAME = 0.1  # difference of the logarithm of two gains that is not followed


class Brightening:
    """For one stream of frames. A picture with a bright spot, such as somebody well lit before a
    dark room, is not dark: brightening it would only show the network what nobody sees."""

    def __init__(self) -> None:
        self._measured: Frame | None = None
        self._gain = 1.0
        self._table: Table | None = None

    def brightened(self, frame: Frame) -> Frame:
        """What the network is to see instead of a frame; the same one if it is bright enough."""
        last = self._measured
        if last is None or last.epoch != frame.epoch or not 0 <= frame.time - last.time < EVERY:
            self._measured = frame
            self._measure(frame.image)
        if self._table is None:
            return frame
        return replace(frame, image=cv2.LUT(frame.image, self._table))

    def _measure(self, image: Image) -> None:
        light = LIGHT[resize(image, SIDE)] @ LUMA
        gain = 1.0
        if np.quantile(light, 0.99) < (DARK if self._table is None else BRIGHT_AGAIN):
            gain = min(MOST, max(1.0, MEAN / max(float(light.mean()), 1e-3)))
        if abs(np.log(gain / self._gain)) > SAME:
            self._gain = gain
            self._table = table(np.full(3, gain)) if gain > 1 else None

    def as_before(self, matte: Matte | DeviceMatte, frame: Frame) -> Matte | DeviceMatte:
        """The matte of a frame from that of its brightened copy."""
        assert self._table is not None
        matte = downloaded(matte)
        height, width = matte.alpha.shape
        guide, foreground = matte.guide, matte.foreground
        if guide is not None:
            guide = reduced(frame.image, (width, height))
        if foreground is not None:
            foreground = cv2.LUT(foreground, _inverse(self._table))
        return replace(matte, frame=frame, guide=guide, foreground=foreground)


def _inverse(levels: Table) -> Table:
    """The table that undoes another one, as far as 256 levels can."""
    every = np.arange(256)
    columns = [np.searchsorted(levels[0, :, channel], every) for channel in range(3)]
    return np.minimum(np.stack(columns, axis=1), 255).astype(np.uint8)[None]
