"""The cameras that other programs see: in PipeWire, of a driver, and both."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite
from realtime_bg.sinks import driver_camera, open_sink, virtualcam
from realtime_bg.sinks.pipewire import PipeWireSink
from realtime_bg.sinks.virtualcam import PAUSES, VirtualCameraSink

SIZE = (64, 48)


def flat(colour, size=SIZE):
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = colour
    return image


def composite(index=0, colour=90, size=SIZE):
    return Composite(flat(colour, size), index, index / 25)


def near(image, colour):
    """Whether all of it has a colour, as far as I420 keeps it."""
    return np.abs(image.astype(int) - colour).max() <= 4


@pytest.fixture
def clock(monkeypatch):
    """The time of the retries."""
    now = SimpleNamespace(at=100.0)
    monkeypatch.setattr(virtualcam.time, "monotonic", lambda: now.at)
    return now


# of a driver


def test_the_driver_gets_the_pictures_as_i420(cameras):
    sink = VirtualCameraSink("", SIZE, 25)
    sink.send(composite(colour=(10, 120, 230)))
    assert cameras[0].fps == 25
    assert near(cameras[0].sent[0], (10, 120, 230))
    assert sink.description.startswith("virtual camera /dev/video10 (v4l2loopback; for programs")
    sink.close()
    assert cameras[0].closed >= 1


def test_the_virtual_camera_is_the_one_that_was_named(cameras, published):
    sink = open_sink("virtualcam:/dev/video11", SIZE, 25)
    assert [camera.device for camera in cameras] == ["/dev/video11"]
    assert "/dev/video11" in sink.description
    assert published == []
    sink.close()


@pytest.mark.parametrize("spec", ["virtualcam", "virtualcam:/dev/video10", "pipewire"])
def test_odd_sides_lose_a_line(cameras, published, spec):
    sink = open_sink(spec, (33, 17), 25)
    sink.send(composite(size=(33, 17)))
    assert {camera.size for camera in (*cameras, *published)} == {(32, 16)}
    assert all(len(camera.sent) == 1 for camera in (*cameras, *published))
    sink.close()


@pytest.mark.parametrize(
    ("platform", "remedy"),
    [
        ("linux", "sudo modprobe v4l2loopback"),
        ("darwin", "OBS"),
        ("win32", "UnityCapture"),
        ("plan9", "README"),
    ],
)
def test_without_a_device_the_remedy_is_named_on_one_line(cameras, monkeypatch, platform, remedy):
    def refuse(*_args, **_kwargs):
        raise RuntimeError("'v4l2loopback' backend: no device\n\n  'obs' backend: not found\n")

    monkeypatch.setattr(driver_camera, "open_driver", refuse)
    monkeypatch.setattr(driver_camera, "devices", list)
    for module in (driver_camera, virtualcam):
        monkeypatch.setattr(module, "sys", SimpleNamespace(platform=platform))
    with pytest.raises(SinkError) as caught:
        open_sink("virtualcam", SIZE, 25)
    message = str(caught.value)
    assert "\n" not in message
    assert "'v4l2loopback' backend: no device; 'obs' backend: not found" in message
    assert remedy in message
    assert ("PipeWire" in message) is (platform == "linux")


def test_elsewhere_the_driver_is_the_one_of_pyvirtualcam(monkeypatch):
    opened = []
    library = ModuleType("pyvirtualcam")
    library.PixelFormat = SimpleNamespace(I420="I420")
    library.Camera = lambda *size, **options: opened.append((*size, options)) or "camera"
    monkeypatch.setitem(sys.modules, "pyvirtualcam", library)
    monkeypatch.setattr(driver_camera, "sys", SimpleNamespace(platform="win32"))
    assert driver_camera.open_driver("", (64, 48), 25) == "camera"
    assert opened == [(64, 48, 25, {"fmt": "I420", "device": None})]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks v4l2loopback")
def test_a_device_that_cannot_be_used_needs_no_module_to_be_loaded(monkeypatch):
    monkeypatch.setattr(driver_camera, "devices", lambda: ["/dev/video10"])
    with pytest.raises(SinkError, match=r"not-there: No such file[^;]*$"):
        open_sink("virtualcam:/dev/video-that-is-not-there", SIZE, 25)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks v4l2loopback")
def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(driver_camera, "devices", list)
    with pytest.raises(SinkError, match=r"no virtual camera .*not-there: No such file.*modprobe"):
        open_sink("virtualcam:/dev/video-that-is-not-there", SIZE, 25)


def test_a_virtual_camera_that_fails_is_named(cameras):
    sink = VirtualCameraSink("", SIZE, 25)

    def broken(_image):
        raise RuntimeError("device gone")

    cameras[0].send = broken
    with pytest.raises(SinkError, match="/dev/video10: device gone"):
        sink.send(composite())
    sink.close()


# in PipeWire


def test_pipewire_gets_the_pictures(published):
    sink = open_sink("pipewire", SIZE, 25)
    (camera,) = published
    assert (camera.name, camera.size, camera.fps) == ("realtime-bg", SIZE, 25)
    sink.send(composite(colour=(10, 120, 230)))
    assert near(camera.sent[0], (10, 120, 230))
    assert sink.description.startswith("PipeWire camera realtime-bg (for browsers")
    sink.close()
    assert camera.closed >= 1


def test_the_camera_in_pipewire_has_the_name_that_was_given(published):
    open_sink("pipewire:Desk camera", SIZE, 25).close()
    assert published[0].name == "Desk camera"


def test_nothing_is_converted_while_nobody_reads(published, monkeypatch):
    sink = PipeWireSink("", SIZE, 25)
    published[0].has_readers = False
    monkeypatch.setattr("realtime_bg.sinks.cameras.to_planes", None)
    sink.send(composite())
    assert not sink.has_viewers()
    published[0].has_readers = True
    assert sink.has_viewers()


def test_a_pipewire_that_has_ended_is_an_error_even_if_nobody_reads(published):
    sink = PipeWireSink("", SIZE, 25)
    published[0].has_readers, published[0].lost = False, True
    with pytest.raises(SinkError, match="PipeWire has ended; start it: systemctl --user start"):
        sink.send(composite())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("none answers"), "none answers.*systemctl --user start pipewire"),
        (OSError("libpipewire-0.3.so.0: cannot open"), "libpipewire.*sudo apt install pipewire"),
    ],
)
def test_without_pipewire_the_remedy_is_named_on_one_line(published, monkeypatch, error, said):
    monkeypatch.setattr("realtime_bg.sinks.pipewire.PublishedCamera.error", error)
    with pytest.raises(SinkError, match=said) as caught:
        open_sink("pipewire", SIZE, 25)
    assert "\n" not in str(caught.value)


# both


def test_both_get_the_same_picture_converted_once(cameras, published, monkeypatch):
    converted = []
    convert = virtualcam.CameraSink.send.__globals__["to_planes"]
    monkeypatch.setattr(
        "realtime_bg.sinks.cameras.to_planes",
        lambda *arguments: converted.append(1) or convert(*arguments),
    )
    sink = open_sink("virtualcam", SIZE, 25)
    sink.send(composite(colour=(10, 120, 230)))
    assert converted == [1]
    for camera in (*cameras, *published):
        assert near(camera.sent[0], (10, 120, 230))
    for name in ("PipeWire camera realtime-bg", ") and virtual camera /dev/video10 (v4l2loopback;"):
        assert name in sink.description
    sink.close()
    assert all(camera.closed for camera in (*cameras, *published))


@pytest.mark.parametrize(
    ("in_pipewire", "of_driver", "expected"),
    [
        (True, False, True),
        (False, True, True),
        (False, False, False),
        (False, None, None),
        (True, None, True),
    ],
)
def test_a_viewer_of_either_counts(
    cameras, published, monkeypatch, in_pipewire, of_driver, expected
):
    monkeypatch.setattr(
        driver_camera, "readers", lambda _: SimpleNamespace(any=lambda: of_driver, close=str)
    )
    sink = open_sink("virtualcam", SIZE, 25)
    published[0].has_readers = in_pipewire
    assert sink.has_viewers() is expected


def test_without_v4l2loopback_no_device_is_touched(cameras, published, monkeypatch):
    monkeypatch.setattr(virtualcam, "devices", list)
    sink = open_sink("virtualcam", SIZE, 25)
    sink.send(composite())
    assert cameras == []
    assert len(published[0].sent) == 1
    published[0].has_readers = False
    monkeypatch.setattr("realtime_bg.sinks.cameras.to_planes", None)
    sink.send(composite())  # and nothing is converted for a camera that is not there


def test_one_that_fails_harms_the_other_not_and_is_tried_again(cameras, published, clock, caplog):
    sink = open_sink("virtualcam", SIZE, 25)
    published[0].lost = True
    sink.send(composite())
    assert published[0].closed == 1
    assert len(cameras[0].sent) == 1
    assert sink.description.startswith("virtual camera /dev/video10 (v4l2loopback; for programs")
    clock.at += PAUSES[0] - 0.01
    sink.send(composite())
    assert len(published) == 1
    clock.at += 0.02
    sink.send(composite())
    assert len(published[1].sent) == 1
    assert len(cameras[0].sent) == 3
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "PipeWire has ended" in caplog.messages[0]
    assert caplog.messages[1].endswith(" is back")


def test_what_is_missing_is_looked_for_less_and_less_often(cameras, clock, caplog):
    """Here PipeWire, of which nothing is said at the usual log level."""
    caplog.set_level("INFO")
    sink = open_sink("virtualcam", SIZE, 25)
    tries = []

    def open_again():
        tries.append(clock.at)
        raise SinkError("none answers")

    sink._parts[0]._open = open_again
    for _ in range(1000):
        clock.at += 0.1
        sink.send(composite())
    waited = np.diff([100.0, *tries])
    np.testing.assert_allclose(waited, [1, 2, 5, 10, 30, 30], atol=0.2)
    assert caplog.messages == []


def test_when_none_is_left_it_is_an_error(cameras, published, monkeypatch):
    sink = open_sink("virtualcam", SIZE, 25)
    published[0].lost = True

    def broken(_planes):
        raise RuntimeError("device gone")

    cameras[0].send = broken
    with pytest.raises(SinkError, match=r"PipeWire has ended.*device gone"):
        sink.send(composite())
