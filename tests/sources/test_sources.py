"""Every source keeps the contract of `sources/base.py`, and its own promises."""

import contextlib
import gc
import http.server
import itertools
import logging
import struct
import threading
import time
import zlib
from fractions import Fraction
from itertools import islice, pairwise
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
from helpers.waiting import PATIENCE, PROMPT, until

from realtime_bg.devices.cameras import Camera
from realtime_bg.devices.pipewire_capture import Node
from realtime_bg.devices.v4l2 import Format
from realtime_bg.errors import SourceError
from realtime_bg.media.av import Timeline
from realtime_bg.settings import SourceSettings
from realtime_bg.sources import SOURCES, classify, open_source, reopening
from realtime_bg.sources import camera as camera_module
from realtime_bg.sources import pipewire as pipewire_module
from realtime_bg.sources import video as video_module
from realtime_bg.sources.camera import CameraSource
from realtime_bg.sources.image import ImageSource
from realtime_bg.sources.stream import StreamSource
from realtime_bg.sources.video import VideoSource
from realtime_bg.testing import SourceContract

SIZE = (64, 48)
NEAR = 4.5  # grey levels: writing a clip costs up to four, neighbours are ten apart
LIVE = ("camera", "pipewire", "stream")


def flat(level, size=SIZE):
    return np.full((size[1], size[0], 3), level, np.uint8)


def level(frame):
    return round(float(frame.image.mean()))


def write_clip(path, levels, rate=10, size=SIZE, codec="libx264", times=None, turn=0):
    """A clip with one picture of each grey level; ``times`` in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.bit_rate = 4_000_000
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if turn:
            stream.set_display_rotation(turn)
        if times is not None:
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, value in enumerate(levels):
            image = value if isinstance(value, np.ndarray) else flat(value, size)
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            if times is not None:
                picture.pts, picture.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


# a camera without hardware


class Device:
    """What stands behind a fake `cv2.VideoCapture`: a camera that can vanish and come back."""

    def __init__(self):
        self.size, self.fps, self.code, self.grey = SIZE, 25.0, "MJPG", 90
        self.present = True
        self.asked = []  # (property, value) in order
        self.opened = []  # (device, backend)
        self.captures = []
        self.on_read = lambda: None  # called by every read; may block like a device does

    @property
    def held(self):
        return any(not capture.released for capture in self.captures if capture.was_open)

    def capture(self, device, backend):
        self.opened.append((device, backend))
        self.captures.append(Capture(self))
        return self.captures[-1]


class Capture:
    """The part of `cv2.VideoCapture` that the camera source uses."""

    def __init__(self, device):
        self._device = device
        self.was_open = device.present
        self.released = False

    def isOpened(self):  # noqa: N802 - OpenCV's names
        return self.was_open and not self.released

    def set(self, key, value):
        assert self.isOpened()
        self._device.asked.append((key, value))
        return True

    def get(self, key):
        return {
            cv2.CAP_PROP_FPS: self._device.fps,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*self._device.code)),
        }[key]

    def getBackendName(self):  # noqa: N802
        return "V4L2"

    def read(self):
        self._device.on_read()
        if self.released or not (self.was_open and self._device.present):
            return False, None
        time.sleep(0.002)  # a camera's own pace, shortened
        return True, flat(self._device.grey, self._device.size)

    def release(self):
        self.released = True


@pytest.fixture
def device(monkeypatch):
    """/dev/video0, and nothing else."""
    fake = Device()
    monkeypatch.setattr(camera_module.cv2, "VideoCapture", fake.capture)
    monkeypatch.setattr(camera_module, "sys", SimpleNamespace(platform="linux"))
    monkeypatch.setattr(
        camera_module, "Path", lambda path: SimpleNamespace(exists=lambda: path == "/dev/video0")
    )
    monkeypatch.setattr(camera_module, "cameras", lambda: [Camera("/dev/video0", "Fake Cam")])
    monkeypatch.setattr(camera_module, "held_by", lambda path: "")
    monkeypatch.setattr(camera_module, "formats", lambda path: [])
    return fake


def open_camera(target="", **settings):
    return CameraSource(target, SourceSettings(spec=f"camera:{target}", **settings), True)


@pytest.mark.parametrize("stated", [float("nan"), float("inf"), 0.01, 0.0, -5.0, 1e9])
def test_a_rate_that_cannot_be_is_not_believed(device, stated):
    device.fps = stated
    with contextlib.closing(open_camera()) as source:
        assert source.fps == 30.0
    with contextlib.closing(open_camera(fps=15)) as source:
        assert source.fps == 15.0


def test_a_read_that_raises_is_a_device_that_went_away_for_a_moment(device):
    count = itertools.count(1)

    def sometimes():
        if next(count) % 7 == 0:
            raise cv2.error("boom")

    device.on_read = sometimes
    source = open_camera()
    source.closed = Waits()
    frames = list(itertools.islice(source, 20))
    source.close()
    assert len(frames) == 20
    assert frames[-1].epoch > 0


def test_grey_pictures_become_colour(device, monkeypatch):
    monkeypatch.setattr(
        Capture, "read", lambda self: (True, np.full((SIZE[1], SIZE[0]), 90, np.uint8))
    )
    with contextlib.closing(open_camera()) as source:
        frame = next(iter(source))
    assert frame.image.shape == (SIZE[1], SIZE[0], 3)


# a stream without a network


@pytest.fixture
def server(tmp_path):
    """A web server on this machine that sends a clip, and stalls at its end for /stall."""
    clip = write_clip(tmp_path / "sent.mkv", range(10, 250, 10), codec="mjpeg")
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path == "/missing.mkv":
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            try:
                self.wfile.write(httpd.body)
                if self.path == "/stall.mkv":
                    self.wfile.flush()
                    release.wait(PATIENCE)
            except OSError:
                pass  # the reader went away

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    httpd.address, httpd.release = f"http://127.0.0.1:{httpd.server_port}", release
    httpd.body = clip.read_bytes()
    yield httpd
    release.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


class Captured:
    """The part of `CapturedCamera` that the source uses."""

    def __init__(self, node, size, fps):
        self.fps, self.pixels, self.lost = fps, "YUY2", False

    def read(self, seconds):
        time.sleep(0.002)
        return flat(90)

    def close(self):
        self.lost = True


# the contract, for every source there is


@pytest.fixture
def spec(request, tmp_path, monkeypatch):
    """One spec of each kind; a registered source without one fails here."""

    def picture():
        cv2.imwrite(str(tmp_path / "still.png"), flat(90))
        return str(tmp_path / "still.png")

    def stream():
        monkeypatch.setattr(reopening, "PAUSES", (0.02,))
        return request.getfixturevalue("server").address + "/clip.mkv"

    def camera():
        request.getfixturevalue("device")
        return "camera"

    def of_pipewire():
        monkeypatch.setattr(pipewire_module, "pipewire_cameras", lambda: [Node("cam", "A camera")])
        monkeypatch.setattr(pipewire_module, "CapturedCamera", Captured)
        return "pipewire"

    return {
        "camera": camera,
        "demo": lambda: "demo",
        "image": picture,
        "pipewire": of_pipewire,
        "stream": stream,
        "video": lambda: str(write_clip(tmp_path / "clip.mp4", range(0, 250, 25), rate=50)),
    }[request.param]()


CASES = [(kind, paced) for kind in SOURCES for paced in (True, False) if paced or kind not in LIVE]
contract = pytest.mark.parametrize(
    ("spec", "paced"), CASES, indirect=["spec"], ids=[f"{k}-{p and 'paced'}" for k, p in CASES]
)


def opened(spec, paced, **settings):
    return open_source(SourceSettings(spec=spec, size=SIZE, loop=True, **settings), paced)


@pytest.mark.parametrize("spec", list(SOURCES), indirect=True)
class TestContract(SourceContract):
    """Of every registered source."""

    @pytest.fixture(autouse=True)
    def _given(self, spec):
        self._spec = spec

    def open(self, paced):
        return opened(self._spec, paced)


@contract
def test_frames_have_the_one_form_and_grow(spec, paced):
    source = opened(spec, paced)
    frames = list(islice(source, 6))
    source.close()
    assert source.size == SIZE
    assert source.fps > 0
    assert "\n" not in source.description
    assert f"{SIZE[0]}x{SIZE[1]}" in source.description
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    assert frames[0].index == 0
    times = [frame.time for frame in frames]
    assert all(a < b for a, b in pairwise(times))
    epochs = [frame.epoch for frame in frames]
    assert epochs == sorted(epochs)
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert frame.image.shape == (SIZE[1], SIZE[0], 3)
        assert frame.image.flags.c_contiguous


@contract
def test_live_and_paced_sources_tell_the_monotonic_clock(spec, paced):
    source = opened(spec, paced)
    before = time.monotonic()
    frames = list(islice(source, 3))
    after = time.monotonic()
    source.close()
    if paced:
        assert before <= frames[0].time <= frames[-1].time <= after
    else:
        assert frames[0].time == 0


@contract
def test_close_from_another_thread_ends_the_iterator(spec, paced):
    source, seen = opened(spec, paced), []

    def consume():
        for frame in source:
            seen[:] = [frame]

    thread = threading.Thread(target=consume, daemon=True)
    thread.start()
    until(lambda: seen)
    source.close()
    thread.join(PROMPT)
    assert not thread.is_alive()


@contract
def test_close_twice_and_before_the_first_frame(spec, paced):
    source = opened(spec, paced)
    source.close()
    source.close()
    assert len(list(islice(source, 2))) < 2


def test_what_a_spec_turns_out_to_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("clip.mp4", "clip", "photo.JPG", "photo.webp", "moving.gif"):
        (tmp_path / name).touch()
    assert classify("camera") == ("camera", "")
    assert classify("camera:3") == ("camera", "3")
    assert classify("camera:/dev/v4l/by-id/cam") == ("camera", "/dev/v4l/by-id/cam")
    assert classify("/dev/video2") == ("camera", "/dev/video2")
    assert classify("demo") == ("demo", "")
    assert classify("rtsp://host/a b") == ("stream", "rtsp://host/a b")
    assert classify("./clip.mp4") == ("video", "clip.mp4")
    assert classify("clip") == ("video", "clip")
    assert classify("photo.JPG") == ("image", "photo.JPG")
    assert classify("photo.webp") == ("image", "photo.webp")
    assert classify("moving.gif") == ("video", "moving.gif")


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("camera:front", "camera:1"),
        ("nothing.mp4", "no such file"),
        (".", "is a folder"),
        ("", "is a folder"),
    ],
)
def test_a_spec_that_cannot_be_says_so(spec, part):
    with pytest.raises(SourceError, match=part) as caught:
        classify(spec)
    assert "\n" not in str(caught.value)


# camera


def test_the_camera_is_asked_for_motion_jpeg_before_size_and_rate(device):
    open_camera(size=(1920, 1080), fps=60).close()
    asked = dict(device.asked)
    assert asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert asked[cv2.CAP_PROP_FRAME_WIDTH] == 1920
    assert asked[cv2.CAP_PROP_FRAME_HEIGHT] == 1080
    assert asked[cv2.CAP_PROP_FPS] == 60
    assert device.asked[0][0] == cv2.CAP_PROP_FOURCC  # a driver resets it with the size
    assert device.opened == [("/dev/video0", cv2.CAP_V4L2)]


HD, VGA = (1280, 720), (640, 480)
OFFERED = [
    Format("MJPG", {HD: 60.0, VGA: 60.0}),
    Format("GREY", {HD: 60.0}),
    Format("NV12", {HD: 10.0, VGA: 30.0}),
    Format("YUYV", {VGA: 30.0}),
]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({}, "MJPG"),  # NV12 reaches only 10 fps
        ({"size": VGA}, "NV12"),
        ({"size": VGA, "fps": 60}, "MJPG"),
        ({"size": HD, "fps": 10}, "NV12"),
        ({"size": (320, 240)}, "MJPG"),
    ],
)
def test_a_raw_format_is_preferred_where_it_reaches_the_rate(device, monkeypatch, settings, code):
    asked = []
    monkeypatch.setattr(camera_module, "formats", lambda path: asked.append(path) or OFFERED)
    open_camera(**settings).close()
    assert asked == ["/dev/video0"]
    assert dict(device.asked)[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*code)
    assert len(device.captures) == 1


def test_a_raw_format_that_sends_nothing_gives_way_to_motion_jpeg(device, monkeypatch):
    """As when another camera on the same hub takes the bandwidth."""
    monkeypatch.setattr(camera_module, "formats", lambda path: OFFERED)

    def read():
        if len(device.captures) == 1:
            raise cv2.error("no space left on the bus")

    device.on_read = read
    source = open_camera(size=VGA)
    first, second = device.captures
    assert (first.released, second.released) == (True, False)
    codes = [value for key, value in device.asked if key == cv2.CAP_PROP_FOURCC]
    assert codes == [cv2.VideoWriter.fourcc(*code) for code in ("NV12", "MJPG")]
    source.close()


def test_without_wishes_the_camera_is_asked_for_hd(device):
    open_camera().close()
    asked = dict(device.asked)
    assert (asked[cv2.CAP_PROP_FRAME_WIDTH], asked[cv2.CAP_PROP_FRAME_HEIGHT]) == (1280, 720)
    assert asked[cv2.CAP_PROP_FPS] == 30


def test_the_camera_reports_what_it_got_and_not_what_was_asked(device):
    device.size, device.fps, device.code = (40, 30), 15.0, "YUYV"
    source = open_camera(size=(1920, 1080), fps=60)
    assert (source.size, source.fps) == ((40, 30), 15.0)
    assert source.description == "camera /dev/video0: 40x30 at 15 fps, YUYV, V4L2"
    source.close()


def test_a_camera_that_says_neither_rate_nor_format(device):
    device.fps, device.code = 0.0, "\0\0\0\0"
    source = open_camera()
    assert source.fps == 30
    assert ", raw, " in source.description
    source.close()


def test_a_virtual_camera_is_never_picked_unasked(device, monkeypatch):
    listed = [Camera("/dev/video9", "Loop", virtual=True), Camera("/dev/video0", "Fake Cam")]
    monkeypatch.setattr(camera_module, "cameras", lambda: listed)
    open_camera().close()
    assert [name for name, _ in device.opened] == ["/dev/video0"]
    monkeypatch.setattr(camera_module, "cameras", lambda: listed[:1])
    with pytest.raises(SourceError, match=r"no camera found .*/dev/video9 \(Loop\)"):
        open_camera()


@pytest.mark.parametrize("target", ["0", "/dev/video0"])
def test_a_camera_by_number_and_by_path(device, target):
    open_camera(target).close()
    assert device.opened[0][0] == "/dev/video0"


def test_elsewhere_a_camera_is_its_number(device, monkeypatch):
    monkeypatch.setattr(camera_module, "sys", SimpleNamespace(platform="win32"))
    open_camera().close()
    open_camera("2").close()
    assert device.opened == [(0, cv2.CAP_DSHOW), (2, cv2.CAP_DSHOW)]


def test_no_camera_says_what_to_do(device, monkeypatch):
    monkeypatch.setattr(camera_module, "cameras", lambda: [])
    with pytest.raises(SourceError, match=r"no camera found.*--source demo"):
        open_camera()


@pytest.mark.parametrize("target", ["7", "/dev/video7"])
def test_a_camera_that_is_not_there_names_those_that_are(device, monkeypatch, target):
    with pytest.raises(SourceError, match=r"/dev/video7 does not exist; .*video0 \(Fake Cam\)"):
        open_camera(target)
    monkeypatch.setattr(camera_module, "cameras", lambda: [])
    with pytest.raises(SourceError, match=r"/dev/video7 does not exist; .*realtime-bg devices"):
        open_camera(target)


def test_a_busy_camera_names_who_uses_it(device, monkeypatch):
    device.present = False
    monkeypatch.setattr(camera_module, "held_by", lambda path: f"zoom (pid 12) has {path}")
    with pytest.raises(SourceError, match=r"/dev/video0 is busy: zoom \(pid 12\) has /dev/video0"):
        open_camera()


def test_a_camera_that_refuses_without_a_holder_gives_hints(device):
    device.present = False
    with pytest.raises(SourceError, match=r"cannot be opened.*group 'video'.*devices"):
        open_camera()


def test_a_camera_that_opens_and_sends_nothing_is_refused_and_released(device):
    def vanish():
        device.present = False

    device.on_read = vanish
    with pytest.raises(SourceError, match="sends no picture"):
        open_camera()
    assert not device.held


def test_a_few_empty_pictures_at_the_start_are_forgiven(device):
    empty = iter([False, False, False])

    def read():
        device.present = next(empty, True)

    device.on_read = read
    source = open_camera()
    assert source.size == SIZE
    source.close()


class Waits(threading.Event):
    """An event that records how long it is waited for, and lets no time pass."""

    def __init__(self, after=None):
        super().__init__()
        self.seconds = []
        self._after = after or (lambda count: None)

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        self._after(len(self.seconds))
        return self.is_set()


def test_a_camera_that_vanishes_is_waited_for_longer_and_longer_and_comes_back(device, caplog):
    def after(count):
        assert not device.held  # others may have it meanwhile
        device.present = count == 7

    source = open_camera()
    source.closed = Waits(after)
    frames = iter(source)
    first = list(islice(frames, 3))
    device.present = False
    device.size = (40, 30)
    back = next(frames)
    assert source.closed.seconds == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0, 2.0]
    assert {frame.epoch for frame in first} == {0}
    assert (back.epoch, back.index, back.size) == (1, 3, (40, 30))
    assert back.time > first[-1].time
    assert source.size == (40, 30)
    messages = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(messages) == 2  # once gone, once back: not one line per attempt
    assert "waiting for it" in messages[0]
    assert "is back" in messages[1]
    source.close()
    assert next(frames, None) is None
    assert not device.held


def test_every_loss_is_a_new_epoch_and_starts_with_a_short_wait(device):
    def after(count):
        device.present = True

    source = open_camera()
    source.closed = Waits(after)
    frames = iter(source)
    epochs = []
    for _ in range(3):
        epochs.append(next(frames).epoch)
        device.present = False
    assert epochs == [0, 1, 2]
    assert source.closed.seconds == [0.25, 0.25]
    source.close()


def test_the_camera_that_comes_back_is_the_same_under_any_number(device, monkeypatch):
    lists = [
        [],  # nothing at all
        [Camera("/dev/video0", "Another Cam")],  # not the one the user was seen by
        [Camera("/dev/video0", "Another Cam"), Camera("/dev/video2", "Fake Cam")],
    ]

    def after(count):
        device.present = True
        monkeypatch.setattr(camera_module, "cameras", lambda: lists[count - 1])

    source = open_camera()
    source.closed = Waits(after)
    frames = iter(source)
    next(frames)
    device.present = False
    assert next(frames).epoch == 1
    assert [name for name, _ in device.opened] == ["/dev/video0", "/dev/video2"]
    source.close()


def test_close_while_waiting_for_a_camera_ends_at_once(device, monkeypatch):
    monkeypatch.setattr(reopening, "PAUSES", (60.0,))
    source, seen = open_camera(), []
    thread = threading.Thread(target=lambda: seen.extend(source), daemon=True)
    thread.start()
    device.present = False
    until(lambda: device.captures[0].released)
    source.close()
    thread.join(PROMPT)
    assert not thread.is_alive()
    assert not device.held


def test_close_releases_the_camera(device):
    source = open_camera()
    assert device.held
    source.close()
    assert not device.held


def test_an_iterator_that_is_dropped_releases_the_camera(device):
    source = open_camera()
    frames = iter(source)
    next(frames)
    del frames
    gc.collect()
    assert not device.held
    source.close()


def test_close_releases_the_camera_under_an_iterator_that_is_kept(device):
    source = open_camera()
    frames = iter(source)
    next(frames)
    source.close()
    assert not device.held
    frames.close()


def test_close_ends_the_iterator_while_the_camera_stalls(device):
    stalls, release = threading.Event(), threading.Event()
    source, seen = open_camera(), []
    limit = dict(device.asked)[cv2.CAP_PROP_READ_TIMEOUT_MSEC] / 1000
    assert limit <= 0.5

    def read():
        stalls.set()
        release.wait(limit)

    device.on_read = read
    thread = threading.Thread(target=lambda: seen.extend(source), daemon=True)
    thread.start()
    assert stalls.wait(PATIENCE)
    source.close()
    thread.join(PROMPT)
    ended = not thread.is_alive()
    release.set()
    thread.join(PATIENCE)
    assert ended


def test_close_while_a_camera_comes_back_without_pictures_is_heard(device):
    source = open_camera()
    source.closed = Waits()
    frames, reads = iter(source), []
    next(frames)
    # It opens again but sends nothing: every read takes its whole timeout.
    device.present = False
    device.captures[0].released = True

    def read():
        if len(device.captures) > 1:
            reads.append(1)
            source.close()

    device.on_read = read
    capture = device.capture
    camera_module.cv2.VideoCapture = lambda *args: opened_mute(capture(*args))
    assert next(frames, None) is None
    assert len(reads) <= 1


def opened_mute(capture):
    capture.was_open = True
    return capture


# stream


def test_a_stream_says_what_it_is(server):
    source = StreamSource(f"{server.address}/clip.mkv", SourceSettings(), True)
    assert source.live
    assert source.size == SIZE
    assert source.fps == 10
    assert source.description == f"{server.address}/clip.mkv: 64x48, mjpeg"
    source.close()


def test_a_stream_at_another_size(server):
    source = StreamSource(f"{server.address}/clip.mkv", SourceSettings(size=(20, 20)), True)
    assert next(iter(source)).size == source.size == (20, 20)
    source.close()


def test_a_stream_that_ends_is_connected_to_again(server):
    settings = SourceSettings(spec="the-stream")
    source = StreamSource(f"{server.address}/clip.mkv", settings, True)
    source.closed = Waits()
    frames = []
    for frame in source:
        frames.append(frame)
        if frame.epoch == 2:
            source.close()
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert source.closed.seconds[:2] == [0.25, 0.25]  # no spinning


@pytest.mark.parametrize("name", ["sent.mp4", "sent.ts"])
def test_h264_with_one_key_frame_is_seen(server, tmp_path, name):
    clip = write_clip(tmp_path / name, range(10, 250, 10))
    server.body = clip.read_bytes()
    source = StreamSource(f"{server.address}/{name}", SourceSettings(), True)
    source.closed = Waits(lambda count: source.close())  # one connection is enough
    frames = list(source)
    assert len(frames) > 20


def test_a_stream_without_pictures_is_asked_less_and_less(server, tmp_path, monkeypatch):
    source = StreamSource(f"{server.address}/clip.mkv", SourceSettings(), True)
    monkeypatch.setattr(source, "_read", lambda: None)
    source.closed = Waits(lambda count: source.close() if count == 4 else None)
    assert list(source) == []
    assert source.closed.seconds == [0.25, 0.5, 1.0, 2.0]


def test_a_turned_stream_has_its_upright_size(server, tmp_path, monkeypatch):
    monkeypatch.setattr("realtime_bg.sources.stream.OPTIONS", {})
    server.body = write_clip(tmp_path / "turned.mp4", range(10, 250, 10), turn=90).read_bytes()
    source = StreamSource(f"{server.address}/turned.mp4", SourceSettings(), True)
    size = source.size
    source.close()
    assert size == SIZE[::-1]


def test_a_stream_begins_with_its_first_picture(server):
    source = StreamSource(f"{server.address}/clip.mkv", SourceSettings(), True)
    first = next(iter(source))
    source.close()
    assert level(first) == pytest.approx(10, abs=NEAR)


@pytest.mark.parametrize("reason", ["404", "refused"])
def test_a_stream_that_is_not_there_says_why(server, reason):
    address = f"{server.address}/missing.mkv"
    if reason == "refused":
        address = "http://127.0.0.1:9/clip.mkv"  # nobody listens on "discard" any more
    with pytest.raises(SourceError, match=f"cannot be read as video .*{reason}") as caught:
        StreamSource(address, SourceSettings(spec=address), True)
    assert str(caught.value).startswith(address)


def test_close_ends_the_iterator_while_a_stream_stalls(server):
    source, seen = StreamSource(f"{server.address}/stall.mkv", SourceSettings(), True), []
    thread = threading.Thread(target=lambda: seen.extend(source), daemon=True)
    thread.start()
    until(lambda: seen and level(seen[-1]) > 235)  # the last one sent
    source.close()
    thread.join(PROMPT)  # a read of the network cannot be called off, only limited
    ended = not thread.is_alive()
    server.release.set()
    thread.join(PATIENCE)
    assert ended


# video


def open_clip(path, paced=False, **settings):
    return VideoSource(str(path), SourceSettings(**settings), paced)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov", "clip.avi"])
def test_every_frame_of_a_file_comes_once_and_in_order(tmp_path, name):
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    levels = range(10, 250, 12)
    source = open_clip(write_clip(tmp_path / name, levels, rate=25, codec=codec))
    frames = list(source)
    assert [level(frame) for frame in frames] == pytest.approx(list(levels), abs=NEAR)
    assert [frame.index for frame in frames] == list(range(len(levels)))
    assert [frame.time for frame in frames] == pytest.approx(
        [number / 25 for number in range(len(levels))], abs=0.001
    )
    assert {frame.epoch for frame in frames} == {0}
    assert (source.size, source.fps, source.live) == (SIZE, 25, False)
    assert "64x48 at 25 fps" in source.description


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_the_timestamps_of_an_irregular_file_are_kept(tmp_path, name):
    times = [0, 40, 200, 1000, 1033]
    clip = write_clip(tmp_path / name, range(0, 250, 50), times=times)
    frames = list(open_clip(clip))
    assert [round(frame.time * 1000) for frame in frames] == times


def test_a_file_that_starts_later_is_told_from_zero(tmp_path):
    clip = write_clip(tmp_path / "clip.mkv", [10, 90, 170], times=[5000, 5100, 5200])
    assert [round(frame.time, 3) for frame in open_clip(clip)] == [0.0, 0.1, 0.2]


@pytest.mark.parametrize("fps", [5, 10, 30, 7])
def test_another_rate_leaves_out_or_repeats_pictures_at_the_same_speed(tmp_path, fps):
    levels = range(10, 250, 10)  # 24 pictures, 10 a second
    source = open_clip(write_clip(tmp_path / "clip.mp4", levels), fps=fps)
    frames = list(source)
    assert source.fps == fps
    assert [frame.time for frame in frames] == pytest.approx(
        [number / fps for number in range(len(frames))]
    )
    for frame in frames[:-1]:  # the one shown at that moment
        shown = levels[min(int(frame.time * 10 + 1e-6), len(levels) - 1)]
        assert level(frame) == pytest.approx(shown, abs=NEAR)
    assert abs(len(frames) - 2.4 * fps) <= fps / 10 + 1


@pytest.mark.parametrize("fps", [5, 20, 30])
def test_another_rate_keeps_the_length(tmp_path, fps):
    clip = write_clip(tmp_path / "clip.mp4", range(10, 210, 10))  # 2 seconds
    assert len(list(open_clip(clip, fps=fps))) == 2 * fps


def test_a_loop_goes_on_in_time_with_a_new_epoch(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", [10, 90, 170])
    source = open_clip(clip, loop=True)
    frames = list(islice(source, 8))
    source.close()
    assert [frame.index for frame in frames] == list(range(8))
    assert [frame.epoch for frame in frames] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(8)])
    assert [level(frame) for frame in frames[3:6]] == pytest.approx([10, 90, 170], abs=NEAR)


def test_a_loop_of_one_picture(tmp_path):
    source = open_clip(write_clip(tmp_path / "clip.mp4", [90]), loop=True)
    frames = list(islice(source, 4))
    source.close()
    assert [frame.epoch for frame in frames] == [0, 1, 2, 3]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize(("turn", "corner"), [(90, (-1, 0)), (-90, (0, -1)), (180, (-1, -1))])
def test_a_clip_of_a_turned_phone_is_upright(tmp_path, turn, corner):
    image = flat(30)
    image[:16, :16] = 220  # at the top left as stored
    clip = write_clip(tmp_path / "clip.mp4", [image] * 3, turn=turn)
    source = open_clip(clip)
    frame = next(iter(source))
    assert frame.size == source.size == (SIZE if turn == 180 else SIZE[::-1])
    places = {c: frame.image[c].mean() for c in ((0, 0), (0, -1), (-1, 0), (-1, -1))}
    assert max(places, key=places.get) == corner
    source.close()


def test_a_size_covers_and_crops(tmp_path):
    image = flat(30)
    image[:, :8] = image[:, -8:] = 220  # only what is cropped away is bright
    source = open_clip(write_clip(tmp_path / "clip.mp4", [image] * 2), size=(24, 24))
    frames = list(source)
    assert [frame.size for frame in frames] == [(24, 24)] * 2
    assert source.size == (24, 24)
    assert frames[0].image[:, 2:-2].mean() == pytest.approx(30, abs=6)


@pytest.mark.parametrize("name", ["clip.mkv", "clip.ts", "clip.avi"])
def test_a_file_that_is_cut_short_ends_cleanly(tmp_path, name):
    clip = write_clip(tmp_path / name, range(0, 250, 5), codec="mpeg4")
    whole = len(list(open_clip(clip)))
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    frames = list(open_clip(clip))
    assert 0 < len(frames) < whole
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))


def test_damage_in_the_middle_costs_few_pictures(tmp_path):
    clip = write_clip(tmp_path / "clip.ts", range(0, 250, 5), codec="mpeg2video")
    data = bytearray(clip.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    clip.write_bytes(data)
    assert 30 <= len(list(open_clip(clip))) <= 50


@pytest.mark.parametrize("data", [b"", b"no video at all\n" * 50])
def test_a_file_that_is_no_video_says_so(tmp_path, data):
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with pytest.raises(SourceError, match="cannot be read as video") as caught:
        open_clip(path)
    assert str(caught.value).startswith(str(path))


def test_a_cut_mp4_without_its_index_says_so(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", range(0, 250, 5))
    clip.write_bytes(clip.read_bytes()[:600])
    with pytest.raises(SourceError, match=str(clip)):
        open_clip(clip)


def test_a_recording_of_sound_holds_no_video(tmp_path):
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(SourceError, match="contains no video"):
        open_clip(path)


def test_a_codec_nobody_knows_is_our_error(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", [10, 90, 170])
    data = clip.read_bytes()
    assert data.count(b"avc1") >= 1
    clip.write_bytes(data.replace(b"avc1", b"zzz9"))
    with pytest.raises(SourceError, match=str(clip)):
        open_clip(clip)


class Clock:
    """Time that passes only when somebody waits or works."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def is_set(self):
        return False

    def wait(self, seconds):
        self.now += seconds
        return False

    def set(self):
        pass


@pytest.fixture
def clock(monkeypatch):
    fake = Clock()
    monkeypatch.setattr(video_module, "time", fake)
    return fake


def test_a_paced_clip_keeps_its_own_time(tmp_path, clock):
    times = [0, 40, 200, 1000, 1033]
    clip = write_clip(tmp_path / "clip.mkv", range(0, 250, 50), times=times)
    source = open_clip(clip, paced=True)
    source.closed = clock
    shown = [(frame.index, round((frame.time - 100) * 1000), clock.now) for frame in source]
    assert [(index, at) for index, at, _ in shown] == list(enumerate(times))
    assert [now for *_, now in shown] == pytest.approx([100 + at / 1000 for at in times])


def test_a_paced_clip_leaves_out_what_is_late(tmp_path, clock):
    clip = write_clip(tmp_path / "clip.mp4", range(0, 240, 8), rate=20)  # 30 pictures, 1.5 s
    source = open_clip(clip, paced=True)
    source.closed = clock
    indices = []
    for frame in source:
        indices.append(frame.index)
        assert clock.now - frame.time <= 0.1 + 1e-6
        clock.now += 0.2  # a consumer that manages five a second
    assert indices == sorted(set(indices))
    assert 6 <= len(indices) <= 9
    assert indices[-1] >= 26
    assert clock.now == pytest.approx(101.5, abs=0.25)  # the speed stays


# image


def jpeg_with_orientation(image, orientation):
    """A JPEG with an EXIF block that holds nothing but the orientation."""
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def open_image(path, paced=False, **settings):
    return ImageSource(str(path), SourceSettings(**settings), paced)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))],
)
def test_a_photograph_is_upright(tmp_path, orientation, corner):
    image = flat(30)
    image[:16, :16] = 220
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg_with_orientation(image, orientation))
    source = open_image(path)
    assert source.size == (SIZE if orientation in (1, 3) else SIZE[::-1])
    picture = next(iter(source)).image
    places = {c: picture[c].mean() for c in ((0, 0), (0, -1), (-1, 0), (-1, -1))}
    assert max(places, key=places.get) == corner


def test_a_still_picture_comes_again_and_again_at_its_rate(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), flat(90))
    source = open_image(tmp_path / "a.png", fps=4)
    frames = list(islice(source, 4))
    assert [frame.time for frame in frames] == [0, 0.25, 0.5, 0.75]
    assert all(np.array_equal(frame.image, flat(90)) for frame in frames)
    assert open_image(tmp_path / "a.png").fps == 10


@pytest.mark.parametrize(
    "image",
    [
        np.full((5, 7), 90, np.uint8),
        np.dstack([np.full((5, 7, 3), 90, np.uint8), np.full((5, 7), 255, np.uint8)]),
        np.full((5, 7, 3), 90 * 257, np.uint16),
    ],
    ids=["grey", "alpha", "16-bit"],
)
def test_every_kind_of_png_becomes_bgr(tmp_path, image):
    cv2.imwrite(str(tmp_path / "a.png"), image)
    source = open_image(tmp_path / "a.png")
    frame = next(iter(source))
    assert np.array_equal(frame.image, flat(90, (7, 5)))


@pytest.mark.parametrize("size", [None, (32, 18)])
def test_a_picture_of_one_pixel(tmp_path, size):
    cv2.imwrite(str(tmp_path / "a.png"), flat(90, (1, 1)))
    source = open_image(tmp_path / "a.png", size=size)
    frame = next(iter(source))
    assert frame.size == source.size == (size or (1, 1))
    assert level(frame) == 90


def test_a_picture_whose_name_is_not_ascii(tmp_path):
    path = tmp_path / "Größe 日本.png"
    path.write_bytes(cv2.imencode(".png", flat(90))[1].tobytes())
    assert next(iter(open_image(path))).size == SIZE


def cut_png():
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    return cv2.imencode(".png", noise)[1][:40].tobytes()


@pytest.mark.parametrize("data", [b"", b"nonsense", cut_png()])
def test_a_picture_that_cannot_be_read_says_so(tmp_path, data):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(SourceError, match="cannot be read as an image") as caught:
        open_image(path)
    assert str(caught.value).startswith(str(path))


def test_a_picture_that_is_gone_is_our_error(tmp_path):
    with pytest.raises(SourceError):
        open_image(tmp_path / "gone.png")


def test_a_picture_too_large_to_decode_is_our_error(tmp_path):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    with pytest.raises(SourceError):
        open_image(path)


def test_a_paced_picture_ends_while_it_waits(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), flat(90))
    source, seen = open_image(tmp_path / "a.png", paced=True, fps=0.01), []
    thread = threading.Thread(target=lambda: seen.extend(source), daemon=True)
    thread.start()
    until(lambda: seen or not thread.is_alive())
    source.close()
    thread.join(PROMPT)
    assert not thread.is_alive()


def test_a_picture_out_of_order_delays_no_other():
    """Its neighbours keep their times; where a clock begins anew, or is missing, steps are made."""

    def times(*given, step=40, tick=1, second=1000):
        line = Timeline(step, tick, second)
        return [line.place(at) for at in given]

    assert times(0, 40, 120, 80, 160, 200) == [0, 40, 120, 121, 160, 200]
    assert times(0, 40, None, 120) == [0, 40, 80, 120]
    assert times(5000, 5040, 0, 33, 80) == [5000, 5040, 5080, 5113, 5160]
    assert times(0, 0, 0) == [0, 1, 2]
