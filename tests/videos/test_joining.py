"""Joining finished parts by itself: video with sound, folders of pictures, and GIFs."""

import threading
from fractions import Fraction
from types import SimpleNamespace
from typing import ClassVar

import av
import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from realtime_bg.errors import SinkError
from realtime_bg.sinks.coding import PRORES, VP9_ALPHA
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


def write_clip(path, sounds=1, codec="pcm_s16le", tags=(), aspect=Fraction(1)):
    """Pictures that become brighter, and ``sounds`` tracks of a tone of two seconds. ``tags``: of
    the file."""
    with av.open(str(path), "w") as out:
        out.metadata.update(tags)
        video = out.add_stream("mpeg4", rate=RATE)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.sample_aspect_ratio = aspect
        video.metadata.update(language="swe", title="Stage")
        tracks = [out.add_stream(codec, rate=SAMPLES, layout="mono") for _ in range(sounds)]
        for track, language in zip(tracks, ("eng", "fra"), strict=False):
            track.metadata["language"] = language
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


GREYS = [grey(n) for n in range(COUNT)]


def irregular(folder, clip, coding, pictures, ticks):
    """One part of pictures at given ticks."""
    path = folder / "irregular.video"
    with PartWriter(path, coding, clip, path) as writer:
        for tick, picture in zip(ticks, pictures, strict=True):
            writer.add(picture, tick)
        writer.finish()
    return Part({"video": path}, ticks, ticks[-1] + clip.step)


@pytest.fixture
def parts(tmp_path, clip):
    return encoded(tmp_path, clip, opaque(".mp4"), GREYS)


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
    part = irregular(tmp_path, clip, opaque(".mov"), GREYS[:10], pts)
    out = join(tmp_path / "out.mov", [part], clip, start=0.5, end=1.5)
    pictures, sound = packets(out), packets(out, "audio")
    assert [at for at, _ in pictures] == pytest.approx([n / RATE for n in range(10)], abs=1e-3)
    own = {data: at for at, data in packets(clip.path, "audio")}
    assert 0 <= sound[0][0] < 0.15
    assert 0.85 < sound[-1][0] < 1.0
    for at, data in sound:
        assert own[data] - 0.5 == pytest.approx(at, abs=1e-3)


def test_what_the_file_and_its_tracks_are_called_is_kept(tmp_path, parts):
    tags = {"title": "A talk", "location": "+48.1+11.5/", "timecode": "01:02:03:04"}
    two = Clip(write_clip(tmp_path / "two.mkv", sounds=2, tags=tags))
    with av.open(str(join(tmp_path / "out.mkv", parts, two))) as container:
        kept = {name.lower(): value for name, value in container.metadata.items()}
        assert (kept["title"], kept["timecode"]) == ("A talk", "01:02:03:04")
        assert "location" not in kept
        assert [track.metadata.get("language") for track in container.streams] == [
            "swe",
            "eng",
            "fra",
        ]
        assert container.streams.video[0].metadata["title"] == "Stage"
    assert joining.what_is_left_out(".mkv", Span(two, None, None), tmp_path) == ["the place"]
    assert joining.what_is_left_out(".mkv", Span(two, 0.5, None), tmp_path) == [
        "the place",
        "the timecode",
    ]


@pytest.mark.parametrize("name", ["out.mov", "out.mp4", "out.MKV"])
def test_the_shape_of_pixels_is_said(tmp_path, name):
    clip = Clip(write_clip(tmp_path / "wide.mov", aspect=Fraction(4, 3)))
    assert clip.aspect == Fraction(4, 3)
    joined = join(tmp_path / name, encoded(tmp_path, clip, opaque(".mp4"), GREYS), clip)
    assert Clip(joined).aspect == Fraction(4, 3)


def test_times_are_exact_to_the_tick(tmp_path, clip):
    """Of the clip's own clock, however irregular they are."""
    ticks = [clip.origin + tick for tick in (0, 1, 1023, 1024, 3000, 7777)]
    part = irregular(tmp_path, clip, opaque(".mov"), GREYS[: len(ticks)], ticks)
    with av.open(str(join(tmp_path / "out.mov", [part], clip, sound=False))) as container:
        found = [
            packet.pts * packet.time_base
            for packet in container.demux(video=0)
            if packet.pts is not None
        ]
    assert found == [(tick - clip.origin) * clip.time_base for tick in ticks]


@pytest.mark.parametrize("name", ["out.mov", "out.mkv"])
def test_prores_keeps_its_profile(tmp_path, clip, name):
    wide = [np.full((SIZE[1], SIZE[0], 4), 3000 * n, np.uint16) for n in range(COUNT)]
    parts = encoded(tmp_path, clip, PRORES, wide)
    with av.open(str(join(tmp_path / name, parts, clip))) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.profile) == ("prores", "4444")
        assert context.codec_tag == "ap4h" or name == "out.mkv"


def test_only_what_is_transparent_is_said_to_be(tmp_path, clip, parts):
    clear = [np.full((SIZE[1], SIZE[0], 4), 8 * n, np.uint8) for n in range(COUNT)]
    see_through = tmp_path / "clear"
    see_through.mkdir()
    found = []
    for made in (encoded(see_through, clip, VP9_ALPHA, clear), parts):
        with av.open(str(join(tmp_path / "out.mkv", made, clip))) as container:
            video = container.streams.video[0]
            found.append({name.lower(): value for name, value in video.metadata.items()})
    assert [tags.get("alpha_mode") for tags in found] == ["1", None]


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


# Packet by packet


PICTURES, TRACK, OTHER = 0, 1, 2  # the streams of a source


class Track:
    """Takes the packets of one track, and has one more at the end."""

    def __init__(self):
        self.added = []

    def add(self, packet):
        self.added.append(packet)
        return [packet]

    def finish(self):
        return [packet(TRACK, 99_000)]


class Source:
    """A source that is sought; ``error``: what seeking raises."""

    streams: ClassVar = ("pictures", "sound", "words")

    def __init__(self, error=None):
        self.sought, self.error = [], error

    def seek(self, at):
        self.sought.append(at)
        if self.error is not None:
            raise self.error


def packet(stream, pts, dts=None, duration=20):
    """In milliseconds."""
    return SimpleNamespace(
        stream_index=stream,
        pts=pts,
        dts=pts if dts is None else dts,
        duration=duration,
        time_base=Fraction(1, 1000),
    )


def beside(
    monkeypatch, given, start=0, end=None, cut=False, offsets=(0,), source=None, tracks=(TRACK,)
):
    """(seconds, pts, dts) of what is written of the sound; ``start`` and ``end`` in ticks of a
    hundredth of a second."""
    asked = []

    def demuxed(of, *streams):
        asked.append(streams)
        yield from given

    monkeypatch.setattr(joining, "demuxed", demuxed)
    clip = SimpleNamespace(time_base=Fraction(1, 100), stream=PICTURES, offsets=list(offsets))
    span = SimpleNamespace(clip=clip, start=start, end=end, cut=cut)
    source, tracks = source or Source(), {index: Track() for index in tracks}
    written = list(joining._beside(source, tracks, span))
    assert asked == [("pictures", *(source.streams[index] for index in tracks))]
    written, last = written[: -len(tracks)], written[-len(tracks) :]
    assert {(at, packet.pts) for at, packet in last} == {(99.0, 99_000)}  # what tracks had left
    assert len(written) == sum(len(track.added) for track in tracks.values())
    return [(at, packet.pts, packet.dts) for at, packet in written]


def test_sound_is_written_at_its_time_and_pictures_are_not(monkeypatch):
    given = [packet(PICTURES, 0), packet(TRACK, 10), packet(TRACK, 30, 25), packet(PICTURES, 40)]
    assert beside(monkeypatch, given) == [(0.01, 10, 10), (0.025, 30, 25)]


def test_packets_without_some_of_their_times(monkeypatch):
    """One that says only when it is decoded is heard then; one that does not say it is left out."""
    unknown = packet(TRACK, 60)
    unknown.dts = None
    given = [
        packet(TRACK, None, 20),
        unknown,
        packet(TRACK, 40, duration=None),
        packet(TRACK, 60, duration=0),
    ]
    assert beside(monkeypatch, given, start=2) == [(0.0, None, 0), (0.02, 20, 20), (0.04, 40, 40)]


def test_a_span_is_sought_a_second_before_it_and_its_sound_moved(monkeypatch):
    source = Source()
    given = [packet(TRACK, at) for at in (1980, 2000, 2020, 2980, 3000, 3020, 13_000, 2990, 13_001)]
    given += [packet(TRACK, 2995)]
    found = beside(monkeypatch, given, start=200, end=300, cut=True, source=source)
    assert source.sought == [1_000_000]
    # The end is exclusive. Late packets are searched for ten seconds, and not any longer
    assert found == [(0.0, 0, 0), (0.02, 20, 20), (0.98, 980, 980)]


@pytest.mark.parametrize(("ahead", "found"), [(9990, True), (10_010, True), (20_010, False)])
def test_late_packets_are_still_found_within_ten_seconds(monkeypatch, ahead, found):
    """As in files whose tracks are badly interleaved; the span ends at ten seconds."""
    given = [packet(OTHER, ahead), packet(TRACK, 5000)]
    written = beside(monkeypatch, given, end=1000, tracks=(TRACK, OTHER))
    assert ((5.0, 5000, 5000) in written) is found
    assert len(written) == (ahead < 10_000) + found


def test_from_the_start_on_nothing_is_sought_or_left_out(monkeypatch):
    source = Source()
    found = beside(monkeypatch, [packet(TRACK, -30), packet(TRACK, 0)], source=source)
    assert source.sought == []
    assert [pts for _, pts, _ in found] == [-30, 0]  # AAC begins a little before the pictures


@pytest.mark.parametrize("error", [av.FFmpegError(1, "no"), OSError("no")])
def test_a_source_that_cannot_be_sought_is_read_from_its_start(monkeypatch, error):
    given = [packet(TRACK, at) for at in (0, 1000, 2000)]
    found = beside(monkeypatch, given, start=150, cut=True, source=Source(error))
    assert found == [(0.5, 500, 500)]


def test_sound_follows_the_pictures_where_the_times_of_a_file_step_back(monkeypatch):
    """As in joined recordings; what is heard twice is left out."""
    given = [
        packet(PICTURES, 5000),
        packet(TRACK, 5000),
        packet(TRACK, 5000),  # again
        packet(PICTURES, 0),
        packet(TRACK, 0),
        packet(PICTURES, 40),
        packet(TRACK, 20),
    ]
    found = beside(monkeypatch, given, offsets=(0, 502))
    assert [pts for _, pts, _ in found] == [5000, 5020, 5040]
    cut = [packet(PICTURES, 5000), packet(TRACK, 5000), packet(PICTURES, 0), packet(TRACK, 0)]
    found = beside(monkeypatch, cut, start=501, cut=True, offsets=(0, 502))
    assert found == [(0.01, 10, 10)]


def test_sound_that_begins_after_a_step_back_of_the_pictures_belongs_there(monkeypatch):
    """What the pictures do counts, and not what a track of sound does by itself."""
    given = [packet(PICTURES, 5000), packet(PICTURES, 0), packet(TRACK, 20), packet(TRACK, 40)]
    found = beside(monkeypatch, given, offsets=(0, 502))
    assert [pts for _, pts, _ in found] == [5040, 5060]
    alone = [packet(PICTURES, 0), packet(OTHER, 9000), packet(OTHER, 10), packet(TRACK, 20)]
    found = beside(monkeypatch, alone, offsets=(0, 502), tracks=(TRACK, OTHER))
    assert (0.02, 20, 20) in found


def test_pictures_are_merged_by_their_seconds(tmp_path, clip, parts):
    with av.open(str(tmp_path / "out.mkv"), "w") as out:
        stream = out.add_stream("mpeg4", rate=RATE)
        merged = joining._video(parts, "video", stream, Span(clip, None, None))
        assert [at for at, _ in merged] == pytest.approx([n / RATE for n in range(COUNT)])


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


def test_a_gif_of_a_span_begins_at_once_and_leaves_out_what_is_too_quick(tmp_path, clip):
    """Browsers show pictures of less than 0.02 s for 0.1 s."""
    seconds = (0.5, 0.51, 0.52, 0.55, 0.6, 0.62, 0.63, 0.7)
    ticks = [clip.ticks(at) for at in seconds]
    pictures = [grey(2 * n, 4) for n in range(len(ticks))]
    for picture in pictures:
        picture[..., 3] = 255
    part = irregular(tmp_path, clip, PNG, pictures, ticks)
    write_gif(tmp_path / "out.gif", [part], Span(clip, 0.5, None), threading.Event())
    shades, lasting = [], []
    with Pillow.open(tmp_path / "out.gif") as file:
        for index in range(file.n_frames):
            file.seek(index)
            shades.append(file.convert("L").getpixel((5, 5)))
            lasting.append(file.info["duration"])
    np.testing.assert_allclose(shades, [40 + 16 * n for n in (0, 2, 3, 4, 5, 7)], atol=4)
    assert lasting[:-1] == [20, 30, 50, 20, 80]
