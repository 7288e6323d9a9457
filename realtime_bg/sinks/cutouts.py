"""Video files of the person alone: the colours with transparency, or the matte in grey."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite, Layer
from realtime_bg.sinks.coding import ANIMATION, VP9_ALPHA, Coding
from realtime_bg.sinks.video import VideoSink

RGBA = {
    ".mov": ANIMATION,
    ".webm": VP9_ALPHA,
    ".mkv": VP9_ALPHA,
}


def layer_of(composite: Composite) -> Layer:
    """The person of ``composite``; wholly transparent if it has none."""
    if composite.person is not None:
        return composite.person
    return np.zeros((*composite.image.shape[:2], 4), np.uint8)


class CutoutSink(VideoSink):
    """A video file that shows nothing but the person."""

    takes_target = True

    @classmethod
    def wants_person(cls, target: str) -> bool:
        return True


class RgbaSink(CutoutSink):
    """The person's colours with transparency."""

    def coding(self, suffix: str) -> Coding:
        if suffix not in RGBA:
            raise SinkError(
                f"output rgba:{self.target}: this kind of file has no transparency; "
                f"choose {', '.join(RGBA)}"
            )
        return RGBA[suffix]

    def pixels(self, composite: Composite) -> NDArray[np.uint8]:
        return layer_of(composite)


class MatteSink(CutoutSink):
    """The matte in grey: white is the person."""

    def pixels(self, composite: Composite) -> NDArray[np.uint8]:
        return cv2.cvtColor(layer_of(composite)[..., 3], cv2.COLOR_GRAY2BGR)
