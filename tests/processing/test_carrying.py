"""Mattes that are carried along with the picture instead of running the network."""

import cv2
import numpy as np
import pytest
from helpers.scripted import scripted

from realtime_bg.frames import Frame, Matte
from realtime_bg.processing.carrying import MOST, PAUSE, Carrying
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE, SMALL = (640, 360), (256, 144)


def textured(seed, size):
    chance = np.random.default_rng(seed)
    rough = chance.integers(0, 256, (size[1] // 12, size[0] // 12, 3)).astype(np.float32)
    picture = cv2.resize(rough, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


# What appears beside a person who moves a little must not count as something new
ROOM, PERSON = (one // 4 + 90 for one in (textured(1, SIZE), textured(2, (200, 300))))
HAND = textured(3, SIZE)


def seen(index, moved=0, hand=0.0, epoch=0, fps=30):
    """A frame with a person, moved by some pixels, and a hand that covers a part of the picture."""
    image = ROOM.copy()
    image[60:, 200 + moved : 400 + moved] = PERSON
    side = round((hand * SIZE[0] * SIZE[1]) ** 0.5)
    image[10 : 10 + side, 20 : 20 + side] = HAND[:side, :side]
    return Frame(image, index, index / fps, epoch)


def answer(frame, moved=0):
    guide = cv2.resize(frame.image, SMALL, interpolation=cv2.INTER_AREA)
    alpha = np.zeros(SIZE[::-1], np.float32)
    alpha[60:, 200 + moved : 400 + moved] = 1
    alpha = cv2.resize(alpha, SMALL, interpolation=cv2.INTER_AREA)
    return Matte(frame, alpha, guide.copy(), guide)


@pytest.fixture
def carrying():
    used = Carrying()
    used.answered(answer(seen(0)))
    return used


def test_a_matte_follows_the_person(carrying):
    frame = seen(1, moved=2)
    matte = carrying.next(frame, None)
    assert matte.frame is frame
    expected = answer(frame, moved=2)
    off, before = (
        np.abs(alpha - expected.alpha).mean() for alpha in (matte.alpha, answer(seen(0)).alpha)
    )
    assert off < 0.5 * before
    assert matte.foreground.shape == matte.guide.shape == expected.guide.shape


@pytest.mark.parametrize(("every", "most"), [(None, MOST), (1, 0), (2, 1), (3, 2)])
def test_the_network_runs_as_often_as_the_setting_says(carrying, every, most):
    carried = [carrying.next(seen(index, index), every) is not None for index in range(1, 6)]
    assert carried == [True] * most + [False] * (5 - most)
    carrying.answered(answer(seen(6, 6), 6))
    assert (carrying.next(seen(7, 7), every) is not None) is (most > 0)


@pytest.mark.parametrize("every", [None, 2, 3])
def test_a_hand_that_comes_in_never_waits(carrying, every):
    """Of one per cent of the picture, at once; then carrying it along may go on."""
    frame = seen(1, hand=0.01)
    assert carrying.next(frame, every) is None
    carrying.answered(answer(frame))
    later = [carrying.next(seen(index, hand=0.01), every) for index in range(2, 3 + PAUSE)]
    assert later[-1 if every is None else 0] is not None


def test_what_moves_fast_is_given_to_the_network(carrying):
    assert carrying.next(seen(1, moved=16), None) is None
    again = Carrying()
    again.answered(answer(seen(0)))
    assert again.next(seen(1, moved=3), None) is not None


def test_trying_pauses_after_a_refusal(carrying):
    carrying.next(seen(1, moved=20), None)
    results = []
    for index in range(2, 4 + PAUSE):
        carrying.answered(answer(seen(index - 1)))
        results.append(carrying.next(seen(index), None) is not None)
    assert results == [False] * PAUSE + [True] * 2


@pytest.mark.parametrize(
    "frame", [seen(1, epoch=1), seen(0), seen(60)], ids=["other scene", "same frame", "long pause"]
)
def test_nothing_is_carried_over_a_gap(carrying, frame):
    assert carrying.next(frame, None) is None


def test_nor_to_another_size_nor_from_a_matte_that_cannot_be_carried(carrying):
    small = Frame(cv2.resize(ROOM, (320, 180)), 1, 1 / 30)
    assert carrying.next(small, None) is None
    plain = answer(seen(0))
    lost = Matte(plain.frame, plain.alpha, None, plain.guide, lost=True)
    for matte in (None, lost, Matte(plain.frame, plain.alpha)):
        carrying.answered(matte)
        assert carrying.next(seen(1), None) is None


def matting(monkeypatch, in_time=True, **flags):
    """Matting with a scripted engine that has a network; and the list of its calls."""
    log = scripted(monkeypatch)
    log.engines = []
    flags = {"engine.name": "first", "engine.gate": False} | flags
    used = Matting(Live(load(flags=flags)), Stats(), in_time=in_time)
    used.matte(seen(0))
    engine = used.engine
    monkeypatch.setattr(type(engine), "model", "net.onnx", raising=False)
    monkeypatch.setattr(
        type(engine), "matte", lambda self, frame: log.calls.append("net") or answer(frame)
    )
    log.calls.clear()
    used.matte(seen(1))
    return used, log.calls


@pytest.mark.parametrize(
    ("in_time", "every", "runs"),
    [(True, "auto", 2), (True, 1, 4), (True, 2, 2), (False, "auto", 4), (False, 3, 2)],
)
def test_a_live_run_carries_by_itself_and_a_file_if_asked(monkeypatch, in_time, every, runs):
    used, calls = matting(monkeypatch, in_time, **{"engine.every": every})
    for index in range(2, 5):
        used.matte(seen(index, index))
    assert len(calls) == runs
    assert used.stats.carried == 4 - runs
    used.close()


def test_a_reset_and_a_plate_are_given_to_the_network(monkeypatch):
    used, calls = matting(monkeypatch)
    for name in ("resets", "plates"):
        calls.clear()
        used._live.modify(lambda s, name=name: {name: getattr(s, name) + 1})
        used.matte(seen(2 if name == "resets" else 3))
        assert "net" in calls, name
    used.close()
