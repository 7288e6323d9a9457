"""A camera of a driver: v4l2loopback on Linux, OBS or UnityCapture elsewhere."""

import os
import sys
import time
from typing import Protocol

from realtime_bg.devices.cameras import held_by
from realtime_bg.devices.loopback import LoopbackCamera, devices
from realtime_bg.devices.readers import readers
from realtime_bg.errors import SinkError
from realtime_bg.frames import Planes, Size
from realtime_bg.sinks.cameras import REMEDIES, CameraSink

LOOK_SECONDS = 1.0  # between checks whether the device still exists


class DriverCamera(Protocol):
    """A camera of one of the drivers."""

    device: str
    backend: str

    def send(self, planes: Planes) -> None:
        """Show a picture, I420 ``uint8 (height * width * 3 / 2,)``."""

    def close(self) -> None:
        """Stop feeding it."""


def open_driver(target: str, size: Size, fps: float) -> DriverCamera:
    """Open ``target``, or the first free camera if it is empty. Raises an error of the driver."""
    if sys.platform.startswith("linux"):
        return LoopbackCamera(target, size, fps)
    import pyvirtualcam  # GPL-2; not needed on Linux

    camera: DriverCamera = pyvirtualcam.Camera(
        *size, fps, fmt=pyvirtualcam.PixelFormat.I420, device=target or None
    )
    return camera


class DriverCameraSink(CameraSink):
    """``target`` is a device such as /dev/video10, or empty for the first free one."""

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        try:
            self._camera = open_driver(target, self.even, fps)
        except Exception as error:  # each driver raises its own errors
            reasons = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
            if devices():  # one of them is there, and the reasons say why it does not do
                raise SinkError(f"no virtual camera ({reasons})") from None
            remedy = REMEDIES.get(sys.platform, "see the README")
            raise SinkError(f"no virtual camera ({reasons}); {remedy}") from None
        device = self._camera.device
        self._readers = readers(device)
        # Writing to a removed device is not an error everywhere, so the device file is checked.
        self._file = device if str(device).startswith("/dev/") else None
        self._made, self._looked = self._identity(), time.monotonic()

    @property
    def description(self) -> str:
        device, backend = self._camera.device, self._camera.backend
        return f"virtual camera {device} ({backend}; for programs that open a driver's camera)"

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file) if self._file else None
        except OSError:
            return None
        return (found.st_ino, found.st_rdev) if found else None

    def hand_over(self, planes: Planes) -> None:
        now = time.monotonic()
        if self._file and now - self._looked > LOOK_SECONDS:
            self._looked = now
            if self._identity() != self._made:
                raise SinkError(f"virtual camera {self._file}: was removed")
        try:
            self._camera.send(planes.reshape(-1))
        except Exception as error:
            raise SinkError(f"virtual camera {self._camera.device}: {error}") from None

    def viewers(self) -> list[str]:
        return [name.partition(" (")[0]] if (name := held_by(self._camera.device)) else []

    def has_viewers(self) -> bool | None:
        return self._readers.any()

    def close(self, complete: bool = True) -> None:
        self._readers.close()
        self._camera.close()
