"""Writes pictures to a device of v4l2loopback, which other programs then open as a webcam (Linux).

It uses ioctl and write; linux/videodev2.h defines the structures.
"""

import errno
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from realtime_bg.devices.cameras import query
from realtime_bg.frames import Image, Planes, Size

LOOPBACKS = Path("/sys/devices/virtual/video4linux")

# A struct v4l2_format is a type and a union, which is aligned like a pointer and has 200 bytes.
_UNION = 8 if sys.maxsize > 2**32 else 4
_FORMAT_BYTES = 200 + _UNION
# Width, height, FourCC, field, bytes of a line, bytes of a picture, and six more
_PIXELS = struct.Struct("=2I4s9I")
_OUTPUT, _NO_FIELDS, _BT601 = 2, 1, 1  # V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_FIELD_NONE, SMPTE170M
GET_FORMAT, SET_FORMAT = (
    3 << 30 | _FORMAT_BYTES << 16 | ord("V") << 8 | number for number in (4, 5)
)
_RATE = struct.Struct("=5I184x")  # struct v4l2_streamparm: type, two fields, seconds as a fraction
STREAM_ON = 1 << 30 | 4 << 16 | ord("V") << 8 | 18
SET_RATE = 3 << 30 | _RATE.size << 16 | ord("V") << 8 | 22


class Format(NamedTuple):
    """A format of the device: size in pixels, and FourCC. Lines are not padded."""

    size: Size
    code: str

    @property
    def length(self) -> int:
        """The bytes of a picture. The driver itself names more, in whole pages of memory."""
        return self.size[0] * self.size[1] * BITS[self.code] // 8


def devices(folder: Path = LOOPBACKS) -> list[str]:
    """The paths of the devices that are no hardware; most of them are loopbacks. None is opened,
    because opening a webcam would turn its light on."""
    names = (node.name for node in folder.glob("video*") if node.name[5:].isdigit())
    return [f"/dev/{name}" for name in sorted(names, key=lambda name: int(name[5:]))]


class LoopbackCamera:
    """A device that this program feeds. ``device`` may be empty, for the first one that is free.

    Raises OSError, whose text says what is wrong, here and in `send`.
    """

    backend = "v4l2loopback"

    def __init__(self, device: str, size: Size, fps: float) -> None:
        """``size`` is even."""
        problems = []
        for path in [device] if device else devices():
            try:
                self._handle, self.format = _opened(path, size, fps)
            except OSError as error:
                problems.append(f"{path}: {_reason(error)}")
            else:
                self.device = path
                break
        else:
            raise OSError("; ".join(problems) or "there is no device of v4l2loopback")
        self._convert = FORMATS[self.format.code]
        self._buffer = np.empty(self.format.length if self._convert else 0, np.uint8)
        self._open, self._streaming = True, False

    def send(self, planes: Planes) -> None:
        """Show a picture, I420 ``uint8 (height * width * 3 / 2,)``."""
        if self._convert is not None:
            self._convert(planes, self.format.size, self._buffer)
            planes = self._buffer
        if (written := os.write(self._handle, planes.data)) != self.format.length:
            raise OSError(f"it took {written} of {self.format.length} bytes")
        if not self._streaming:
            self._streaming = True
            _stream_on(self._handle)

    def close(self) -> None:
        """Stop feeding it. Idempotent."""
        if self._open:
            self._open = False
            os.close(self._handle)


def _opened(path: str, size: Size, fps: float) -> tuple[int, Format]:
    if not query(path)[0].virtual:
        raise OSError("it is not a device of v4l2loopback")
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        chosen = _choose_format(handle, size)
        _set_rate(handle, fps)
    except BaseException:
        os.close(handle)
        raise
    return handle, chosen


def _choose_format(handle: int, size: Size) -> Format:
    """Ask for I420, and take what the device insists on, because a program already reads it or
    its owner has fixed it, if that can be written."""
    try:
        have = _format(handle, SET_FORMAT, size)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        have = _format(handle, GET_FORMAT, size)
    if have.size != size or have.code not in FORMATS:
        width, height = have.size
        raise OSError(
            f"it is fixed to {width}x{height} in {have.code or 'no format'}; end the program that "
            f"reads or feeds it, or choose --size {width}x{height}"
        )
    return have


def _format(handle: int, request: int, size: Size) -> Format:
    import fcntl  # not there on Windows

    pixels = _PIXELS.pack(*size, b"YU12", _NO_FIELDS, 0, 0, _BT601, 0, 0, 0, 0, 0)
    head = struct.pack("=I", _OUTPUT).ljust(_UNION, b"\0")
    answer = fcntl.ioctl(handle, request, (head + pixels).ljust(_FORMAT_BYTES, b"\0"))
    width, height, code, *_ = _PIXELS.unpack_from(answer, _UNION)
    return Format((width, height), code.rstrip(b"\0 ").decode("ascii", "replace"))


def _set_rate(handle: int, fps: float) -> None:
    import fcntl

    interval = (1000, max(1, round(fps * 1000)))
    with suppress(OSError):  # readers see a rate; the pictures come as they come
        fcntl.ioctl(handle, SET_RATE, _RATE.pack(_OUTPUT, 0, 0, *interval))


def _stream_on(handle: int) -> None:
    """Tell the driver that this handle feeds the device. Otherwise versions up to 0.12 do not
    notice that it is closed, and take nobody else's pictures. It follows the first picture, because
    later versions may refuse `write` after it."""
    import fcntl

    with suppress(OSError):
        fcntl.ioctl(handle, STREAM_ON, struct.pack("=i", _OUTPUT))


def _reason(error: OSError) -> str:
    if error.errno in (errno.EBUSY, errno.EINVAL):  # older drivers then no longer are an output
        return "another program feeds it"
    return error.strerror or str(error)


def _to_nv12(planes: Planes, size: Size, out: Planes) -> None:
    luma = size[0] * size[1]
    out[:luma] = planes[:luma]
    chroma = out[luma:]
    chroma[0::2], chroma[1::2] = np.split(planes[luma:], 2)


def _to_yuyv(planes: Planes, size: Size, out: Planes) -> None:
    width, height = size
    luma, chroma = np.split(planes, [width * height])
    lines = out.reshape(height, 2 * width)
    lines[:, 0::2] = luma.reshape(height, width)
    for place, plane in zip((1, 3), chroma.reshape(2, height // 2, width // 2), strict=True):
        lines[0::2, place::4] = lines[1::2, place::4] = plane


def _to_rgb(planes: Planes, size: Size, out: Planes) -> None:
    width, height = size
    image: Image = out.reshape(height, width, 3)
    cv2.cvtColor(planes.reshape(-1, width), cv2.COLOR_YUV2RGB_I420, dst=image)


Convert = Callable[[Planes, Size, Planes], None]
FORMATS: dict[str, Convert | None] = {
    "YU12": None,
    "NV12": _to_nv12,
    "YUYV": _to_yuyv,
    "RGB3": _to_rgb,
}
BITS = {"YU12": 12, "NV12": 12, "YUYV": 16, "RGB3": 24}  # of a pixel
