"""Writing to a device of v4l2loopback, whose kernel side is played by a file and fake ioctls."""

import errno
import fcntl
import struct

import cv2
import numpy as np
import pytest

from realtime_bg.devices import cameras, loopback
from realtime_bg.devices.loopback import FORMATS, LoopbackCamera

SIZE = (64, 48)
BITS = {"YU12": 12, "NV12": 12, "YUYV": 16, "RGB3": 24}
BACK = {  # how OpenCV reads each format
    "YU12": ((72, 64), cv2.COLOR_YUV2BGR_I420),
    "NV12": ((72, 64), cv2.COLOR_YUV2BGR_NV12),
    "YUYV": ((48, 64, 2), cv2.COLOR_YUV2BGR_YUYV),
    "RGB3": ((48, 64, 3), cv2.COLOR_RGB2BGR),
}


class Driver:
    """The kernel's side of one device. ``fixed``: the format that it insists on, or None."""

    def __init__(self):
        self.fixed = None
        self.busy = self.hardware = self.old = False
        self.asked, self.rate = [], None
        self.fed = 0  # handles that the driver knows to feed it

    def ioctl(self, _handle, request, data):
        if request == cameras.VIDIOC_QUERYCAP:
            name = b"uvcvideo" if self.hardware else b"v4l2 loopback"
            return cameras.CAPABILITY.pack(name, b"card", b"bus", 0, 2, 0)
        if request == loopback.SET_RATE:
            if self.old:
                raise OSError(errno.ENOTTY, "no")
            self.rate = struct.unpack_from("=5I", data)[3:]
            return data
        if request == loopback.STREAM_ON:
            if self.old:
                raise OSError(errno.EINVAL, "no")
            assert struct.unpack("=i", data) == (2,)
            self.fed += 1
            return data
        assert len(data) == 208
        kind, width, height, code = struct.unpack_from("=I4x2I4s", data)
        assert kind == 2
        if request == loopback.SET_FORMAT:
            self.asked.append((width, height, code.decode()))
            if self.busy:
                raise OSError(errno.EBUSY, "busy")
        else:
            assert request == loopback.GET_FORMAT
        have = self.fixed or ((width, height), code.decode())
        (width, height), name = have
        length = -(-width * height * BITS.get(name, 8) // 8 // 4096) * 4096  # whole pages
        answer = bytearray(data)
        struct.pack_into("=2I4s3I", answer, 8, width, height, name.encode(), 1, 0, length)
        return bytes(answer)


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setattr(fcntl, "ioctl", driver.ioctl)
    return driver


@pytest.fixture
def device(tmp_path):
    path = tmp_path / "video10"
    path.write_bytes(b"")
    return path


def picture():
    """Two flat halves, which every format keeps."""
    image = np.empty((48, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (40, 90, 200), (200, 160, 30)
    return image


def sent(device, code):
    """The only picture in the file, BGR."""
    shape, back = BACK[code]
    return cv2.cvtColor(np.frombuffer(device.read_bytes(), np.uint8).reshape(shape), back)


@pytest.mark.parametrize("code", FORMATS)
@pytest.mark.parametrize("busy", [False, True])
def test_it_writes_what_the_device_insists_on(driver, device, code, busy):
    driver.fixed, driver.busy = (SIZE, code), busy
    camera = LoopbackCamera(str(device), SIZE, 29.97)
    assert camera.format == (SIZE, code)
    assert driver.asked == [(*SIZE, "YU12")]
    assert driver.rate == (1000, 29970)
    assert driver.fed == 0  # later drivers refuse `write` after that
    camera.send(cv2.cvtColor(picture(), cv2.COLOR_BGR2YUV_I420).reshape(-1))
    assert driver.fed == 1
    camera.close()
    camera.close()
    assert np.abs(sent(device, code).astype(int) - picture()).max() <= 4


def test_i420_is_asked_for_and_written_as_it_is(driver, device):
    driver.old = True  # it takes neither a rate nor the news that it is fed
    camera = LoopbackCamera(str(device), SIZE, 25)
    planes = np.arange(72 * 64, dtype=np.uint32).astype(np.uint8)
    camera.send(planes)
    camera.send(planes)
    assert device.read_bytes() == 2 * planes.tobytes()
    assert (camera.device, camera.backend) == (str(device), "v4l2loopback")


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        (((640, 480), "YU12"), "fixed to 640x480 in YU12; end the program .* --size 640x480"),
        ((SIZE, "MJPG"), "fixed to 64x48 in MJPG"),
        (((0, 0), "\0\0\0\0"), "fixed to 0x0 in no format"),
    ],
)
def test_a_format_that_cannot_be_written_is_named(driver, device, fixed, said):
    driver.fixed = fixed
    with pytest.raises(OSError, match=said):
        LoopbackCamera(str(device), SIZE, 25)


def test_a_webcam_is_refused(driver, device):
    driver.hardware = True
    with pytest.raises(OSError, match="video10: it is not a device of v4l2loopback"):
        LoopbackCamera(str(device), SIZE, 25)
    assert driver.asked == []


def test_a_busy_device_is_passed_over(driver, device, tmp_path, monkeypatch):
    other = tmp_path / "video2"
    other.write_bytes(b"")
    monkeypatch.setattr(loopback, "devices", lambda: [str(other), str(device)])
    plain = driver.ioctl

    def first_is_busy(handle, request, data):
        if request == loopback.GET_FORMAT or (request == loopback.SET_FORMAT and not driver.asked):
            driver.asked.append("busy")
            raise OSError(errno.EBUSY, "busy")
        return plain(handle, request, data)

    monkeypatch.setattr(fcntl, "ioctl", first_is_busy)
    assert LoopbackCamera("", SIZE, 25).device == str(device)
    driver.asked.clear()
    with pytest.raises(OSError, match=r"video10: another program feeds it"):
        LoopbackCamera(str(device), SIZE, 25)


def test_older_drivers_take_no_format_while_another_program_feeds_them(driver, device, monkeypatch):
    plain = driver.ioctl

    def no_output(handle, request, data):
        if request == loopback.SET_FORMAT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return plain(handle, request, data)

    monkeypatch.setattr(fcntl, "ioctl", no_output)
    with pytest.raises(OSError, match=r"video10: another program feeds it"):
        LoopbackCamera(str(device), SIZE, 25)


def test_without_a_device_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(loopback, "devices", list)
    with pytest.raises(OSError, match="there is no device of v4l2loopback"):
        LoopbackCamera("", SIZE, 25)
    with pytest.raises(OSError, match="absent: No such file"):
        LoopbackCamera(str(tmp_path / "absent"), SIZE, 25)


def test_a_picture_that_is_taken_in_part_is_an_error(driver, device, monkeypatch):
    camera = LoopbackCamera(str(device), SIZE, 25)
    monkeypatch.setattr(loopback.os, "write", lambda _handle, data: len(data) // 2)
    with pytest.raises(OSError, match="took 2304 of 4608 bytes"):
        camera.send(np.zeros(4608, np.uint8))
    camera.close()


def test_devices_are_listed_in_the_order_of_their_numbers(tmp_path):
    for name in ("video10", "video2", "media0", "videoX"):
        (tmp_path / name).mkdir()
    assert loopback.devices(tmp_path) == ["/dev/video2", "/dev/video10"]
