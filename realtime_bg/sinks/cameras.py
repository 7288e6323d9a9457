"""What the cameras for other programs have in common: they hand over pictures in I420."""

from abc import abstractmethod

import cv2
import numpy as np

from realtime_bg.frames import Composite, Image, Planes, Size
from realtime_bg.imaging.geometry import even
from realtime_bg.sinks.base import Sink

# How to get a driver's camera, by system
REMEDIES = {
    "linux": "load one: sudo modprobe v4l2loopback video_nr=10 card_label=realtime-bg "
    "exclusive_caps=1 (Debian, Ubuntu: first sudo apt install v4l2loopback-dkms)",
    "darwin": "install OBS Studio 30 or later and start its virtual camera once",
    "win32": "install OBS Studio and start its virtual camera once, or install UnityCapture",
}


class CameraSink(Sink):
    """A camera that other programs open. An odd last row or column is left out, because I420 stores
    the colours of four pixels together."""

    live = takes_target = True

    @property
    @abstractmethod
    def description(self) -> str:
        """What it is, for the log and for `realtime-bg ctl status`."""

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        self.even = even(size)
        self._planes: Planes = np.empty((0, 0), np.uint8)

    def send(self, composite: Composite) -> None:
        if self.takes_pictures:
            self._planes = to_planes(composite.image, self.even, self._planes)
            self.hand_over(self._planes)

    def viewers(self) -> list[str]:
        """The names of the programs that show it, as far as they are known. Not for the frame path:
        it may take a second."""
        return []

    @property
    def takes_pictures(self) -> bool:
        """Whether a picture that is sent now is of use. If not, it is not converted."""
        return True

    @abstractmethod
    def hand_over(self, planes: Planes) -> None:
        """Show a picture of `even` size. ``planes`` may be overwritten afterwards. Raises
        SinkError."""


def to_planes(image: Image, size: Size, out: Planes) -> Planes:
    """Convert the upper left ``size``, which is even, of a picture to I420.
    ``out`` is used again if it fits."""
    width, height = size
    if out.shape != (height * 3 // 2, width):
        out = np.empty((height * 3 // 2, width), np.uint8)
    cv2.cvtColor(image[:height, :width], cv2.COLOR_BGR2YUV_I420, dst=out)
    return out
