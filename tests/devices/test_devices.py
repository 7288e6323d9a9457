"""Which cameras there are, from what the kernel says; and who holds one."""

import errno
import os
import pathlib
import struct
import subprocess
import sys
from types import SimpleNamespace

import pytest

from realtime_bg.devices import cameras as devices
from realtime_bg.devices.cameras import Camera

CAPTURE, OUTPUT, STREAMING, HAS_DEVICE_CAPS = 0x1, 0x2, 0x04000000, 0x80000000
HOLD = "import sys; f = open(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"


def capability(driver, card, all_caps, caps=0):
    """struct v4l2_capability of linux/videodev2.h, written out: 104 bytes."""
    text = struct.pack("16s32s32s", driver.encode(), card, b"usb-0000:00:14.0-1")
    return text + struct.pack("=III", 0x060100, all_caps, caps) + bytes(12)


@pytest.fixture
def kernel(monkeypatch):
    """Fill /dev with devices: name -> answer to QUERYCAP, or the error of open or ioctl."""
    pytest.importorskip("fcntl")

    def install(answers, unopenable=()):
        opened = {}

        def fake_open(path, flags):
            assert flags == os.O_RDWR | os.O_NONBLOCK
            if path in unopenable:
                raise PermissionError(errno.EACCES, "Permission denied")
            handle = 1000 + len(opened)
            opened[handle] = path
            return handle

        def fake_ioctl(handle, request, buffer):
            assert request == 0x80685600
            assert len(buffer) == 104
            answer = answers[opened[handle]]
            if isinstance(answer, OSError):
                raise answer
            return answer

        closed = []
        names = [pathlib.Path(path) for path in (*answers, *unopenable)]
        dev = SimpleNamespace(glob=lambda pattern: [p for p in names if p.match(pattern)])
        monkeypatch.setattr(devices, "Path", {"/dev": dev}.__getitem__)
        system = SimpleNamespace(
            open=fake_open, close=closed.append, O_RDWR=os.O_RDWR, O_NONBLOCK=os.O_NONBLOCK
        )
        monkeypatch.setattr(devices, "os", system)
        monkeypatch.setattr("fcntl.ioctl", fake_ioctl)
        monkeypatch.setattr(devices, "sys", SimpleNamespace(platform="linux"))
        return lambda: sorted(opened) == sorted(closed)

    return install


def test_a_machine_without_cameras_has_an_empty_list(kernel):
    kernel({})
    assert devices.cameras() == []
    assert devices.virtual_cameras() == []


def test_this_machine_answers():
    for camera in devices.cameras() + devices.virtual_cameras():
        assert camera.path
        assert isinstance(camera.name, str)


def test_a_webcam_is_its_capture_device_and_not_its_metadata_node(kernel):
    both = HAS_DEVICE_CAPS | CAPTURE | STREAMING
    all_closed = kernel(
        {
            "/dev/video1": capability("uvcvideo", b"HD Cam", both, 0x00A00000 | STREAMING),
            "/dev/video0": capability("uvcvideo", b"HD Cam", both, CAPTURE | STREAMING),
        }
    )
    assert devices.cameras() == [Camera("/dev/video0", "HD Cam")]
    assert all_closed()


def test_old_drivers_without_device_capabilities(kernel):
    kernel({"/dev/video0": capability("old", b"Old Cam", CAPTURE)})
    assert [camera.name for camera in devices.cameras()] == ["Old Cam"]


def test_devices_come_in_the_order_of_their_numbers(kernel):
    answer = capability("uvcvideo", b"Cam", CAPTURE)
    kernel({f"/dev/video{number}": answer for number in (10, 2, 0)} | {"/dev/video-x": answer})
    assert [camera.path for camera in devices.cameras()] == [
        "/dev/video0",
        "/dev/video2",
        "/dev/video10",
    ]


def test_a_loopback_is_virtual_and_may_be_written_or_read(kernel):
    free = capability("v4l2 loopback", b"Dummy", HAS_DEVICE_CAPS, OUTPUT)
    fed = capability("v4l2 loopback", b"Meeting", HAS_DEVICE_CAPS, CAPTURE)
    kernel({"/dev/video10": free, "/dev/video11": fed})
    assert devices.cameras() == [Camera("/dev/video11", "Meeting", virtual=True)]
    assert devices.virtual_cameras() == [
        Camera("/dev/video10", "Dummy", virtual=True, writable=True),
        Camera("/dev/video11", "Meeting", virtual=True),
    ]


def test_names_that_are_full_or_broken(kernel):
    kernel(
        {
            "/dev/video0": capability("uvcvideo", b"x" * 32, CAPTURE),
            "/dev/video1": capability("uvcvideo", b"Cam \xff", CAPTURE),
        }
    )
    names = [camera.name for camera in devices.cameras()]
    assert names == ["x" * 32, "Cam \ufffd"]


def test_a_device_that_cannot_be_asked_is_left_out_and_closed(kernel):
    all_closed = kernel(
        {
            "/dev/video0": OSError(errno.ENOTTY, "Inappropriate ioctl"),
            "/dev/video1": capability("uvcvideo", b"Cam", CAPTURE),
        },
        unopenable=["/dev/video2"],
    )
    assert [camera.path for camera in devices.cameras()] == ["/dev/video1"]
    assert all_closed()


def test_elsewhere_a_few_indices_are_tried_and_released(monkeypatch):
    released = []

    class Capture:
        def __init__(self, index):
            self.index = index

        def isOpened(self):  # noqa: N802 - OpenCV's name
            return self.index == 1

        def release(self):
            released.append(self.index)

    monkeypatch.setattr(devices, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr("cv2.VideoCapture", Capture)
    assert devices.cameras() == [Camera("1", "camera 1")]
    assert released == [0, 1, 2, 3]
    assert devices.virtual_cameras() == []


# who holds it

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def holder(tmp_path):
    """Another process that has a file open, and the file."""
    path = tmp_path / "device"
    path.touch()
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield path, process
        process.stdin.close()
        process.wait(60)


@on_linux
def test_the_holder_is_named(holder):
    path, process = holder
    name = pathlib.Path(f"/proc/{process.pid}/comm").read_text().strip()
    assert devices.held_by(str(path)) == f"{name} (pid {process.pid})"
    process.stdin.close()
    process.wait(60)
    assert devices.held_by(str(path)) == ""


@on_linux
def test_this_process_is_no_holder(tmp_path):
    path = tmp_path / "own"
    with path.open("w"):
        assert devices.held_by(str(path)) == ""


def test_nobody_holds_what_is_not_there(tmp_path):
    assert devices.held_by(str(tmp_path / "nothing")) == ""


@on_linux
def test_the_holder_is_found_behind_a_link(holder, tmp_path):
    path, process = holder
    link = tmp_path / "by-id"
    link.symlink_to(path)
    assert f"(pid {process.pid})" in devices.held_by(str(link))


@on_linux
def test_a_process_that_ends_meanwhile_is_left_out(tmp_path, monkeypatch):
    parent = f"/proc/{os.getppid()}/fd"
    scandir = os.scandir

    def gone(path="."):
        if str(path) == parent:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", parent)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone)
    assert devices.held_by(str(tmp_path / "nothing")) == ""
