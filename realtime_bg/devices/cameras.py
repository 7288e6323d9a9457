"""Lists this machine's cameras and virtual cameras, and the programs that use them."""

import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

VIDIOC_QUERYCAP = 0x80685600  # linux/videodev2.h: _IOR('V', 0, struct v4l2_capability)
CAPABILITY = struct.Struct("16s32s32s3I12x")
CAN_CAPTURE, CAN_OUTPUT, HAS_DEVICE_CAPS = 0x1, 0x2, 0x80000000
PROBED = 4  # indices tried on systems without a list of cameras (Windows, macOS)


@dataclass(frozen=True, slots=True)
class Camera:
    """A video device. ``virtual``: a loopback that programs write to, not a webcam."""

    path: str
    name: str
    virtual: bool = False
    writable: bool = False


def cameras() -> list[Camera]:
    """Return the devices that deliver pictures now, in the system's order."""
    if sys.platform.startswith("linux"):
        return [camera for camera, reads in _v4l2() if reads]
    return [Camera(str(index), f"camera {index}") for index in range(PROBED) if _opens(index)]


def virtual_cameras() -> list[Camera]:
    """Return the v4l2loopback devices (Linux; elsewhere an empty list)."""
    if not sys.platform.startswith("linux"):
        return []
    return [camera for camera, _ in _v4l2() if camera.virtual]


def query(path: str) -> tuple[Camera, bool]:
    """Return what a V4L2 node is, and whether it delivers pictures now (Linux). Raises OSError."""
    import fcntl  # not available on Windows

    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(CAPABILITY.size))
    finally:
        os.close(handle)
    driver, card, _, _, all_caps, caps = CAPABILITY.unpack(answer)
    caps = caps if all_caps & HAS_DEVICE_CAPS else all_caps
    name = card.rstrip(b"\0").decode("utf-8", "replace")
    virtual = driver.rstrip(b"\0") == b"v4l2 loopback"
    return Camera(path, name, virtual, bool(caps & CAN_OUTPUT)), bool(caps & CAN_CAPTURE)


def _v4l2() -> Iterator[tuple[Camera, bool]]:
    numbers = sorted(int(p.name[5:]) for p in Path("/dev").glob("video*") if p.name[5:].isdigit())
    for number in numbers:
        with suppress(OSError):
            yield query(f"/dev/video{number}")


def _opens(index: int) -> bool:
    import cv2  # imported here, because on Linux the list needs no OpenCV

    capture = cv2.VideoCapture(index)
    try:
        return capture.isOpened()
    finally:
        capture.release()


def held_by(path: str, processes: Path = Path("/proc")) -> str:
    """Return who has the device open, as "name (pid 123)", or an empty string if no visible process
    has (Linux; elsewhere always empty)."""
    for number in holders(os.path.realpath(path), processes):
        with suppress(OSError):  # it has ended meanwhile
            return f"{(processes / str(number) / 'comm').read_text().strip()} (pid {number})"
    return ""


def holders(device: str, processes: Path = Path("/proc")) -> Iterator[int]:
    """Yield the PIDs of other visible processes that have the file ``device`` open."""
    own = os.getpid()
    for process in processes.glob("[0-9]*"):
        if int(process.name) == own:
            continue
        try:
            with os.scandir(process / "fd") as handles:
                for handle in handles:
                    with suppress(FileNotFoundError):  # closed meanwhile
                        if os.readlink(handle.path) == device:
                            yield int(process.name)
                            break
        except OSError:
            continue  # not permitted, or ended
