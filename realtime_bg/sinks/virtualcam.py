"""A virtual camera through pyvirtualcam: v4l2loopback, OBS or UnityCapture."""

import sys

import numpy as np
import pyvirtualcam

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite, Size
from realtime_bg.geometry import even
from realtime_bg.sinks.base import Sink

REMEDIES = {
    "linux": "load one: sudo modprobe v4l2loopback video_nr=10 card_label=realtime-bg "
    "exclusive_caps=1 (Debian, Ubuntu: first sudo apt install v4l2loopback-dkms)",
    "darwin": "install OBS Studio 30 or later and start its virtual camera once",
    "win32": "install OBS Studio and start its virtual camera once, or install UnityCapture",
}


class VirtualCameraSink(Sink):
    """``target``: a device such as /dev/video10, or empty for the first free one."""

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        self._even = even(size)
        try:
            self._camera = pyvirtualcam.Camera(
                *self._even, fps, fmt=pyvirtualcam.PixelFormat.BGR, device=target or None
            )
        except Exception as error:  # each backend raises what it likes
            reasons = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
            remedy = REMEDIES.get(sys.platform, "see the README")
            raise SinkError(f"no virtual camera ({reasons}); {remedy}") from None
        self.description = f"virtual camera {self._camera.device} ({self._camera.backend})"

    def send(self, composite: Composite) -> None:
        width, height = self._even
        try:
            self._camera.send(np.ascontiguousarray(composite.image[:height, :width]))
        except Exception as error:
            raise SinkError(f"virtual camera {self._camera.device}: {error}") from None

    def close(self, complete: bool = True) -> None:
        self._camera.close()
