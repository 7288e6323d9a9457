"""Joining finished parts by itself: video with sound, folders of pictures, and GIFs."""

import threading
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from realtime_bg.errors import SinkError
from realtime_bg.videos import joining
from realtime_bg.videos.clips import Clip, Span
from realtime_bg.videos.codings import PNG, PartWriter, opaque
from realtime_bg.videos.parts import Part, Stopped
from realtime_bg.videos.sequences import (
    not_of_a_sequence,
    paletted,
    write_gif,
    write_sequence,
)
from realtime_bg.videos.sound import plan_sound, stores

SIZE = 32, 16
COUNT, RATE = 20, 10  # two seconds
SAMPLES = 8000  # a second


def write_clip(path, sounds=1, codec="pcm_s16le"):
    """Pictures that become brighter, and ``sounds`` tracks of a tone of two seconds."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=RATE)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        tracks = [out.add_stream(codec, rate=SAMPLES, layout="mono") for _ in range(sounds)]
        for index in range(COUNT):
            image = np.full((SIZE[1], SIZE[0], 3), 40 + 8 * index, np.uint8)
            picture = av.VideoFrame.from_ndarray(image, "bgr24")
            picture.pts, picture.time_base = index, Fraction(1, RATE)
            out.mux(video.encode(picture))
            for track in tracks:
                wave = np.arange(index * SAMPLES // RATE, (index + 1) * SAMPLES // RATE)
                samples = (3000 * np.sin(wave / 5)).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
                frame.sample_rate, frame.pts = SAMPLES, wave[0]
                out.mux(track.encode(frame))
        for stream in (video, *tracks):
            out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return Clip(write_clip(tmp_path_factory.mktemp("clip") / "clip.mov"))


def encoded(folder, clip, coding, pictures, sizes=(7, 8, 5)):
    """Parts of some lengths, of pictures at every tick of a frame."""
    parts, at = [], 0
    for number, count in enumerate(sizes):
        path = folder / f"{number:06d}.video"
        pts = [clip.origin + index * clip.step for index in range(at, at + count)]
        with PartWriter(path, coding, clip, path) as writer:
            for tick, picture in zip(pts, pictures[at : at + count], strict=True):
                writer.add(picture, tick)
            writer.finish()
        parts.append(Part({"video": path}, pts, pts[-1] + clip.step))
        at += count
    return parts


def grey(index, channels=3):
    return np.full((SIZE[1], SIZE[0], channels), 40 + 8 * index, np.uint8)


@pytest.fixture
def parts(tmp_path, clip):
    return encoded(tmp_path, clip, opaque(".mp4"), [grey(n) for n in range(COUNT)])


@pytest.fixture
def pngs(tmp_path, clip):
    return encoded(tmp_path, clip, PNG, [grey(n, 4) for n in range(COUNT)])


def join(path, parts, clip, start=None, end=None, sound=True, stop=None):
    span = Span(clip, start, end)
    plan = plan_sound(path, clip, parts[0].files["video"].parent, ()) if sound else None
    joining.join_video(path, parts, "video", span, plan, stop or threading.Event())
    return path


def packets(path, kind="video"):
    """(seconds, bytes) of each packet of the first track of a kind."""
    with av.open(str(path)) as container:
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(**{kind: 0})
            if packet.pts is not None
        ]


def boxes(path):
    """The names of the outermost boxes of an MP4 file, in order."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8].decode("latin-1"))
        at += size
    return names


@pytest.mark.parametrize("name", ["out.mp4", "out.MOV"])
def test_the_index_comes_first_so_that_players_can_start_at_once(tmp_path, parts, clip, name):
    names = boxes(join(tmp_path / name, parts, clip, sound=False))
    assert names.index("moov") < names.index("mdat")


@pytest.mark.parametrize("name", ["out.mov", "out.mkv"])
def test_every_picture_has_its_time_and_the_sound_is_the_same(tmp_path, parts, clip, name):
    path = join(tmp_path / name, parts, clip)
    found = packets(path)
    assert [at for at, _ in found] == pytest.approx([n / RATE for n in range(COUNT)], abs=1e-3)
    assert [data for _, data in found] == [
        data for part in parts for _, data in packets(part.files["video"])
    ]
    own, joined = packets(clip.path, "audio"), packets(path, "audio")
    assert b"".join(data for _, data in joined) == b"".join(data for _, data in own)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == RATE
        assert container.duration == pytest.approx(2_000_000, abs=60_000)
        assert len(container.streams.audio) == 1


def test_pictures_and_sound_are_interleaved(tmp_path, parts, clip):
    with av.open(str(join(tmp_path / "out.mkv", parts, clip))) as container:
        times = [
            float(packet.dts * packet.time_base)
            for packet in container.demux()
            if packet.dts is not None
        ]
    assert np.diff(times).min() > -0.15


def test_without_sound_there_is_no_track(tmp_path, parts, clip):
    with av.open(str(join(tmp_path / "out.mov", parts, clip, sound=False))) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_every_track_of_sound_is_kept(tmp_path, parts):
    two = Clip(write_clip(tmp_path / "two.mov", sounds=2))
    with av.open(str(join(tmp_path / "out.mov", parts, two))) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "audio"]


def test_a_clip_without_sound_is_joined_with_none(tmp_path, parts):
    silent = Clip(write_clip(tmp_path / "silent.mov", sounds=0))
    with av.open(str(join(tmp_path / "out.mov", parts, silent))) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_a_span_has_the_sound_of_that_span(tmp_path, clip):
    """From 0.5 to 1.5 s: what is heard begins and ends with what is seen."""
    pts = [clip.origin + index * clip.step for index in range(5, 15)]
    path = tmp_path / "000000.video"
    with PartWriter(path, opaque(".mov"), clip, path) as writer:
        for index, tick in enumerate(pts):
            writer.add(grey(index), tick)
        writer.finish()
    part = Part({"video": path}, pts, pts[-1] + clip.step)
    out = join(tmp_path / "out.mov", [part], clip, start=0.5, end=1.5)
    pictures, sound = packets(out), packets(out, "audio")
    assert [at for at, _ in pictures] == pytest.approx([n / RATE for n in range(10)], abs=1e-3)
    own = {data: at for at, data in packets(clip.path, "audio")}
    assert 0 <= sound[0][0] < 0.15
    assert 0.85 < sound[-1][0] < 1.0
    for at, data in sound:
        assert own[data] - 0.5 == pytest.approx(at, abs=1e-3)


def test_which_container_can_store_the_sound(tmp_path, clip):
    with av.open(str(clip.path)) as source:
        track = source.streams.audio[0]
        assert not stores(".webm", track, tmp_path)
        assert stores(".mov", track, tmp_path)
        assert stores(".mkv", track, tmp_path)
    assert [plan.encoder for plan in plan_sound(tmp_path / "a.webm", clip, tmp_path, ())] == [
        "libopus"
    ]
    assert [plan.encoder for plan in plan_sound(tmp_path / "a.mkv", clip, tmp_path, ())] == [None]


# Stopped


def test_a_stop_ends_it_at_once(tmp_path, clip, parts, pngs):
    stop, span = threading.Event(), Span(clip, None, None)
    stop.set()
    with pytest.raises(Stopped):
        join(tmp_path / "out.mov", parts, clip, stop=stop)
    with pytest.raises(Stopped):
        write_sequence(tmp_path / "frames", pngs, span, stop)
    assert not list(tmp_path.glob("frames/*"))
    with pytest.raises(Stopped):
        write_gif(tmp_path / "out.gif", pngs, span, stop)


# Folders of pictures


def test_a_folder_of_pictures_has_them_and_their_times(tmp_path, clip, pngs):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "000099.png").write_bytes(b"of a run that was killed")
    write_sequence(folder, pngs, Span(clip, None, None), threading.Event())
    names = sorted(path.name for path in folder.iterdir())
    assert names == [*(f"{n:06d}.png" for n in range(COUNT)), "frames.ffconcat"]
    for index in (0, 7, COUNT - 1):
        image = cv2.imread(str(folder / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image, grey(index, 4))
    lines = (folder / "frames.ffconcat").read_text().splitlines()
    expected = [line for n in range(COUNT) for line in (f"file {n:06d}.png", "duration 0.100000")]
    assert lines == ["ffconcat version 1.0", *expected]
    assert not_of_a_sequence(folder) is None


@pytest.mark.parametrize(
    "name",
    [
        "000001.png.mine",
        "my 000001.png",
        "00001.png",
        "000001.PNG",
        "000001xpng",
        "frames.ffconcat~",
        "notes.txt",
    ],
)
def test_own_files_among_the_pictures_are_seen(tmp_path, name):
    for own in ("000001.png", "1234567.png", "frames.ffconcat"):
        (tmp_path / own).touch()
    assert not_of_a_sequence(tmp_path) is None
    (tmp_path / name).touch()
    assert not_of_a_sequence(tmp_path) == name


def test_a_folder_that_is_not_there_is_told_with_its_reason(tmp_path):
    with pytest.raises(SinkError, match="cannot be read"):
        not_of_a_sequence(tmp_path / "gone")


# GIFs


def test_a_gif_is_transparent_below_one_half():
    full = np.full((4, 4, 4), 200, np.uint8)
    full[..., 3] = np.array([[0, 1, 64, 127], [128, 129, 254, 255]] * 2, np.uint8)
    places, palette = paletted(full)
    assert (palette[places][..., 0] == np.where(full[..., 3] < 128, 0, 255)).all()
    np.testing.assert_allclose(palette[places][full[..., 3] >= 128][:, 1:], 200, atol=4)
    places, palette = paletted(full[..., :3])
    assert (palette[places][..., 0] == 255).all()


def test_a_gif_has_the_colours_in_their_order():
    full = np.zeros((4, 8, 3), np.uint8)
    full[:, :4], full[:, 4:] = (250, 120, 10), (5, 130, 240)
    places, palette = paletted(full)
    np.testing.assert_allclose(palette[places][..., 1:], full[..., ::-1], atol=4)


def test_a_gif_loops_and_keeps_its_times(tmp_path, clip, pngs):
    path = tmp_path / "out.gif"
    write_gif(path, pngs, Span(clip, None, None), threading.Event())
    with Pillow.open(path) as file:
        assert file.size == SIZE
        assert file.info["loop"] == 0
        lasting = []
        for index in range(file.n_frames):
            file.seek(index)
            lasting.append(file.info["duration"])
    assert lasting[:-1] == [100] * (COUNT - 1)
