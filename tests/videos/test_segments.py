"""Where a long video is divided, and what its segments become."""

import threading

import numpy as np
import pytest
from helpers.clips import NEEDS_FFMPEG, clip, decoded, ffmpeg, picture, sound, times

from realtime_bg.errors import SourceError
from realtime_bg.settings import load
from realtime_bg.videos import encoding
from realtime_bg.videos.clips import Clip
from realtime_bg.videos.convert import VideoOptions, convert
from realtime_bg.videos.segments import Segment, convert_segment, divided, join, why_whole

pytestmark = [pytest.mark.usefixtures("place"), NEEDS_FFMPEG]

COUNT = 64
TONE = ("-f", "lavfi", "-i", "sine=440:sample_rate=44100:duration=3.2")
SETTINGS = {"engine.name": "threshold", "background.current": "blue"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """64 pictures at 20 a second, a key frame every 6."""
    path = tmp_path_factory.mktemp("source") / "walk.mp4"
    return clip(path, sound=TONE, pictures=[picture(n) for n in range(COUNT)])


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    """Parts of 8 pictures; as in use, a segment is four parts long, and may differ by two."""
    for module in ("encoding", "segments"):
        monkeypatch.setattr(f"realtime_bg.videos.{module}.PART", 8)
    monkeypatch.setattr("realtime_bg.videos.segments.NEAR", 8)


def starts(segments, path):
    """The numbers of the pictures with which segments begin."""
    ticks = [Clip(path).ticks(time) for time in times(path)]
    return [ticks.index(segment.start) for segment in segments if segment.start is not None]


def test_a_segment_begins_where_a_part_does_soon_after_a_key_frame(source):
    found = divided(source, ".mp4", VideoOptions(), 16)
    assert found[0].start is None
    assert found[-1].end is None
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    places = starts(found, source)
    assert all(place % encoding.PART == 0 for place in places)
    # 24 is a key frame; 8 lies two after one, 16 four, and so on.
    assert places[0] == 24
    assert len(places) >= 2


def test_a_short_video_is_not_divided(source):
    assert divided(source, ".mp4", VideoOptions(), 33) == []
    span = VideoOptions(start=1.0, end=2.0)
    assert divided(source, ".mp4", span, 16) == []


def test_only_the_given_span_is_divided(source):
    span = VideoOptions(start=1.0)
    found = divided(source, ".mp4", span, 16)
    assert found
    assert all((place - 20) % encoding.PART == 0 for place in starts(found, source))


def test_a_file_whose_times_step_back_is_not_divided(source, place):
    ffmpeg("-i", source, "-c", "copy", place / "one.ts")
    (place / "two.ts").write_bytes((place / "one.ts").read_bytes() * 2)
    assert divided(place / "two.ts", ".mp4", VideoOptions(), 16) == []


@pytest.mark.parametrize("alpha", [None, "matte", "prores4444"])
@pytest.mark.parametrize("span", [{}, {"start": 0.5, "end": 2.9}], ids=["all", "span"])
def test_joined_segments_are_the_undivided_result(source, place, alpha, span):
    settings, stop = load(None, SETTINGS), threading.Event()
    options = VideoOptions(alpha=alpha, **span)
    suffix = ".mov" if alpha == "prores4444" else ".mp4"
    whole, target = place / f"whole{suffix}", place / f"joined{suffix}"
    assert convert(settings, source, whole, options, lambda *_: None, stop)
    found = divided(source, suffix, options, 16)
    assert len(found) > 1
    made = []
    for number, segment in enumerate(found):
        work = place / f"work-{number}/joined{suffix}"
        work.parent.mkdir()
        one = convert_segment(settings, source, work, options, segment, lambda *_: None, stop)
        made.append(one)
        assert list(work.parent.iterdir()) == [one]
    assert join(source, target, options, made, stop)
    tracks = (".foreground.mp4", ".matte.mp4") if alpha == "matte" else (suffix,)
    for track in tracks:
        one, other = place / f"whole{track}", place / f"joined{track}"
        assert times(other) == times(one)
        assert np.array_equal(decoded(other), decoded(one))
        if track != ".matte.mp4":
            assert sound(other) == sound(one)
    assert not list(place.glob(".*"))


def test_a_stopped_segment_leaves_nothing(source, place):
    stop = threading.Event()
    made = convert_segment(
        load(None, SETTINGS),
        source,
        place / "work/x.mp4",
        VideoOptions(),
        Segment(None, None),
        lambda *_: stop.set(),
        stop,
    )
    assert made is None
    assert list((place / "work").iterdir()) == []


def test_a_damaged_segment_is_named(source, place):
    (place / "bad.tar").write_bytes(b"no archive")
    with pytest.raises(SourceError, match=r"bad\.tar: not a segment"):
        join(source, place / "x.mp4", VideoOptions(), [place / "bad.tar"], threading.Event())
    assert not (place / "x.mp4").exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"background.current": "erase"}, "erase"),
        ({"engine.name": "motion"}, "motion"),
        ({"engine.name": "plate"}, "plate"),
        ({"engine.name": "grabcut"}, "grabcut"),
        ({"engine.name": "instance", "engine.instance.instances": "largest"}, "instance"),
        ({"engine.name": "rvm", "engine.combine.engine": "motion"}, "motion"),
    ],
)
def test_what_depends_on_all_pictures_stays_whole(changes, word):
    assert word in why_whole(load(None, SETTINGS | changes))


@pytest.mark.parametrize("engine", ["auto", "rvm", "embedded", "semantic", "instance"])
def test_what_forgets_may_be_divided(engine):
    assert why_whole(load(None, SETTINGS | {"engine.name": engine})) == ""
