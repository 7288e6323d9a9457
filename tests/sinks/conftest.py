"""Cameras for other programs, without a driver and without PipeWire."""

from functools import partial

import cv2
import numpy as np
import pytest

from realtime_bg.devices.loopback import devices
from realtime_bg.sinks import driver_camera, pipewire, virtualcam


class FakeDriver:
    """The part of `LoopbackCamera` that the sink uses, as strict as the real one."""

    made: list = []  # noqa: RUF012 - a new list for every test

    def __init__(self, device, size, fps):
        self.size, self.fps = size, fps
        self.device, self.backend = device or "/dev/video10", "v4l2loopback"
        self.sent, self.closed = [], 0
        FakeDriver.made.append(self)

    def send(self, planes):
        width, height = self.size
        assert planes.shape == (width * height * 3 // 2,)
        assert planes.dtype == np.uint8
        assert planes.flags.c_contiguous
        self.sent.append(seen(planes, self.size))

    def close(self):
        self.closed += 1


class FakePublished:
    """The part of `PublishedCamera` that the sink uses."""

    made: list = []  # noqa: RUF012
    error: Exception | None = None  # raised by the constructor

    def __init__(self, name, size, fps):
        if FakePublished.error is not None:
            raise FakePublished.error
        self.name, self.size, self.fps = name, size, fps
        self.has_readers, self.lost = True, False
        self.sent, self.closed = [], 0
        FakePublished.made.append(self)

    def hand_over(self, planes):
        assert planes.shape == (self.size[1] * 3 // 2, self.size[0])
        self.sent.append(seen(planes, self.size))

    def close(self):
        self.closed += 1


def seen(planes, size):
    """What a reader of I420 sees, BGR."""
    shaped = planes.reshape(size[1] * 3 // 2, size[0])
    return cv2.cvtColor(shaped, cv2.COLOR_YUV2BGR_I420)


@pytest.fixture
def cameras(monkeypatch, tmp_path_factory):
    """Those made with v4l2loopback, which is loaded; there is no PipeWire."""
    folder = tmp_path_factory.mktemp("video4linux")
    (folder / "video10").mkdir()
    monkeypatch.setattr(virtualcam, "devices", partial(devices, folder))
    monkeypatch.setattr(driver_camera, "LoopbackCamera", FakeDriver)
    monkeypatch.setattr(pipewire, "PublishedCamera", FakePublished)
    monkeypatch.setattr(FakeDriver, "made", [])
    monkeypatch.setattr(FakePublished, "made", [])
    monkeypatch.setattr(FakePublished, "error", ConnectionError("none answers"))
    return FakeDriver.made


@pytest.fixture
def published(cameras, monkeypatch):
    """Those made in PipeWire, which is there beside v4l2loopback."""
    monkeypatch.setattr(FakePublished, "error", None)
    return FakePublished.made
