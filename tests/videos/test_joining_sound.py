"""Which packets of sound and video are joined, and when: with packets that are made up."""

from fractions import Fraction
from types import SimpleNamespace

import av
import pytest

from realtime_bg.videos import joining

RATE = 1000  # ticks of sound a second


class Source:
    """A file of sound, one packet every half second, which notes how it is read."""

    def __init__(self, *packets, seekable=True):
        self.packets, self.seekable = packets, seekable
        self.sought, self.read = [], 0

    def seek(self, place):
        self.sought.append(place)
        if not self.seekable:
            raise av.FFmpegError(1, "not seekable")

    def demux(self, streams):
        assert [stream.index for stream in streams] == [3]
        for packet in self.packets:
            self.read += 1
            yield packet


def packet(dts, pts="as dts"):
    return SimpleNamespace(
        dts=dts,
        pts=dts if pts == "as dts" else pts,
        time_base=Fraction(1, RATE),
        stream_index=3,
        stream=None,
    )


def sound(source, start=0.0, end=None, cut=True):
    """(seconds, dts, pts) of each packet of sound; the video has 10 ticks a second."""
    span = SimpleNamespace(
        clip=SimpleNamespace(time_base=Fraction(1, 10)),
        start=round(start * 10),
        end=None if end is None else round(end * 10),
        cut=cut,
    )
    tracks = [(SimpleNamespace(index=3), "target")]
    found = list(joining._sound(source, tracks, span))
    assert all(one.stream == "target" for _, one in found)
    return [(at, one.dts, one.pts) for at, one in found]


def every_half_second(count):
    return [packet(500 * n) for n in range(count)]


def test_sound_is_moved_by_the_start():
    source = Source(*every_half_second(5))
    assert sound(source, start=1.0) == [(0.0, 0, 0), (0.5, 500, 500), (1.0, 1000, 1000)]
    assert source.sought == [0]  # a second before, in microseconds
    source = Source(*every_half_second(9))
    sound(source, start=3.5)
    assert source.sought == [2_500_000]


def test_a_source_that_cannot_seek_is_read_from_its_start():
    source = Source(*every_half_second(5), seekable=False)
    assert [at for at, *_ in sound(source, start=1.0)] == [0.0, 0.5, 1.0]


def test_without_a_cut_nothing_is_sought_and_what_is_early_stays():
    source = Source(packet(-500), packet(0))
    assert [at for at, *_ in sound(source, cut=False)] == [-0.5, 0.0]
    assert source.sought == []


def test_packets_without_a_time_are_left_out_and_others_have_one():
    source = Source(packet(None, 200), packet(500, None), packet(1000, 1100))
    assert sound(source) == [(0.5, 500, None), (1.1, 1000, 1100)]


def test_sound_ends_with_the_span_and_reading_soon_after():
    """Tracks may be far apart in a file, so that reading goes on for ten seconds."""
    source = Source(*every_half_second(100))
    assert [at for at, *_ in sound(source, end=1.5)] == [0.0, 0.5, 1.0]
    assert source.read == 25  # 12 s are not more than ten seconds after the end, 11.5 s are not yet
    late = Source(packet(0), packet(5000), packet(1000))
    assert [at for at, *_ in sound(late, end=1.5)] == [0.0, 1.0]


def test_pictures_come_at_their_seconds(monkeypatch):
    made = [SimpleNamespace(pts=None, dts=None, duration=None) for _ in range(3)]
    ticks = [(20, 21), (21, 24), (24, 25)]
    monkeypatch.setattr(
        joining,
        "packets",
        lambda parts, track: ((one, *tick) for one, tick in zip(made, ticks, strict=True)),
    )
    span = SimpleNamespace(clip=SimpleNamespace(time_base=Fraction(1, 10)), start=20)
    found = list(joining._video([], "video", "stream", span))
    assert [at for at, _ in found] == [0.0, 0.1, 0.4]
    assert [(one.pts, one.dts, one.duration) for one in made] == [(0, 0, 1), (1, 1, 3), (4, 4, 1)]
    assert {one.time_base for one in made} == {Fraction(1, 10)}


def test_a_container_of_the_web_keeps_the_sound_of_the_web(tmp_path):
    clip = SimpleNamespace(sound=("opus",))
    assert joining.container_for(clip, tmp_path, (".webm",)) == ".webm"
    assert joining.unsupported_audio(".webm", clip, tmp_path) is None


def test_the_containers_are_tried_from_the_one_that_holds_most():
    assert joining.KEEPERS == (".mkv", ".mov", ".mp4", ".webm")


@pytest.mark.parametrize("sound_codecs", [("opus", "pcm_mulaw"), ("pcm_mulaw", "opus")])
def test_any_track_that_cannot_be_stored_is_found(tmp_path, sound_codecs):
    clip = SimpleNamespace(sound=sound_codecs)
    assert joining.unsupported_audio(".webm", clip, tmp_path) == "pcm_mulaw"
