"""`realtime-bg video` as users run it: every picture at its time, the sound as it was, and what is
left of a run that was stopped. FFmpeg's own programs make the clips and look at the results."""

import contextlib
import hashlib
import io
import itertools
import os
import re
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers import graphs
from helpers.clips import (
    COUNT,
    HEIGHT,
    NEEDS_FFMPEG,
    PERSON,
    ROOM,
    TONE,
    WIDTH,
    clip,
    decoded,
    far,
    ffmpeg,
    ffprobe,
    picture,
    refused,
    sound,
    stream,
    times,
)
from helpers.waiting import until
from PIL import Image as Pillow

from realtime_bg.errors import SinkError
from realtime_bg.settings import load
from realtime_bg.videos import convert as videos
from realtime_bg.videos import encoding, resuming
from realtime_bg.videos import sound as sound_of_videos
from realtime_bg.videos.codings import PartWriter
from realtime_bg.videos.parts import parts_folder

pytestmark = [pytest.mark.usefixtures("place"), NEEDS_FFMPEG]

PHONE = [
    0,
    33,
    67,
    100,
    167,
    200,
    233,
    300,
    333,
    367,
    400,
    533,
    567,
    600,
    633,
    667,
    700,
    733,
    767,
    967,
    1000,
    1033,
    1067,
    1100,
]  # milliseconds: a phone leaves pictures out
CLASSICAL = ("--engine", "threshold", "--background", "blue")


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    """What phones write: turned by a note in the file, at an irregular rate, with AAC."""
    folder = tmp_path_factory.mktemp("phone")
    flat = clip(folder / "flat.mp4", times=PHONE)
    ffmpeg("-i", flat, "-c", "copy", "-metadata:s:v", "rotate=90", folder / "phone.mp4")
    return folder / "phone.mp4"


# Every picture at its own time, upright, with its sound


def test_an_old_phones_video_survives(video, phone):
    code, lines = video(phone, "-o", "out.mp4", "-b", "#00ff00")
    assert (code, lines) == (0, ["realtime-bg: written: out.mp4"])
    assert times("out.mp4") == times(phone)
    assert len(times(phone)) == COUNT
    assert (
        len({round(b - a, 3) for a, b in itertools.pairwise(times(phone))}) > 3
    )  # it is irregular
    assert sound("out.mp4") == sound(phone)  # the same bytes at the same moments
    out, before = decoded("out.mp4"), decoded(phone)
    assert out.shape == before.shape == (COUNT, WIDTH, HEIGHT, 3)
    assert not any("rotation" in data for data in stream("out.mp4").get("side_data_list", []))
    for new, old in zip(out, before, strict=True):
        person, room = far(old, PERSON) < 10, far(old, ROOM) < 10
        person = cv2.erode(person.astype(np.uint8), np.ones((9, 9))) > 0
        room = cv2.erode(room.astype(np.uint8), np.ones((9, 9))) > 0
        assert person.sum() > 300
        assert far(new, PERSON)[person].mean() < 7
        assert far(new, (0, 255, 0))[room].mean() < 12


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_turned_as_the_file_says(video, plain, angle, place):
    ffmpeg("-i", plain, "-c", "copy", "-metadata:s:v", f"rotate={angle}", "turned.mp4")
    assert video("turned.mp4", "-o", "out.mp4", "-b", "none")[0] == 0
    before, out = decoded("turned.mp4"), decoded("out.mp4")
    assert out.shape == before.shape
    assert np.abs(out - before).mean() < 3


@pytest.mark.parametrize(
    ("colours", "tags"),
    [
        (("-color_range", "pc", "-colorspace", "bt709"), ("pc", "bt709")),
        (("-color_range", "tv", "-colorspace", "bt709"), ("tv", "bt709")),
        (("-color_range", "tv", "-colorspace", "smpte170m"), ("tv", "smpte170m")),
    ],
)
def test_range_and_matrix_are_kept(video, place, colours, tags):
    matrix = "bt709" if "bt709" in colours else "bt601"
    clip(
        "in.mp4",
        "-vf",
        f"scale=out_range={tags[0]}:out_color_matrix={matrix}",
        *colours,
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
    )
    assert video("in.mp4", "-o", "out.mp4", "-b", "none")[0] == 0
    after = stream("out.mp4")
    assert (after["color_range"], after["color_space"]) == tags
    assert (after["color_primaries"], after["color_transfer"]) == ("bt709", "bt709")
    before, out = decoded("in.mp4"), decoded("out.mp4")
    assert np.abs(out - before).mean() < 2
    assert np.abs(out.mean(axis=(0, 1, 2)) - before.mean(axis=(0, 1, 2))).max() < 1.5


def test_pictures_that_begin_after_the_sound(video, plain, place):
    ffmpeg(
        "-itsoffset",
        0.3,
        "-i",
        plain,
        "-i",
        plain,
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        "late.mkv",
    )
    assert video("late.mkv", "-o", "out.mkv", bright=False, *CLASSICAL)[0] == 0  # noqa: B026
    assert times("late.mkv")[0] - sound("late.mkv")[0][0] > 0.25
    assert times("out.mkv") == pytest.approx(times("late.mkv"), abs=0.0011)
    after, before = sound("out.mkv"), sound("late.mkv")
    assert [data for _, data in after] == [data for _, data in before]
    assert [at for at, _ in after] == pytest.approx([at for at, _ in before], abs=0.0011)


@pytest.mark.parametrize(
    ("name", "codec"), [("o.mp4", "h264"), ("o.mov", "h264"), ("o.mkv", "h264"), ("o.webm", "vp9")]
)
def test_every_kind_of_file_with_and_without_sound(video, plain, place, name, codec):
    ffmpeg("-i", plain, "-c:v", "copy", "-c:a", "libopus", "opus.mkv")
    source = "opus.mkv" if name == "o.webm" else plain
    assert video(source, "-o", name, *CLASSICAL, bright=False)[0] == 0
    assert stream(name)["codec_name"] == codec
    late = sound(name)[0][0] - sound(source)[0][0]  # Matroska has no times before 0
    assert sound(name) == [
        (pytest.approx(at + late, abs=0.0011), data) for at, data in sound(source)
    ]
    assert times(name) == pytest.approx(np.add(times(source), late), abs=0.0011)
    assert video(source, "-o", f"no.{name}", "--no-sound", *CLASSICAL, bright=False)[0] == 0
    assert sound(f"no.{name}") == []


def test_a_clip_without_sound(video, place):
    clip("silent.mp4", sound=())
    assert video("silent.mp4", "-o", "out.mp4", *CLASSICAL, bright=False)[0] == 0
    assert sound("out.mp4") == []
    assert len(times("out.mp4")) == COUNT


@pytest.mark.skipif(sys.platform == "win32", reason="no colon in names there")
def test_a_colon_in_a_name_is_no_protocol(video, place):
    clip("plain.mkv")
    (place / "10:30.mkv").symlink_to("plain.mkv")
    assert video("10:30.mkv", "-o", "11:30.mkv")[0] == 0
    made = place / "11:30.mkv"
    assert times(made) == times("plain.mkv")
    assert sound(made) == sound("plain.mkv")


def test_two_languages_stay_two(video, plain, place):
    ffmpeg(
        "-i",
        plain,
        "-f",
        "lavfi",
        "-i",
        "sine=880:duration=1",
        "-map",
        "0",
        "-map",
        "1:a",
        "-c:v",
        "copy",
        "-c:a",
        "aac",
        "two.mkv",
    )
    assert video("two.mkv", "-o", "out.mkv", *CLASSICAL, bright=False)[0] == 0
    kinds = [one["codec_type"] for one in ffprobe("out.mkv", "-show_streams")["streams"]]
    assert kinds == ["video", "audio", "audio"]
    assert len(sound("out.mkv")) == len(sound("two.mkv"))


def test_a_part_of_it_with_its_sound(video, phone):
    assert (
        video(phone, "-o", "out.mp4", "-b", "none", "--start", "0.35", "--end", "0:00:00.75")[0]
        == 0
    )
    kept = [at for at in times(phone) if 0.35 <= at < 0.75]
    assert times("out.mp4") == pytest.approx([at - 0.35 for at in kept], abs=0.002)
    first = times(phone).index(kept[0])
    assert np.abs(decoded("out.mp4") - decoded(phone)[first : first + len(kept)]).mean() < 3
    before, after = dict(map(reversed, sound(phone))), sound("out.mp4")
    assert 14 < len(after) < 20
    for at, data in after:
        assert at == pytest.approx(before[data] - 0.35, abs=0.002)


def test_odd_sizes(video, place):
    odd = [np.ascontiguousarray(picture(n)[:63, :95]) for n in range(COUNT)]
    clip("odd.mkv", "-pix_fmt", "yuv444p", pictures=odd)
    assert video("odd.mkv", "-o", "out.mp4", "-b", "none")[0] == 0
    assert decoded("out.mp4").shape == (COUNT, 62, 94, 3)
    assert video("odd.mkv", "-o", "frames", "--alpha", "png-sequence")[0] == 0
    assert read_png("frames/000000.png").shape == (63, 95, 4)


def test_pixels_that_are_not_square(video, plain, place):
    ffmpeg("-i", plain, "-vf", "setsar=4/3", "wide.mp4")
    assert video("wide.mp4", "-o", "out.mp4", *CLASSICAL, bright=False)[0] == 0
    assert stream("out.mp4")["sample_aspect_ratio"] == "4:3"


# Backgrounds


def test_a_video_as_background_at_its_own_time(video, plain, place):
    shades = [np.full((HEIGHT, WIDTH, 3), 8 * n, np.uint8) for n in range(COUNT)]
    clip("shades.mp4", sound=(), pictures=shades)
    assert video(plain, "-o", "out.mp4", "-b", "shades.mp4")[0] == 0
    corner, shade = (
        decoded(name)[:, :15, :8].mean(axis=(1, 2, 3)) for name in ("out.mp4", "shades.mp4")
    )
    assert corner == pytest.approx(shade, abs=3)


@pytest.mark.parametrize("background", ["blur", "erase", "beach"])
def test_other_backgrounds_show_no_person_twice(video, plain, place, background):
    assert video(plain, "-o", "out.mp4", "-b", background)[0] == 0
    out = decoded("out.mp4")
    assert len(out) == COUNT
    at = np.s_[34:60, 20 + 20 - 4 : 20 + 20 + 4]
    if background == "erase":
        assert far(out[20][at], ROOM).mean() < 12  # the walker is gone
    else:
        assert far(out[20][at], PERSON).mean() < 12
        assert background == "beach" or far(out[20][:, 85:], PERSON).min() > 40


# Transparent


def read_png(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def check_cut_out(images, top=255, person=6):
    """RGBA pictures: the walker opaque, the room transparent and black, at every step."""
    assert len(images) == COUNT
    for index, image in enumerate(images):
        truth = far(picture(index).astype(int), PERSON) < 2
        inside = cv2.erode(truth.astype(np.uint8), np.ones((7, 7))) > 0
        outside = cv2.dilate(truth.astype(np.uint8), np.ones((11, 11))) == 0
        assert image[..., 3][inside].min() > 0.97 * top
        assert image[..., 3][outside].max() < 0.02 * top
        colour = image[..., :3] * (255 / top)
        assert far(colour, PERSON[::-1])[inside].mean() < person
        assert colour[outside].mean() < 4


@pytest.mark.parametrize("name", ["out.mov", "out.mkv"])
def test_prores(video, phone, plain, name):
    assert video(plain, "-o", name, "--alpha", "prores4444")[0] == 0
    about = stream(name)
    assert about["codec_name"] == "prores"
    assert about["profile"] == "4444"
    assert about["pix_fmt"].startswith("yuva444p1")
    if name.endswith(".mov"):
        assert about["codec_tag_string"] == "ap4h"
    check_cut_out(decoded(name, "rgba64le"), top=65535, person=8)
    assert [data for _, data in sound(name)] == [data for _, data in sound(plain)]


@pytest.mark.parametrize(
    ("kind", "name"), [("vp9", "o.webm"), ("vp9", "o.mkv"), ("webm", "o.webm")]
)
def test_vp9(video, plain, kind, name):
    assert video(plain, "-o", name, "--alpha", kind, "--no-sound")[0] == 0
    about = stream(name)
    assert about["codec_name"] == "vp9"
    assert {key.lower(): value for key, value in about["tags"].items()}["alpha_mode"] == "1"
    check_cut_out(decoded(name, "rgba", "-c:v", "libvpx-vp9"), person=12)
    assert times(name) == pytest.approx(times(plain), abs=0.0011)


def test_a_png_for_every_picture(video, phone, place):
    ffmpeg("-i", phone, "-metadata:s:v", "rotate=0", "-c", "copy", "flat.mp4")
    assert video("flat.mp4", "-o", "frames", "--alpha", "png-sequence")[0] == 0
    names = sorted(path.name for path in (place / "frames").glob("*.png"))
    assert names == [f"{n:06d}.png" for n in range(COUNT)]
    check_cut_out(
        [
            cv2.cvtColor(read_png(place / "frames" / name), cv2.COLOR_BGRA2RGBA).astype(int)
            for name in names
        ]
    )
    found = times(place / "frames/frames.ffconcat")
    assert found == pytest.approx(times(phone), abs=0.05)  # FFmpeg takes PNGs at 25 a second
    lines = (place / "frames/frames.ffconcat").read_text().splitlines()
    lasting = [float(line.split()[1]) for line in lines if "duration" in line]
    assert lasting[:-1] == pytest.approx(np.diff(times(phone)), abs=1e-5)


@pytest.mark.parametrize("transparent", [True, False])
def test_gif(video, plain, place, transparent):
    how = ("--alpha", "gif") if transparent else ("-b", "#00ff00")
    assert video(plain, "-o", "out.gif", *how)[0] == 0
    with Pillow.open("out.gif") as file:
        assert file.n_frames == COUNT
        assert file.info["loop"] == 0
        for index in (0, 10, COUNT - 1):
            file.seek(index)
            assert file.info["duration"] == 50
            full = np.asarray(file.convert("RGBA")).astype(int)
            x = 20 + index
            assert far(full[40:60, x - 5 : x + 5, :3], PERSON[::-1]).max() < 16
            corner = full[:10, -8:]
            assert (corner[..., 3] == (0 if transparent else 255)).all()
            assert transparent or far(corner[..., :3], (0, 255, 0)).max() < 8


def test_a_gif_of_a_fast_clip_lasts_as_long(video, place, tmp_path):
    """Browsers show pictures that last 1/100 s for 1/10 s."""
    fast = clip(tmp_path / "fast.mp4", times=[round(1000 * n / 60) for n in range(COUNT)])
    assert video(fast, "-o", "out.gif", "-b", "#00ff00")[0] == 0
    with Pillow.open("out.gif") as file:
        lasting = [file.seek(index) or file.info["duration"] for index in range(file.n_frames)]
    assert min(lasting[:-1]) >= 20
    assert sum(lasting[:-1]) == pytest.approx(1000 * COUNT / 60, abs=60)


def test_matte_and_foreground_in_two_files(video, plain, place):
    code, lines = video(plain, "-o", "out.mp4", "--alpha", "matte")
    assert (code, lines) == (0, ["realtime-bg: written: out.foreground.mp4, out.matte.mp4"])
    matte, colour = decoded("out.matte.mp4", "rgb24"), decoded("out.foreground.mp4", "rgb24")
    check_cut_out(np.concatenate([colour, matte[..., :1]], axis=-1), person=8)
    assert sound("out.foreground.mp4") == sound(plain)
    assert sound("out.matte.mp4") == []
    assert sorted(path.name for path in place.iterdir()) == ["out.foreground.mp4", "out.matte.mp4"]


def test_a_recurrent_engine_is_warm_at_the_first_picture(video, place, tmp_path_factory):
    path = graphs.remembering(tmp_path_factory.mktemp("rvm") / "slow.onnx")
    clip("still.mp4", pictures=[picture(5)] * COUNT)
    assert (
        video(
            "still.mp4",
            "-o",
            "out.mp4",
            "--alpha",
            "matte",
            "-e",
            "rvm",
            "--model",
            path,
            bright=False,
        )[0]
        == 0
    )
    bright = decoded("out.matte.mp4")[:, 40:60, 20:30].mean(axis=(1, 2, 3))
    assert bright[0] > 0.97 * bright[-1] > 150


# Stopped, killed, begun again


def results(folder):
    return sorted(path.name for path in folder.iterdir())


def fingerprint(path):
    return hashlib.sha256(decoded(path).tobytes()).hexdigest(), times(path), sound(path)


@pytest.fixture
def counted(monkeypatch):
    """How many pictures were encoded; parts of five."""
    seen = []
    add = PartWriter.add
    monkeypatch.setattr(encoding, "PART", 5)
    monkeypatch.setattr(PartWriter, "add", lambda *a: (seen.append(1), add(*a))[1])
    return seen


@pytest.mark.parametrize("kind", [(), ("--alpha", "matte")])
def test_an_interrupted_run_goes_on_where_it_was(video, phone, place, counted, monkeypatch, kind):
    tracks = 2 if kind else 1
    made = ["out.foreground.mp4", "out.matte.mp4"] if kind else ["out.mp4"]
    over = kind or ("-b", "blue")
    assert video(phone, "-o", "whole.mp4", *over)[0] == 0
    assert len(counted) == COUNT * tracks
    counted.clear()
    counting = PartWriter.add

    def interrupted(*arguments):
        counting(*arguments)
        if len(counted) == 12 * tracks:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(PartWriter, "add", interrupted)
        code, lines = video(phone, "-o", "out.mp4", *over)
    assert (code, lines) == (130, ["realtime-bg: interrupted; the same command resumes from here"])
    assert not any((place / name).exists() for name in made)
    assert parts_folder(place / "out.mp4").is_dir()
    counted.clear()
    assert video(phone, "-o", "out.mp4", *over)[0] == 0
    assert len(counted) == (COUNT - 12) * tracks  # a stop finishes the part it is at
    assert not parts_folder(place / "out.mp4").exists()
    for name in made:
        old, new = fingerprint(name.replace("out", "whole")), fingerprint(name)
        assert new[1:] == old[1:]
        assert np.abs(decoded(name) - decoded(name.replace("out", "whole"))).mean() < 2


@pytest.fixture
def stopped(video, counted, monkeypatch):
    """Run `realtime-bg video`, and interrupt it at one of the pictures that are `counted`."""

    def run(*words, at):
        counted.clear()
        counting = PartWriter.add

        def interrupted(*arguments):
            counting(*arguments)
            if len(counted) == at:
                os.kill(os.getpid(), signal.SIGINT)

        with monkeypatch.context() as patched:
            patched.setattr(PartWriter, "add", interrupted)
            assert video(*words)[0] == 130
        counted.clear()

    return run


def test_parts_of_another_job_are_not_used(video, plain, place, counted, stopped):
    stopped(plain, "-o", "out.mp4", "-b", "blue", at=12)
    code, lines = video(plain, "-o", "out.mp4", "-b", "#00ff00")
    assert code == 0
    assert "are from another job; starting again" in lines[0]
    assert len(counted) == COUNT
    assert far(decoded("out.mp4")[:, :10, -8:], (0, 255, 0)).mean() < 8


def test_parts_of_two_jobs_are_never_mixed(video, plain, place, stopped):
    stopped(plain, "-o", "out.mp4", "-b", "blue", at=12)
    stopped(plain, "-o", "out.mp4", "-b", "#00ff00", at=5)
    assert video(plain, "-o", "out.mp4", "-b", "#00ff00")[0] == 0
    assert far(decoded("out.mp4")[:, :10, -8:], (0, 255, 0)).mean(axis=(1, 2)).max() < 8
    assert times("out.mp4") == times(plain)


def test_a_run_that_fails_early_leaves_the_parts_of_another(video, place, stopped, monkeypatch):
    clip("wma.mkv", "-c:a", "wmav2")
    stopped("wma.mkv", "-o", "out.mp4", "-b", "blue", "--no-sound", at=7)
    parts = parts_folder(place / "out.mp4")
    before = results(parts)
    monkeypatch.setitem(sound_of_videos.ENCODERS, ".mp4", ())
    code, lines = video("wma.mkv", "-o", "out.mp4", "-b", "blue")
    assert (code, "cannot store the sound" in lines[0]) == (2, True)
    assert set(before) <= set(results(parts))
    assert not (parts / "owner").exists()


def test_a_killed_run_goes_on(place, phone):
    """SIGKILL in the middle, of the real program: the rest is done, the result is whole."""
    long = place / "long.mp4"
    ffmpeg("-stream_loop", 29, "-i", phone, "-c", "copy", long)
    words = [
        sys.executable,
        "-m",
        "realtime_bg",
        "video",
        str(long),
        "-o",
        "out.mp4",
        *CLASSICAL,
    ]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as child:
        parts = parts_folder(place / "out.mp4")
        until(lambda: (parts / "000001.json").exists() or child.poll() is not None)
        assert child.poll() is None, child.stderr.read()
        child.kill()
    assert results(place) == [".out.mp4.parts", "long.mp4"]
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("00000[01].*")}
    ended = subprocess.run([*words, "-v"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert len(kept) == 4
    assert results(place) == ["long.mp4", "out.mp4"]
    assert times("out.mp4") == times(long)
    assert len(times(long)) == 30 * COUNT
    assert sound("out.mp4") == sound(long)


def test_two_at_the_same_file(video, plain, place):
    parts = parts_folder(place / "out.mp4")
    parts.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (parts / "owner").write_text(str(other.pid))
        assert refused(video(plain, "-o", "out.mp4"), f"is being written by process {other.pid}")
        other.stdin.close()
    assert video(plain, "-o", "out.mp4")[0] == 0  # an owner that is gone stops nobody


def test_a_number_that_is_another_process_after_a_restart_stops_nobody(video, plain, place):
    parts = parts_folder(place / "out.mp4")
    parts.mkdir()
    (parts / "owner").write_text(str(os.getppid()))
    os.utime(parts / "owner", (0, 0))  # long before that one began
    assert video(plain, "-o", "out.mp4")[0] == 0


def test_a_part_that_the_power_cut_short_is_made_again(video, plain, place, counted, stopped):
    stopped(plain, "-o", "out.mp4", "-b", "blue", at=12)
    part = parts_folder(place / "out.mp4") / "000001.video"
    part.write_bytes(part.read_bytes()[:50])
    assert video(plain, "-o", "out.mp4", "-b", "blue")[0] == 0
    assert len(counted) == COUNT - 5
    assert times("out.mp4") == times(plain)


def test_what_is_there_stays_until_overwrite(video, plain, place):
    (place / "out.mp4").write_bytes(b"mine")
    assert refused(video(plain, "-o", "out.mp4"), "out.mp4 already exists; give --overwrite")
    assert (place / "out.mp4").read_bytes() == b"mine"
    assert video(plain, "-o", "out.mp4", "--overwrite")[0] == 0
    assert len(times("out.mp4")) == COUNT
    (place / "out.matte.mov").write_bytes(b"mine")
    assert refused(video(plain, "-o", "out.mov", "--alpha", "matte"), "out.matte.mov already")


def test_a_stop_that_comes_too_late_is_none(video, plain, place, monkeypatch):
    replace = videos._replace

    def late(*paths):
        os.kill(os.getpid(), signal.SIGINT)
        replace(*paths)

    monkeypatch.setattr(videos, "_replace", late)
    code, lines = video(plain, "-o", "out.mp4")
    assert (code, results(place)) == (0, ["out.mp4"])
    assert "written: out.mp4" in lines[-1]


def test_the_advice_for_a_sound_is_one_that_helps(video, place, monkeypatch):
    for suffix in (".mp4", ".webm"):
        monkeypatch.setitem(sound_of_videos.ENCODERS, suffix, ("nosuch",))
    clip("phone.avi", "-c:a", "pcm_mulaw", "-ar", "8000")
    advice = "nor can it be converted; use .mov for the output, or"
    assert refused(video("phone.avi", "-o", "out.mp4"), "(pcm_mulaw)", advice)
    assert refused(video("phone.avi", "-o", "o.webm", "--alpha", "webm"), "(pcm_mulaw)", "; leave")
    assert video("phone.avi", "-o", "out.mov")[0] == 0
    assert [len(sound(name)) > 0 for name in ("phone.avi", "out.mov")] == [True, True]


def test_a_folder_of_pictures_is_replaced_as_a_whole(video, plain, place):
    (place / "frames").mkdir()
    (place / "frames/000099.png").write_bytes(b"old")
    assert refused(video(plain, "-o", "frames", "--alpha", "png-sequence"), "--overwrite")
    assert video(plain, "-o", "frames", "--alpha", "png-sequence", "--overwrite")[0] == 0
    assert not (place / "frames/000099.png").exists()
    assert results(place) == ["frames"]


@pytest.mark.parametrize("target", ["pictures", "."])
def test_a_folder_with_other_things_in_it_is_not_replaced(video, plain, place, target):
    (place / "pictures").mkdir(exist_ok=True)
    (place / "pictures/diary.txt").write_text("mine")
    (place / "diary.txt").write_text("mine")
    words = "-o", target, "--alpha", "png-sequence", "--overwrite"
    assert refused(
        video(plain, *words), "which is not part of an image sequence; choose a new folder"
    )
    assert (place / "pictures/diary.txt").read_text() == "mine"


def test_an_error_leaves_what_was_there(video, plain, place, monkeypatch):
    (place / "out.mp4").write_bytes(b"mine")

    def full(*_):
        raise SinkError("out.mp4: cannot be written (No space left on device)")

    monkeypatch.setattr(videos.joining, "join_video", full)
    assert refused(video(plain, "-o", "out.mp4", "--overwrite"), "No space left on device")
    assert (place / "out.mp4").read_bytes() == b"mine"


def test_a_job_is_all_that_its_pictures_depend_on(place):
    (place / "show").mkdir()
    names = ("second.onnx", "plate.png", "fill.onnx", "show/1.png", "show/2.png")
    flags = {
        "engine.combine.model": "second.onnx",
        "engine.plate.file": "plate.png",
        "background.inpaint": "fill.onnx",
        "background.current": "show",
    }

    def job(**more):
        return resuming.job(load(flags=flags | more), place / "in.mp4", videos.VideoOptions())

    for name in names:
        (place / name).write_bytes(b"1")
    before = job()
    assert job() == before
    for name in names:
        (place / name).write_bytes(b"12")
        assert job() != before, name
        before = job()
    assert job(**{"harmonise.match": 0.5}) != before


# What cannot be


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_file_that_was_cut_off_gives_what_it_has_and_says_so(video, place, name):
    noise = np.random.default_rng(1).integers(0, 255, (80, HEIGHT, WIDTH, 3), np.uint8)
    long = ("-f", "lavfi", "-i", "sine=440:duration=4")
    clip(f"whole{name[3:]}", "-movflags", "+faststart", sound=long, pictures=list(noise))
    data = (place / f"whole{name[3:]}").read_bytes()
    (place / name).write_bytes(data[: len(data) // 2])
    code, lines = video(name, "-o", "out.mp4", *CLASSICAL, bright=False)
    assert (code, len(lines)) == (0, 2), lines
    assert "the video ends at" in lines[0]
    assert "but its header says 4.0 s; is the file complete?" in lines[0]
    assert 20 < len(times("out.mp4")) < 60


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("none.mp4", "-o", "o.mp4"), "none.mp4': no such file"),
        (("junk.mp4", "-o", "o.mp4"), "junk.mp4: cannot be read as video"),
        (("half.mp4", "-o", "o.mp4"), "half.mp4: cannot be read as video"),
        (("empty.mp4", "-o", "o.mp4"), "empty.mp4: cannot be read as video"),
        (("tone.m4a", "-o", "o.mp4"), "contains no video"),
        (("still.png", "-o", "o.mp4"), "is a still picture; use: realtime-bg image"),
        (("in.mp4", "-o", "in.mp4", "--overwrite"), "in.mp4 is the source itself"),
        (("in.mp4", "-o", "link.mp4", "--overwrite"), "link.mp4 is the source itself"),
        (("in.mp4", "-o", "behind.png", "--overwrite", "-b", "behind.png"), "ends in .mp4"),
        (
            ("in.mp4", "-o", "behind.mp4", "--overwrite", "-b", "behind.mp4"),
            "one of the backgrounds",
        ),
        (("in.mp4", "-o", "o.avi"), "ends in .mp4, .mkv, .mov, .webm, .gif"),
        (("in.mp4", "-o", "o"), "ends in .mp4"),
        (("in.mp4", "-o", "o.mp4", "--alpha", "webm"), "with --alpha webm ends in .webm"),
        (("in.mp4", "-o", "o.png", "--alpha", "png-sequence"), "is a folder's, without suffix"),
        (("in.mp4", "-o", "o.mp4", "--alpha", "apng"), "--alpha"),
        (("in.mp4", "-o", "o.webm", "--alpha", "vp9", "-b", "red"), "leave --background out"),
        (("in.mp4", "-o", "file/o.mp4"), "cannot be written"),
        (("in.mp4", "-o", "o.mp4", "-b", "nosuch.jpg"), "background 'nosuch.jpg'"),
        (
            ("in.mp4", "-o", "o.mp4", "--start", "2", "--end", "1"),
            "the end must come after the start",
        ),
        (("in.mp4", "-o", "o.mp4", "--start", "noon"), "--start 'noon': write seconds"),
        (("in.mp4", "-o", "o.mp4", "--start", "100"), "no frames in this time span"),
        (("in.mp4", "-o", "~nosuchuser/o.mp4"), "there is no user nosuchuser"),
        (("~nosuchuser/in.mp4", "-o", "o.mp4"), "there is no user nosuchuser"),
        (("in.mp4",), "Missing option"),
        (("-o", "o.mp4"), "Missing argument"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(video, plain, place, words, why):
    data = plain.read_bytes()
    (place / "in.mp4").write_bytes(data)
    (place / "link.mp4").symlink_to("in.mp4")
    (place / "behind.mp4").write_bytes(data)
    (place / "junk.mp4").write_bytes(b"junk" * 500)
    (place / "half.mp4").write_bytes(data[: len(data) // 2])  # its index was at the end
    (place / "empty.mp4").write_bytes(b"")
    (place / "file").write_text("")
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(buffer, "PNG")
    for name in ("still.png", "behind.png"):
        (place / name).write_bytes(buffer.getvalue())
    if "tone.m4a" in words:
        ffmpeg(*TONE, "-c:a", "aac", "tone.m4a")
    before = results(place)
    assert refused(video(*words), why)
    assert results(place) == before
    assert (place / "in.mp4").read_bytes() == data


def test_a_background_of_the_list_that_is_gone_is_not_missed(video, plain, place):
    (place / "config.yaml").write_text("background:\n  items: [gone.jpg, blur]\n")
    code, lines = video(plain, "-o", "o.mp4", "--config", "config.yaml", "-b", "blue")
    assert code == 0, lines


@pytest.mark.parametrize(
    ("output", "options", "made"),
    [
        ("new/", (), "new/plain.mp4"),
        ("there", (), "there/plain.mp4"),
        ("there/", ("--alpha", "prores4444"), "there/plain.mov"),
        ("there", ("--alpha", "webm"), "there/plain.webm"),
    ],
)
def test_in_a_folder_the_result_keeps_the_name(video, plain, place, output, options, made):
    (place / "there").mkdir()
    code, lines = video(plain, "-o", output, *options)
    assert (code, lines[-1]) == (0, f"realtime-bg: written: {made}")
    assert (place / made).stat().st_size > 0


def test_the_folder_of_the_video_itself_is_refused(video, plain, place):
    before = plain.read_bytes()
    mine = place / "mine.mp4"
    mine.write_bytes(before)
    for folder in ("./", ".", str(place)):
        code, lines = video(mine, "-o", folder)
        assert (code, len(lines)) == (2, 1), lines
        assert "already exists" in lines[0]
        code, lines = video(mine, "-o", folder, "--overwrite")
        assert (code, len(lines)) == (2, 1), lines
        assert "is the source itself" in lines[0]
    assert mine.read_bytes() == before


def test_a_folder_inside_the_folder_is_no_video_file(video, plain, place):
    (place / "out/plain.mp4").mkdir(parents=True)
    assert refused(video(plain, "-o", "out", "--overwrite"), "it is a folder")


def test_an_engine_that_cannot_be_had(video, plain):
    words = (plain, "-o", "o.mp4", "--engine", "rvm", "--offline")
    assert refused(video(*words, bright=False), "realtime-bg models fetch")


def test_the_bar_on_a_terminal_tells_rate_and_rest(plain, place):
    pty = pytest.importorskip("pty", reason="no terminals like this here")
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "realtime_bg", "video", plain, "-o", "out.mp4", *CLASSICAL]
    with os.fdopen(ours, "rb", 0) as screen:
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
        with subprocess.Popen(words, stderr=theirs, env=environment) as child:
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # the other end is closed
                while data := screen.read(4096):
                    shown += data
        assert child.returncode == 0
    text = re.sub(r"\x1b\[[\d;]*m", "", shown.decode())  # colours
    assert re.search(rf"{COUNT}/{COUNT} frames [1-9][\d.]* fps \d:\d\d:\d\d", text)
