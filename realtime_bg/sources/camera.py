"""A webcam through OpenCV: V4L2, DirectShow or AVFoundation."""

import logging
import sys
from contextlib import suppress
from pathlib import Path

import cv2

from realtime_bg.devices.cameras import Camera, cameras, held_by
from realtime_bg.devices.v4l2 import formats
from realtime_bg.errors import SourceError
from realtime_bg.frames import Image, Size
from realtime_bg.sources.reopening import ReopeningSource
from realtime_bg.system.file_names import is_unicode

log = logging.getLogger(__name__)

DEFAULT_SIZE: Size = (1280, 720)
DEFAULT_FPS = 30.0
SLOWEST, FASTEST = 1.0, 1000.0  # frames per second that are believed
SLICE_MILLISECONDS = 300  # how long one read may wait; requests to close are noticed in between
READS = 5  # after this many reads without a picture the device counts as gone
RAW = "YUYV", "UYVY", "NV12"  # the raw formats that OpenCV converts to BGR in one pass
BACKENDS = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}


class CameraSource(ReopeningSource):
    """A webcam. ``target`` is empty for the first camera, or an index, or a device path such as
    /dev/video2."""

    _name = ""  # of the camera that was chosen because none was named

    def _connect(self) -> None:
        device = self._device()
        size, fps = self.settings.size or DEFAULT_SIZE, self.settings.fps or DEFAULT_FPS
        for code in _formats(device, size, fps):
            image = self._opened(device, code, size, fps)
            if image is not None or self.closed.is_set():
                break
            self._disconnect()
        if image is None:
            self._disconnect()
            raise SourceError(self._why_not(device))
        capture = self._capture
        self.size = image.shape[1], image.shape[0]
        stated = capture.get(cv2.CAP_PROP_FPS)  # drivers also state 0, NaN or infinity
        self.fps = stated if SLOWEST <= stated <= FASTEST else fps
        number = int(capture.get(cv2.CAP_PROP_FOURCC))
        four = bytes((number >> shift) & 0xFF for shift in (0, 8, 16, 24))
        name = four.decode("ascii", "replace") if all(32 < c < 127 for c in four) else "raw"
        self.description = (
            f"camera {device}: {self.size[0]}x{self.size[1]} at {self.fps:g} fps, {name}, "
            f"{capture.getBackendName()}"
        )

    def _opened(self, device: int | str, code: str, size: Size, fps: float) -> Image | None:
        """Open the device and return its first picture, or None if it sends none in this format.
        Raises SourceError if it cannot be opened."""
        capture = cv2.VideoCapture(device, BACKENDS.get(sys.platform, cv2.CAP_ANY))
        self._capture = capture
        if not capture.isOpened():
            raise SourceError(self._why_not(device))
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*code))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        capture.set(cv2.CAP_PROP_FPS, fps)
        # So that old pictures do not queue up in the driver
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        capture.set(cv2.CAP_PROP_READ_TIMEOUT_MSEC, SLICE_MILLISECONDS)
        return self._read()

    def _read(self) -> Image | None:
        for _ in range(READS):
            try:
                ok, image = self._capture.read()
            except cv2.error as error:  # as if the device were gone: it is opened again
                log.debug("%s: %s", self.spec, error)
                return None
            if ok and image is not None and image.size:
                return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
            if self.closed.is_set() or not self._capture.isOpened():
                break
        return None

    def _disconnect(self) -> None:
        self._capture.release()

    def _device(self) -> int | str:
        """The device for OpenCV to open. Raises SourceError if there is none."""
        if not sys.platform.startswith("linux"):
            if self.target and not self.target.isdecimal():
                raise SourceError(
                    f"camera {self.target!r}: on this system cameras have numbers; give one, "
                    "for example --source camera:1"
                )
            return int(self.target or 0)
        if self.target:
            path = self.target if self.target.startswith("/dev/") else f"/dev/video{self.target}"
            if not is_unicode(path):
                raise SourceError(
                    f"{path}: OpenCV opens no name that is not UTF-8; give its number"
                )
            if not Path(path).exists():
                raise SourceError(f"{path} does not exist; {_those_that_do()}")
            return path
        # A virtual camera is only used if it is named: it may be the one that this program feeds.
        found = [camera for camera in cameras() if not camera.virtual]
        # A camera that comes back may have another number but keeps its name.
        same = [camera for camera in found if camera.name == self._name]
        if not found or (self._name and not same):
            raise SourceError(
                f"no camera found ({_those_that_do()}); plug one in, name another with --source, "
                f"try --source pipewire for cameras of libcamera, or `realtime-bg --source demo`"
            )
        first = (same or found)[0]
        self._name = first.name
        return first.path

    def _why_not(self, device: int | str) -> str:
        holder = held_by(str(device))
        if holder:
            return f"camera {device} is busy: {holder} uses it; close that and try again"
        return (
            f"camera {device} cannot be opened or sends no pictures; it may be busy, or access may "
            f"be denied (Linux: your user must be in the group 'video'); `realtime-bg devices` "
            f"lists cameras"
        )


def _formats(device: int | str, size: Size, fps: float) -> list[str]:
    """The FourCCs of the formats to try, in this order. A raw format, which takes a fifth of the
    processor time of Motion JPEG, comes first where the camera offers it at this size and rate;
    over USB 2, raw formats reach 30 fps only at small sizes, and two cameras may not both have the
    bandwidth."""
    raw = []
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            raw = [
                each.code
                for each in formats(str(device))
                if each.code in RAW and each.sizes.get(size, 0.0) >= fps
            ]
    return [*raw[:1], "MJPG"]


def _those_that_do() -> str:
    found: list[Camera] = cameras()
    if not found:
        return "`realtime-bg devices` finds none"
    return "there is " + ", ".join(f"{camera.path} ({camera.name})" for camera in found)
