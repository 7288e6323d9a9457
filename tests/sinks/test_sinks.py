"""Every sink keeps the contract of `sinks/base.py`, and its own promises."""

import errno
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite
from realtime_bg.sinks import SINKS, classify, open_sink
from realtime_bg.sinks.image import save_png
from realtime_bg.sinks.video import VideoSink
from realtime_bg.sinks.web import Channel
from realtime_bg.testing import SinkContract

SIZE = (64, 48)
SUFFIXES = (".mp4", ".mkv", ".mov", ".webm")


def flat(colour, size=SIZE):
    return np.full((size[1], size[0], 3), colour, np.uint8)


def composite(index=0, at=None, colour=90, size=SIZE):
    return Composite(flat(colour, size), index, index / 10 if at is None else at)


def read(path):
    """The pictures of a video file with their times in seconds, and its duration."""
    with av.open(str(path)) as container:
        pictures = list(container.decode(video=0))
        duration = container.duration / av.time_base
    return [p.to_ndarray(format="bgr24") for p in pictures], [p.time for p in pictures], duration


def write(path, times, colours=None, size=SIZE, fps=10):
    sink = VideoSink(str(path), size, fps)
    for index, at in enumerate(times):
        sink.send(composite(index, at, colours[index] if colours else 90, size))
    sink.close()
    return path


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def opened(spec, size, fps):
    """A sink by its spec; ``web`` is the one that a server gives to its pipeline itself."""
    return Channel().sink(size, fps) if spec == "web" else open_sink(spec, size, fps)


# the contract, for every sink that runs without a display

ELSEWHERE = {"window", "pipe"}  # tests/live/test_window.py, test_cutouts.py
SPECS = {
    "null": ["null"],
    "video": [f"out{suffix}" for suffix in SUFFIXES],
    "rgba": ["rgba:me.mov", "rgba:me.webm", "rgba:me.mkv"],
    "matte": ["matte:me.mp4", "matte:me.webm"],
    "virtualcam": ["virtualcam", "virtualcam:/dev/video11"],
    "pipewire": ["pipewire", "pipewire:My camera"],
    "web": ["web"],
}
contract = pytest.mark.parametrize("spec", [spec for specs in SPECS.values() for spec in specs])


def test_every_registered_sink_is_tested():
    assert set(SPECS) | ELSEWHERE == set(SINKS) | {"web"}


class TestContract(SinkContract):
    """Of every registered sink that runs without a display."""

    @pytest.fixture(autouse=True, params=[spec for specs in SPECS.values() for spec in specs])
    def _given(self, request, tmp_path, monkeypatch, published):
        monkeypatch.chdir(tmp_path)
        self._spec = request.param

    def open(self, size, fps):
        return opened(self._spec, size, fps)


@contract
def test_a_sink_that_got_nothing_closes_and_leaves_nothing(spec, tmp_path, monkeypatch, published):
    monkeypatch.chdir(tmp_path)
    sink = opened(spec, SIZE, 10)
    sink.close()
    sink.close()
    assert files(tmp_path) == []


@contract
def test_a_sink_shows_the_picture_for_the_world_and_not_the_preview(
    spec, tmp_path, monkeypatch, cameras, published
):
    monkeypatch.chdir(tmp_path)
    channel = Channel()
    sink = channel.sink(SIZE, 10) if spec == "web" else opened(spec, SIZE, 10)
    for index in range(3):
        sink.send(Composite(flat(40), index, index / 10, preview=flat(220)))
    seen = channel.jpeg(0, 0)
    sink.close()
    shown = [flat(40)]  # `null` shows nothing
    if cameras or published:
        shown = [image for camera in (*cameras, *published) for image in camera.sent]
    elif seen is not None:
        shown = [cv2.imdecode(np.frombuffer(seen[1], np.uint8), cv2.IMREAD_COLOR)]
    elif spec.startswith(("rgba:", "matte:")):
        shown = [flat(40)]  # nobody is in it: see test_cutouts.py
    elif spec != "null":
        shown = read(spec)[0]
    assert all(abs(image.mean() - 40) < 6 for image in shown)


def test_what_a_spec_turns_out_to_be(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert classify("window") == ("window", "")
    assert classify("null") == ("null", "")
    assert classify("virtualcam") == ("virtualcam", "")
    assert classify("virtualcam:/dev/video10") == ("virtualcam", "/dev/video10")
    assert classify("a/B.MP4") == ("video", str(Path("a/B.MP4")))
    assert classify("~/a.webm") == ("video", str(Path("/home/me/a.webm")))


@pytest.mark.parametrize("spec", ["out.xyz", "out", "", "virtualcam:", "null:1", "out.avi"])
def test_a_spec_that_cannot_be_lists_the_choices(spec):
    with pytest.raises(SinkError, match=r"choose window, .*virtualcam.*null.*\.mp4.*\.webm"):
        classify(spec)


# web


def test_a_browser_gets_each_picture_once_and_none_after_the_end():
    channel = Channel()
    sink = channel.sink(SIZE, 10)
    assert channel.jpeg(0, 0) is None
    sink.send(composite(colour=40))
    number, jpeg = channel.jpeg(0, 0)
    assert channel.jpeg(0, 0)[1] is jpeg  # the second viewer's is not encoded again
    assert channel.jpeg(number, 0) is None
    sink.send(composite(1, colour=200))
    later, jpeg = channel.jpeg(number, 0)
    assert later > number
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1).mean() == pytest.approx(200, abs=6)
    sink.close()
    assert channel.jpeg(0, 0) is None
    assert channel.newest is None


# video


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_file_has_its_name_only_when_it_is_complete(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    sink = VideoSink(str(path), SIZE, 10)
    assert not path.exists()
    for index in range(40):
        sink.send(composite(index))
    assert not path.exists()
    assert all(".part" in name for name in files(tmp_path))
    sink.close()
    assert files(tmp_path) == [path.name]
    images, times, duration = read(path)
    assert len(images) == 40
    assert {image.shape for image in images} == {(SIZE[1], SIZE[0], 3)}
    assert times == pytest.approx([index / 10 for index in range(40)], abs=0.001)
    assert duration == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_picture_keeps_its_own_time(tmp_path, suffix):
    times = [1000.0, 1000.04, 1000.2, 1001.0, 1001.033, 1001.5]
    path = write(tmp_path / f"out{suffix}", times)
    assert read(path)[1] == pytest.approx([at - 1000 for at in times], abs=0.001)


def test_times_that_stand_still_or_go_back_lose_no_picture(tmp_path):
    path = write(tmp_path / "out.mp4", [5.0, 5.1, 5.1, 5.05, 5.2])
    _, times, _ = read(path)
    assert len(times) == 5
    assert all(a < b for a, b in pairwise(times))
    assert times[-1] == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize("fps", [10, 29.97, 30000 / 1001, 1000, 0.5])
def test_any_frame_rate_can_be_written(tmp_path, fps):
    times = [number / fps for number in range(5)]
    path = write(tmp_path / "out.mp4", times, fps=fps)
    assert read(path)[1] == pytest.approx(times, abs=0.001)


COLOURS = [(0, 0, 0), (255, 255, 255), (40, 90, 200), (200, 90, 40), (0, 255, 0), (128, 128, 128)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colours_survive(tmp_path, suffix):
    times = [number / 10 for number in range(len(COLOURS))]
    images, _, _ = read(write(tmp_path / f"out{suffix}", times, COLOURS))
    for image, colour in zip(images, COLOURS, strict=True):
        assert image[10:-10, 10:-10].mean((0, 1)) == pytest.approx(colour, abs=6)


def test_colours_survive_within_rounding(tmp_path):
    times = [number / 10 for number in range(len(COLOURS))]
    images, _, _ = read(write(tmp_path / "out.mp4", times, COLOURS))
    worst = max(
        np.abs(image[10:-10, 10:-10].mean((0, 1)) - colour).max()
        for image, colour in zip(images, COLOURS, strict=True)
    )
    assert worst <= 3


def test_the_file_says_which_colours_it_means(tmp_path):
    with av.open(str(write(tmp_path / "out.mp4", [0.0, 0.1]))) as container:
        context = container.streams.video[0].codec_context
        assert context.colorspace == 1  # BT.709
        assert context.color_range == 1  # studio range
        assert context.pix_fmt == "yuv420p"  # what every player shows


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("size", [(33, 17), (64, 17), (2, 2), (1, 1), (1, 30), (30, 1), (16, 2)])
def test_any_size_can_be_written(tmp_path, suffix, size):
    path = write(tmp_path / f"out{suffix}", [0.0, 0.1, 0.2], size=size)
    images, _, _ = read(path)
    even = tuple(max(2, side // 2 * 2) for side in size)
    assert [image.shape for image in images] == [(even[1], even[0], 3)] * 3
    assert images[0].mean() == pytest.approx(90, abs=6)


def test_a_picture_one_pixel_wide_keeps_its_rows(tmp_path):
    image = np.repeat(np.uint8([20, 20, 20, 20, 220, 220, 220, 220])[:, None, None], 3, axis=2)
    sink = VideoSink(str(tmp_path / "out.mp4"), (1, 8), 10)
    sink.send(Composite(image, 0, 0.0))
    sink.close()
    column = read(tmp_path / "out.mp4")[0][0][:, 0, 0]
    assert column[:3].max() < 60
    assert column[-3:].min() > 180


def test_detail_survives(tmp_path):
    image = flat(40)
    image[:, 32:] = 200
    sink = VideoSink(str(tmp_path / "out.mp4"), SIZE, 10)
    for index in range(3):
        sink.send(Composite(image, index, index / 10))
    sink.close()
    last = read(tmp_path / "out.mp4")[0][-1]
    assert last[:, :30].max() < 60
    assert last[:, 34:].min() > 180


@pytest.mark.parametrize("name", ["missing/out.mp4", "a-file/out.mp4"])
def test_a_place_that_cannot_be_written_is_known_at_once(tmp_path, name):
    (tmp_path / "a-file").touch()
    path = tmp_path / name
    with pytest.raises(SinkError, match=r"cannot be written.*another --output") as caught:
        VideoSink(str(path), SIZE, 10)
    assert str(caught.value).startswith(str(path))
    assert files(tmp_path) == ["a-file"]


def test_a_name_that_is_a_folder_is_known_at_once(tmp_path):
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(SinkError, match="cannot be written"):
        VideoSink(str(tmp_path / "out.mp4"), SIZE, 10)


def test_a_sink_that_cannot_be_opened_leaves_nothing(tmp_path):
    with pytest.raises(SinkError):
        VideoSink(str(tmp_path / "out.mp4"), SIZE, float("nan"))
    assert files(tmp_path) == []


def test_an_old_file_is_replaced_only_at_the_end(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    sink = VideoSink(str(path), SIZE, 10)
    for index in range(5):
        sink.send(composite(index))
        assert path.read_bytes() == b"old"
    sink.close()
    assert len(read(path)[0]) == 5
    assert files(tmp_path) == ["out.mp4"]


def test_an_old_file_stays_when_no_picture_came(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    VideoSink(str(path), SIZE, 10).close()
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["out.mp4"]


def full_disk(sink):
    """Let everything that is written from now on fail as on a full disk."""

    def mux(_packets):
        raise OSError(errno.ENOSPC, "No space left on device")

    sink._container = SimpleNamespace(mux=mux, close=sink._container.close)


def test_a_full_disk_is_said_with_the_file_and_the_reason(tmp_path):
    sink = VideoSink(str(tmp_path / "out.mp4"), SIZE, 10)
    sink.send(composite(0))
    full_disk(sink)
    with pytest.raises(SinkError, match=r"out\.mp4: writing failed .No space left on device"):
        sink.send(composite(1))
    with pytest.raises(SinkError, match=r"cannot be finished.*the part that was written: .*part"):
        sink.close()
    assert not (tmp_path / "out.mp4").exists()
    sink.close()  # still idempotent


def test_a_file_whose_writing_failed_does_not_replace_the_old_one(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    sink = VideoSink(str(path), SIZE, 10)
    sink.send(composite(0))
    working = sink._container
    full_disk(sink)
    with pytest.raises(SinkError):
        sink.send(composite(1))
    sink._container = working  # somebody made room meanwhile
    with suppress(SinkError):
        sink.close()
    assert path.read_bytes() == b"old"


def test_two_sinks_for_one_file_do_not_mix(tmp_path):
    path = tmp_path / "out.mp4"
    first = VideoSink(str(path), SIZE, 10)
    try:
        second = VideoSink(str(path), SIZE, 10)
    except SinkError:
        first.close()
        return  # refusing is as good
    for index in range(80):  # more than the encoder holds back
        first.send(composite(index))
        second.send(composite(index))
    second.close()
    first.close()
    assert len(read(path)[0]) == 80


# null, and pictures


def test_null_counts():
    sink = open_sink("null", SIZE, 10)
    for index in range(3):
        sink.send(composite(index))
    assert sink.count == 3


def test_a_snapshot_is_exact_and_makes_its_folder(tmp_path):
    image = np.random.default_rng(1).integers(0, 255, (17, 33, 3), np.uint8)
    path = tmp_path / "new" / "folder" / "a.png"
    save_png(Composite(image, 0, 0.0, preview=flat(9)), path)
    assert np.array_equal(cv2.imread(str(path)), image)
    assert files(path.parent) == ["a.png"]


def test_a_snapshot_that_cannot_be_written_says_so_and_leaves_nothing(tmp_path):
    (tmp_path / "taken.png").mkdir()
    with pytest.raises(SinkError, match=r"taken\.png: cannot be written"):
        save_png(composite(), tmp_path / "taken.png")
    assert files(tmp_path) == ["taken.png"]


def test_a_snapshot_whose_folder_is_a_file_is_our_error(tmp_path):
    (tmp_path / "a-file").touch()
    with pytest.raises(SinkError, match=r"a\.png: cannot be written"):
        save_png(composite(), tmp_path / "a-file" / "a.png")
