"""The demo source: deterministic, moving, and honest about its alpha."""

import threading
import time

import cv2
import numpy as np
import pytest
from helpers.waiting import PROMPT, until

from realtime_bg.settings import SourceSettings
from realtime_bg.sources._demo_person import portrait
from realtime_bg.sources.demo import DemoSource

SIZE = (320, 180)


def make(paced=False, **settings):
    return DemoSource("", SourceSettings(**{"size": SIZE, **settings}), paced)


@pytest.fixture
def source():
    opened = make()
    yield opened
    opened.close()


def test_contract(source):
    frames = []
    for frame in source:
        frames.append(frame)
        if len(frames) == 3:
            source.close()
    source.close()
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time for frame in frames] == pytest.approx([0, 1 / 30, 2 / 30])
    for frame in frames:
        assert frame.size == source.size == SIZE
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous
    assert not source.live
    assert source.fps == 30
    assert source.description == "demo: a portrait, 320x180 at 30 fps"


def test_defaults():
    source = DemoSource("", SourceSettings(), False)
    assert (source.size, source.fps) == ((1280, 720), 30.0)
    assert source.image(0).shape == (720, 1280, 3)


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (90, 160), (400, 100)])
def test_any_size(size):
    source = make(size=size)
    assert source.image(5).shape == (size[1], size[0], 3)
    assert source.alpha(5).shape == (size[1], size[0])


def test_deterministic_by_index_and_moving(source):
    again = make()
    assert np.array_equal(source.image(40), again.image(40))
    assert np.array_equal(source.alpha(40), again.alpha(40))
    first, later = source.alpha(0), source.alpha(40)
    assert np.abs(first - later).mean() > 0.005
    room = (first == 0) & (later == 0)
    change = source.image(0).astype(int) - source.image(40)
    assert np.abs(change[room]).mean() > 1  # light and noise


def test_the_person_sits_like_before_a_webcam(source):
    for index in range(0, 400, 23):
        alpha = source.alpha(index)
        rows = np.flatnonzero((alpha > 0.5).any(1))
        assert rows[-1] == SIZE[1] - 1
        assert 0.68 * SIZE[1] < len(rows) < 0.90 * SIZE[1]
        bottom = np.flatnonzero(alpha[-1] > 0.5)
        assert bottom[0] > 0
        assert bottom[-1] < SIZE[0] - 1
        assert np.diff(bottom).max() == 1  # no gap below the shoulders


def test_alpha_is_the_truth_of_the_composite(source, monkeypatch):
    quiet = np.zeros((SIZE[1] + 32, SIZE[0] + 32, 3), np.uint8)
    source._grain = quiet, quiet
    index = 12
    black, white = (np.full((SIZE[1], SIZE[0], 3), level, np.uint8) for level in (0, 255))
    monkeypatch.setattr(source._room, "image", lambda seconds: black.copy())
    over_black = source.image(index).astype(np.float32)
    monkeypatch.setattr(source._room, "image", lambda seconds: white.copy())
    over_white = source.image(index).astype(np.float32)
    seen = 1 - (over_white - over_black).mean(-1) / 255  # the definition of alpha
    alpha = source.alpha(index)
    assert alpha.dtype == np.float32
    assert alpha.min() == 0
    assert alpha.max() == pytest.approx(1, abs=1e-6)
    assert np.abs(seen - alpha).max() < 1.5 / 255


def test_the_cut_keeps_no_old_room():
    figure = portrait()
    solid = (figure.alpha > 0.5).astype(np.uint8)
    count, _ = cv2.connectedComponents(solid)
    holes, _ = cv2.connectedComponents(1 - solid)
    assert (count, holes) == (2, 2)  # one person, one room, nothing torn
    assert figure.alpha[100, 200] == 1  # the face
    assert figure.alpha[30, 60] == figure.alpha[60, 390] == 0  # the flag, the shuttle
    edge = (figure.alpha > 0.2) & (figure.alpha < 0.8) & (np.arange(352)[:, None] < 100)
    assert figure.image[edge].mean() < 140  # hair; the old backdrop is 190


def test_paced_frames_come_by_the_clock_and_late_ones_are_skipped():
    source = make(paced=True, fps=50, size=(32, 18))
    assert source.live
    frames = iter(source)
    before = time.monotonic()
    first, second = next(frames), next(frames)
    assert before <= first.time <= second.time <= time.monotonic()
    time.sleep(0.15)  # a reader that is late
    third = next(frames)
    assert third.index - second.index >= 6
    source.close()
    assert next(frames, None) is None


def test_close_ends_a_waiting_iterator():
    source = make(paced=True, fps=0.01, size=(32, 18))
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(source), name="demo-test")
    thread.start()
    until(lambda: seen)
    source.close()
    thread.join(PROMPT)
    assert not thread.is_alive()
    assert len(seen) == 1
