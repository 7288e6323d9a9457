"""Which cameras and virtual cameras this machine has, and which programs use them."""

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
PROBED = 4  # how many indices are tried where the system has no list (Windows, macOS)


@dataclass(frozen=True, slots=True)
class Camera:
    """A video device. ``virtual``: a loopback that programs write to, not a webcam."""

    path: str
    name: str
    virtual: bool = False
    writable: bool = False


def cameras() -> list[Camera]:
    """The devices that deliver pictures now, in the system's order."""
    if sys.platform.startswith("linux"):
        return [camera for camera, reads in _v4l2() if reads]
    return [Camera(str(index), f"camera {index}") for index in range(PROBED) if _opens(index)]


def virtual_cameras() -> list[Camera]:
    """The v4l2loopback devices a program could write to (Linux; elsewhere an empty list)."""
    if not sys.platform.startswith("linux"):
        return []
    return [camera for camera, _ in _v4l2() if camera.virtual]


def query(path: str) -> tuple[Camera, bool]:
    """What a V4L2 node is, and whether it delivers pictures now (Linux). Raises OSError."""
    import fcntl  # not there on Windows

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
    import cv2  # the list of a Linux machine needs no working OpenCV

    capture = cv2.VideoCapture(index)
    try:
        return capture.isOpened()
    finally:
        capture.release()


def held_by(path: str, processes: Path = Path("/proc")) -> str:
    """Who has the device open, as "name (pid 123)", or an empty string when nobody we may see
    has (Linux; elsewhere always empty)."""
    for number in holders(os.path.realpath(path), processes):
        with suppress(OSError):  # gone meanwhile
            return f"{(processes / str(number) / 'comm').read_text().strip()} (pid {number})"
    return ""


def holders(device: str, processes: Path = Path("/proc")) -> Iterator[int]:
    """The other processes we may look into that have the file ``device`` open, by number."""
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
            continue  # not ours to see, or gone
