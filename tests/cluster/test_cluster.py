"""`--cluster` on two real nodes: results as on one machine, whatever dies."""

import json

import cv2
import numpy as np
import pytest
from helpers.clips import NEEDS_FFMPEG, clip, decoded, picture, sound, times

from realtime_bg.cluster.hand import Hand
from realtime_bg.cluster.manifest import NAME
from realtime_bg.videos import segments

pytestmark = pytest.mark.usefixtures("place", "cluster")

THRESHOLD = ("-e", "threshold")
AUTO = ("--cluster", "auto")


def photos(folder, count=6):
    """Photos of a walk, and one that is none."""
    folder.mkdir()
    for index in range(count):
        cv2.imwrite(str(folder / f"{index}.png"), picture(7 * index))
    (folder / "bad.png").write_bytes(b"\x89PNG nonsense")
    return folder


def records(folder):
    lines = [json.loads(line) for line in (folder / NAME).read_text().splitlines()]
    return {line["unit"]: line for line in lines if "unit" in line}


def same_files(one, other, count):
    names = sorted(path.name for path in one.iterdir() if path.name[0] != ".")
    assert len(names) == count
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    return True


@pytest.mark.parametrize("shared", [True, False], ids=["common disk", "files are brought"])
def test_photos_are_those_of_one_machine(command, place, monkeypatch, shared):
    monkeypatch.setattr(Hand, "common_disk", shared)
    photos(place / "in")
    code, lines = command("image", "in", "-d", "one", *THRESHOLD)
    assert code == 1
    code, lines = command("image", "in", "-o", "many/", *AUTO, *THRESHOLD)
    assert code == 1
    assert "bad.png: cannot be read" in lines[-2]
    assert lines[-1] == f"realtime-bg: 6 done in {place / 'many'}, 1 failed"
    assert same_files(place / "one", place / "many", 6)
    found = records(place / "many")
    assert {key: line["state"] for key, line in found.items()} == {
        **{f"{index}.png": "done" for index in range(6)},
        "bad.png": "failed",
    }
    assert all(len(line["hash"]) == 64 for line in found.values() if line["state"] == "done")


def test_what_is_done_is_not_done_again(command, place):
    photos(place / "in")
    command("image", "in", "-o", "out/", *AUTO, *THRESHOLD)
    before = {path.name: path.stat().st_mtime_ns for path in (place / "out").glob("*.png")}
    (place / "out/3.png").unlink()
    cv2.imwrite(str(place / "in/bad.png"), picture(3))
    code, lines = command("image", "in", "-o", "out/", *AUTO, *THRESHOLD)
    assert code == 0
    assert "2 done" in lines[-1]
    assert "5 already existed" in lines[-1]
    after = {path.name: path.stat().st_mtime_ns for path in (place / "out").glob("*.png")}
    assert len(after) == 7
    assert {name for name in before if before[name] != after[name]} == {"3.png"}


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """760 pictures with sound: three parts and a bit."""
    folder = tmp_path_factory.mktemp("long")
    pictures = [picture(n % 60) for n in range(760)]
    tone = ("-f", "lavfi", "-i", "sine=440:sample_rate=44100:duration=38")
    return clip(folder / "long.mp4", sound=tone, pictures=pictures)


@NEEDS_FFMPEG
@pytest.mark.parametrize("shared", [True, False], ids=["common disk", "files are brought"])
def test_a_long_video_in_segments_is_that_of_one_machine(
    command, place, monkeypatch, long_clip, shared
):
    monkeypatch.setattr(Hand, "common_disk", shared)
    monkeypatch.setattr(segments, "LENGTH", 250)
    (place / "short.mp4").write_bytes(clip(place / "s.mp4").read_bytes())
    (place / "bad.mp4").write_bytes(long_clip.read_bytes()[:3000])
    words = (long_clip, "short.mp4", "bad.mp4", "-b", "blue", *THRESHOLD)
    assert command("video", *words, "-o", "one/")[0] == 1
    code, lines = command("video", *words, "-o", "many/", *AUTO)
    assert code == 1
    assert "bad.mp4: cannot be read as video" in lines[-2]
    assert lines[-1] == f"realtime-bg: 2 done in {place / 'many'}, 1 failed"
    for name in ("long.mp4", "short.mp4"):
        one, many = place / "one" / name, place / "many" / name
        assert times(many) == times(one)
        assert sound(many) == sound(one)
        assert np.abs(decoded(many) - decoded(one)).max() <= 1
    assert len(times(place / "many/long.mp4")) == 760
    left = sorted(path.name for path in (place / "many").iterdir())
    assert left == ["long.mp4", NAME, "short.mp4"]
