"""The virtual camera, through pyvirtualcam: v4l2loopback, OBS or UnityCapture."""

import os
import sys
import time

import numpy as np
import pyvirtualcam

from realtime_bg.devices.readers import readers
from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite, Size
from realtime_bg.imaging.geometry import even
from realtime_bg.sinks.base import Sink

LOOK_SECONDS = 1.0  # between checks whether the device still exists

REMEDIES = {
    "linux": "load one: sudo modprobe v4l2loopback video_nr=10 card_label=realtime-bg "
    "exclusive_caps=1 (Debian, Ubuntu: first sudo apt install v4l2loopback-dkms)",
    "darwin": "install OBS Studio 30 or later and start its virtual camera once",
    "win32": "install OBS Studio and start its virtual camera once, or install UnityCapture",
}


class VirtualCameraSink(Sink):
    """A virtual camera. ``target`` is a device such as /dev/video10, or empty for the first free
    one."""

    live = takes_target = True

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        self._even = even(size)
        try:
            self._camera = pyvirtualcam.Camera(
                *self._even, fps, fmt=pyvirtualcam.PixelFormat.BGR, device=target or None
            )
        except Exception as error:  # each backend raises its own errors
            reasons = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
            remedy = REMEDIES.get(sys.platform, "see the README")
            raise SinkError(f"no virtual camera ({reasons}); {remedy}") from None
        device = self._camera.device
        self.description = f"virtual camera {device} ({self._camera.backend})"
        self._readers = readers(device)
        # Writing to a removed device is not an error everywhere, so the device file is checked.
        self._file = device if str(device).startswith("/dev/") else None
        self._made, self._looked = self._identity(), time.monotonic()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file) if self._file else None
        except OSError:
            return None
        return (found.st_ino, found.st_rdev) if found else None

    def send(self, composite: Composite) -> None:
        width, height = self._even
        now = time.monotonic()
        if self._file and now - self._looked > LOOK_SECONDS:
            self._looked = now
            if self._identity() != self._made:
                raise SinkError(f"virtual camera {self._file}: was removed")
        try:
            self._camera.send(np.ascontiguousarray(composite.image[:height, :width]))
        except Exception as error:
            raise SinkError(f"virtual camera {self._camera.device}: {error}") from None

    def has_viewers(self) -> bool | None:
        return self._readers.any()

    def close(self, complete: bool = True) -> None:
        self._readers.close()
        self._camera.close()
