"""Recordings and snapshots: their names, their folder, and what becomes of them when they fail."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.waiting import until

from realtime_bg.frames import Composite
from realtime_bg.live import recordings as module
from realtime_bg.live.recordings import (
    Recordings,
    beside_what_is_there,
    media_folder,
    new_name,
    numbered,
)
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

IMAGE = np.full((4, 6, 3), (10, 20, 30), np.uint8)


class Rig:
    def __init__(self, folder):
        self.folder = folder
        self.live, self.stats = Live(load(flags={"output.folder": str(folder)})), Stats()
        self.recordings = Recordings(self.live, self.stats)

    def follow(self, record):
        self.live.update(output__record=record)
        return self.recordings.follow(self.live.now.output)

    def snapshot(self):
        before = self.recordings.saved
        self.live.modify(lambda s: {"snapshots": s.snapshots + 1})
        self.recordings.take_snapshots(Composite(IMAGE, 0, 0.0))
        return self.recordings.next_saved(before, 20)


@pytest.fixture
def rig(tmp_path, monkeypatch):
    monkeypatch.setattr(module.time, "strftime", lambda pattern, *_: pattern)  # a second that lasts
    return Rig(tmp_path / "own")


def test_a_recording_has_one_file_until_it_ends(rig, caplog):
    assert rig.follow(False) == []
    assert rig.stats.recording_since is None
    (first,) = rig.follow(True)
    assert rig.follow(True) == [first]
    assert first.startswith(str(rig.folder / "realtime-bg-"))
    assert first.endswith(".mp4")
    assert rig.recordings.file == first
    assert rig.stats.current_notice() == f"recording {first}"
    assert rig.stats.recording_since is not None
    assert rig.follow(False) == []
    assert rig.recordings.file == ""
    assert rig.stats.recording_since is None
    assert rig.stats.current_notice() == f"recorded {first}"
    assert f"recorded {first}" in caplog.text
    caplog.clear()
    assert rig.follow(False) == []
    assert "recorded" not in caplog.text


def test_a_second_recording_within_a_second_has_another_name(rig):
    (first,) = rig.follow(True)
    rig.follow(False)
    (second,) = rig.follow(True)
    assert second == first.removesuffix(".mp4") + "-2.mp4"


def test_a_folder_that_cannot_be_made_ends_the_recording(rig, caplog):
    rig.folder.write_text("a file")
    assert rig.follow(True) == []
    assert rig.live.now.output.record is False
    assert rig.recordings.file == ""
    assert rig.stats.recording_since is None
    assert rig.stats.current_notice() == (
        f"cannot record to {rig.folder} (File exists); give another output.folder"
    )
    assert "cannot record to" in caplog.text


def test_an_output_that_fails_ends_the_recording_only_if_it_is_it(rig):
    (file,) = rig.follow(True)
    assert rig.recordings.failed("talk.mp4", "full") is False
    assert rig.recordings.file == file
    assert rig.live.now.output.record is True
    assert rig.recordings.failed(file, "the disk is full") is True
    assert rig.recordings.file == ""
    assert rig.live.now.output.record is False
    assert rig.live.refusals == {"output.record": "the disk is full"}


def test_every_snapshot_is_saved_once_and_under_its_own_name(rig, caplog):
    first, second = rig.snapshot(), rig.snapshot()
    assert first.endswith(".png")
    assert second == first.removesuffix(".png") + "-2.png"
    np.testing.assert_array_equal(cv2.imread(first), IMAGE)
    assert rig.stats.current_notice() == f"saved {second}"
    assert f"saved {first}" in caplog.text
    assert rig.recordings.saved == (2, second)
    rig.recordings.take_snapshots(Composite(IMAGE, 1, 0.0))  # none was asked for
    assert rig.recordings.next_saved((2, second), 0.05) is None
    assert len(list(rig.folder.iterdir())) == 2


def test_snapshots_that_were_asked_for_before_are_not_taken(rig):
    rig.live.modify(lambda s: {"snapshots": 5})
    later = Recordings(rig.live, rig.stats)
    later.take_snapshots(Composite(IMAGE, 0, 0.0))
    assert later.next_saved((0, ""), 0.05) is None
    assert later.saved == (0, "")


def test_a_snapshot_that_cannot_be_saved_is_told(rig, caplog):
    rig.folder.write_text("a file")
    text = rig.snapshot()
    assert text.startswith("the snapshot could not be saved: ")
    until(lambda: rig.stats.current_notice() == text)
    assert text in caplog.text


def test_without_a_folder_it_is_that_of_the_users_pictures(monkeypatch, tmp_path):
    monkeypatch.setattr(module.platformdirs, "user_pictures_dir", lambda: str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert media_folder(load().output) == tmp_path / "realtime-bg"
    own = load(flags={"output.folder": "~/clips"}).output
    assert media_folder(own) == tmp_path / "clips"


def test_names_are_made_of_the_time_and_taken_only_once(tmp_path):
    taken = set()
    first = new_name(tmp_path / "a/b", ".mp4", taken)
    assert first.parent.is_dir()
    assert re.fullmatch(r"realtime-bg-\d{8}-\d{6}\.mp4", first.name)
    assert taken == {first}


def test_a_file_of_another_run_in_the_same_second_is_kept(rig):
    (first,) = rig.follow(True)
    rig.follow(False)
    Path(first).touch()
    other = Recordings(rig.live, rig.stats)
    rig.live.update(output__record=True)
    assert other.follow(rig.live.now.output) == [first.removesuffix(".mp4") + "-2.mp4"]


def test_numbers_begin_at_two(tmp_path):
    names = numbered(tmp_path / "a.mp4")
    assert [next(names).name for _ in range(3)] == ["a.mp4", "a-2.mp4", "a-3.mp4"]


def test_a_video_that_is_there_is_kept(tmp_path, caplog):
    path = tmp_path / "talk.mp4"
    assert beside_what_is_there(str(path)) == str(path)
    path.touch()
    assert beside_what_is_there(str(path)) == str(tmp_path / "talk-2.mp4")
    assert "already exists and is kept" in caplog.text
    (tmp_path / "talk-2.mp4").touch()
    assert beside_what_is_there(str(path)) == str(tmp_path / "talk-3.mp4")
    assert beside_what_is_there("null") == "null"


@pytest.mark.parametrize("spec", ["virtualcam", "null", "clips.mp4"])
def test_what_is_no_file_is_left_as_it_is(place, caplog, spec):
    """Neither a device nor a folder can be written beside."""
    (place / "clips.mp4").mkdir()
    (place / "virtualcam").touch()
    assert beside_what_is_there(spec) == spec
    assert caplog.messages == []


def test_an_answer_that_was_known_is_not_given_again(rig):
    assert rig.recordings.next_saved((0, ""), 0) is None
    path = rig.snapshot()
    assert rig.recordings.next_saved((0, ""), 0) == path
    assert rig.recordings.next_saved((1, path), 0) is None


def test_snapshots_and_recordings_share_their_names(rig):
    (video,) = rig.follow(True)
    picture = rig.snapshot()
    assert Path(video).stem == Path(picture).stem
    rig.live.modify(lambda s: {"snapshots": s.snapshots + 5})  # many at once are one
    rig.recordings.take_snapshots(Composite(IMAGE, 0, 0.0))
    until(lambda: rig.recordings.saved[0] == 2)
    rig.recordings.take_snapshots(Composite(IMAGE, 0, 0.0))
    assert rig.recordings.saved[0] == 2


def test_the_end_of_no_recording_changes_nothing(rig):
    rig.recordings.end()
    rig.recordings.end()
    assert rig.recordings.file == ""
    assert rig.stats.recording_since is None
    assert rig.recordings.failed("talk.mp4", "full") is False
    assert rig.live.now.output.record is False
