"""The sound of converted videos: with the pictures over every joint, converted where the container
cannot store it, and with its names."""

from fractions import Fraction

import numpy as np
import pytest
from helpers.clips import (
    HEIGHT,
    NEEDS_FFMPEG,
    WIDTH,
    clip,
    decoded,
    ffmpeg,
    ffprobe,
    refused,
    sound,
    stream,
    times,
)

from realtime_bg.videos import convert as videos
from realtime_bg.videos.sound import Clock, Joints

pytestmark = [pytest.mark.usefixtures("place"), NEEDS_FFMPEG]
RATE = 48000
BEEP = "aevalsrc='if(between(mod(t,1),0.5,0.6),sin(6283*t),0)':s=48000:d={}"


def flashing(path, seconds, *options, rate=20):
    """A white flash, and a beep, half a second after each full one, for a tenth of a second."""
    dark, light = (np.full((HEIGHT, WIDTH, 3), shade, np.uint8) for shade in (16, 235))
    at = np.arange(round(seconds * rate)) / rate % 1
    lit = (at > 0.499) & (at < 0.599)
    return clip(
        path,
        *options,
        sound=("-f", "lavfi", "-i", BEEP.format(seconds)),
        pictures=[light if flash else dark for flash in lit],
    )


def starts(signal, clock, apart=0.3):
    """The times at which a signal becomes true after a silence."""
    on = np.asarray(clock)[np.asarray(signal)]
    return [at for n, at in enumerate(on) if n == 0 or at - on[n - 1] > apart]


def flashes(path):
    shades = decoded(path).mean(axis=(1, 2, 3))
    return starts(shades > 128, times(path))


def beeps(path):
    """As a player plays it: the packets at their times, gaps as silence."""
    data = ffmpeg(
        "-i",
        path,
        "-map",
        "a",
        "-af",
        "aresample=async=1:min_hard_comp=0.005:first_pts=0",
        "-ac",
        1,
        "-ar",
        RATE,
        "-f",
        "s16le",
        "-",
    )
    heard = np.abs(np.frombuffer(data, np.int16).astype(int)) > 3000
    return starts(heard, np.arange(len(heard)) / RATE)


def together(path, expected):
    seen, heard = flashes(path), beeps(path)
    assert len(seen) == len(heard) == expected
    assert np.abs(np.subtract(seen, heard)).max() < 0.02


@pytest.mark.parametrize("result", ["out.mp4", "out.mkv", "out.webm"])
def test_joined_recordings_stay_together(video, place, result):
    """Each begins at its own time, so that sound and pictures step back three times."""
    flashing("a.ts", 2.7)
    flashing("b.ts", 2.3, "-output_ts_offset", "0.4")
    joined = b"".join((place / name).read_bytes() for name in ("a.ts", "b.ts", "a.ts", "a.ts"))
    (place / "all.ts").write_bytes(joined)
    code, lines = video("all.ts", "-o", result, "-b", "none")
    assert code == 0, lines
    together(result, 3 + 2 + 3 + 3)
    assert len(times(result)) == 54 + 46 + 54 + 54
    assert "converted to Opus" in "".join(lines) or result != "out.webm"


def test_segments_whose_sound_overlaps(video, place):
    """As HLS has it: the second segment repeats the end of the first one's sound."""
    flashing("whole.ts", 4, "-muxdelay", 0, "-g", 20)
    ffmpeg("-i", "whole.ts", "-c", "copy", "-copyts", "-muxdelay", 0, "-t", 2, "first.ts")
    ffmpeg(
        "-ss", 1.87, "-i", "whole.ts", "-ss", 2, "-i", "whole.ts", "-map", "1:v", "-map", "0:a",
        "-c", "copy", "-copyts", "-muxdelay", 0, "second.ts",
    )  # fmt: skip
    (place / "both.ts").write_bytes(
        (place / "first.ts").read_bytes() + (place / "second.ts").read_bytes()
    )
    stepping = np.diff([time for time, _ in sound("both.ts")])
    assert stepping.min() < -0.05
    code, lines = video("both.ts", "-o", "out.mp4", "-b", "none")
    assert code == 0, lines
    together("out.mp4", 4)
    assert np.diff([time for time, _ in sound("out.mp4")]).min() > 0.01


def clock(*offsets):
    joints = Joints.__new__(Joints)
    joints.offsets, joints.epoch, joints._last = [Fraction(one) for one in offsets], 0, None
    return joints, Clock(joints)


def test_a_step_back_of_the_sound_alone_goes_on_where_it_was():
    _, of_track = clock(0)
    assert of_track.offset(Fraction(5), Fraction(1)) == 0
    assert of_track.offset(Fraction(2), Fraction(1)) == 4  # at 6, where the last one ended


def test_a_step_back_belongs_to_that_of_the_pictures_on_either_side():
    joints, of_track = clock(0, 6, 12)
    assert of_track.offset(Fraction(5), Fraction(1)) == 0
    assert of_track.offset(Fraction(0), Fraction(1)) == 6  # before the pictures do
    joints.epoch = 1
    assert of_track.offset(Fraction(5), Fraction(1)) == 6
    joints.epoch = 2
    assert of_track.offset(Fraction(0), Fraction(1)) == 12  # after them
    joints, of_track = clock(0, 6, 12)
    joints.epoch = 2
    assert of_track.offset(Fraction(1), Fraction(1)) == 12  # a track that begins there


def test_what_was_heard_is_not_heard_again():
    _, of_track = clock(0)
    beat = Fraction(1, 50)
    assert of_track.offset(Fraction(0), beat) == 0
    assert of_track.offset(beat, beat) == 0
    assert of_track.offset(Fraction(0), beat) is None
    assert of_track.offset(2 * beat - Fraction(1, 1000), beat) == 0  # a rounded time is no overlap


@pytest.mark.parametrize(
    ("source", "codec", "result", "kept"),
    [
        ("in.mkv", "wmav2", "out.mkv", "opus"),
        ("in.mkv", "wmav2", "out.mp4", "aac"),
        ("in.mkv", "adpcm_ms", "out.mp4", "aac"),
        ("in.mkv", "aac", "out.webm", "opus"),
        ("in.mkv", "flac", "out.mkv", "flac"),
    ],
)
def test_sound_that_a_container_cannot_store_is_converted(
    video, place, source, codec, result, kept
):
    flashing(source, 2, "-c:a", codec)
    code, lines = video(source, "-o", result, "-b", "none")
    assert code == 0, lines
    assert ("is converted to" in "".join(lines)) == (kept != codec)
    assert stream(result, "a")["codec_name"] == kept
    together(result, 2)


def test_a_part_of_converted_sound(video, place):
    flashing("in.mkv", 5)
    assert video("in.mkv", "-o", "out.webm", "-b", "none", "--start", "1.2", "--end", 3.9)[0] == 0
    together("out.webm", 3)


def test_no_sound_keeps_the_finished_parts(video, place, monkeypatch):
    """What the pictures are does not depend on it."""
    clip("in.mkv")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(videos.joining, "join_video", full)
        code, lines = video("in.mkv", "-o", "out.mp4", "-b", "blue")
    assert (code, len(lines)) == (2, 1)
    assert "out.mp4: cannot be written (No space" in lines[0]
    assert ".parts" not in lines[0]
    code, lines = video("in.mkv", "-o", "out.mp4", "-b", "blue", "--no-sound")
    assert code == 0
    assert "another job" not in "".join(lines)


def named(path):
    ffmpeg(
        "-i", path,
        "-f", "ffmetadata", "-i", "tags.txt", "-i", "words.srt",
        "-map", "0:v", "-map", "0:a", "-map", "0:a", "-map", "2:s", "-map_metadata", 1,
        "-c", "copy", "-c:s", "srt",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra",
        "-metadata:s:a:1", "title=Commentary", "-disposition:a:0", "0",
        "-disposition:a:1", "default", "-metadata:s:s:0", "language=deu",
        "named.mkv",
    )  # fmt: skip


def chapters(path):
    found = ffprobe(path, "-show_chapters")["chapters"]
    return [
        (round(float(one["start_time"]), 2), round(float(one["end_time"]), 2), one["tags"]["title"])
        for one in found
    ]


def subtitles(path):
    found = ffprobe(path, "-select_streams", "s", "-show_packets")["packets"]
    return [float(packet["pts_time"]) for packet in found]


@pytest.mark.parametrize("result", ["out.mkv", "out.mp4"])
def test_names_languages_flags_and_chapters_are_kept(video, plain, place, result):
    (place / "tags.txt").write_text(
        ";FFMETADATA1\ntitle=A talk\nlocation=+48.1+11.5/\ncreation_time=2026-01-02T03:04:05Z\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1200\ntitle=Two\n"
    )
    (place / "words.srt").write_text("1\n00:00:00,200 --> 00:00:00,700\nHello\n")
    named(plain)
    code, lines = video("named.mkv", "-o", result, "-b", "none")
    assert code == 0, lines
    about = ffprobe(result, "-show_streams", "-show_format")
    tags = {key.lower(): value for key, value in about["format"]["tags"].items()}
    assert (tags["title"], tags["creation_time"][:19]) == ("A talk", "2026-01-02T03:04:05")
    assert not [key for key in tags if "location" in key]
    assert "named.mkv: left out of the result: the place" in lines[0]
    first, second = (one for one in about["streams"] if one["codec_type"] == "audio")
    assert [one["tags"]["language"] for one in (first, second)] == ["eng", "fra"]
    assert [one["disposition"]["default"] for one in (first, second)] == [0, 1]
    assert "Commentary" in second["tags"].values()
    assert chapters(result) == [(0.0, 0.5, "One"), (0.5, 1.2, "Two")]
    kinds = [one["codec_name"] for one in about["streams"] if one["codec_type"] == "subtitle"]
    if result == "out.mkv":
        assert kinds == ["subrip"]
        assert subtitles(result) == subtitles("named.mkv")
    else:
        assert "subtitles (srt)" in lines[0]


def test_chapters_of_a_part(video, plain, place):
    (place / "tags.txt").write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=300\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=300\nEND=1200\ntitle=Two\n"
    )
    (place / "words.srt").write_text("1\n00:00:00,600 --> 00:00:00,700\nHello\n")
    named(plain)
    part = ("--start", 0.5, "--end", 1)
    assert video("named.mkv", "-o", "out.mkv", "-b", "none", *part)[0] == 0
    assert chapters("out.mkv") == [(0.0, 0.5, "Two")]
    (before,), (after,) = subtitles("named.mkv"), subtitles("out.mkv")
    assert after == pytest.approx(before - 0.5, abs=0.03)  # at a whole picture


@pytest.mark.parametrize("result", ["out.mov", "out.mp4", "out.mkv"])
def test_the_timecode_is_kept(video, place, result):
    clip("in.mov", "-timecode", "01:02:03:04")
    assert video("in.mov", "-o", result, "-b", "none")[0] == 0
    about = ffprobe(result, "-show_streams", "-show_format")
    tags = [holder.get("tags", {}) for holder in (about["format"], *about["streams"])]
    assert "01:02:03:04" in [
        value for one in tags for key, value in one.items() if key.lower() == "timecode"
    ]
    code, lines = video("in.mov", "-o", "part.mov", "-b", "none", "--start", "0.5")
    assert (code, "the timecode" in lines[0]) == (0, True)


def test_interlaced_pictures_are_not_kept(video, place):
    clip("in.mp4")
    assert refused(
        video("in.mp4", "-o", "out.mp4", "--keep-interlaced"), "--keep-interlaced", "leave"
    )
