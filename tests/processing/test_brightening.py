"""Dark pictures are shown to the network in a brightened copy, and nobody else sees that."""

import numpy as np
import pytest
from helpers.scripted import First, scripted

from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging.geometry import resize
from realtime_bg.processing.brightening import Brightening
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats


def shot(level, at=0.0, epoch=0, spot=0):
    """A picture with some structure, and with a bright spot of so many columns."""
    image = np.full((90, 160, 3), level, np.uint8)
    image[::2] += 4
    image[:, :spot] = 250
    return Frame(image, round(at * 30), at, epoch)


@pytest.mark.parametrize("level", [15, 30, 60])
def test_a_dark_picture_becomes_bright(level):
    dark = shot(level)
    seen = Brightening().brightened(dark)
    assert seen.image.mean() > 1.8 * dark.image.mean()
    assert seen.image.max() < 200
    assert (seen.index, seen.time, seen.epoch) == (dark.index, dark.time, dark.epoch)


@pytest.mark.parametrize(("level", "spot"), [(130, 0), (200, 0), (10, 4), (0, 4)])
def test_a_bright_picture_and_one_with_a_bright_spot_are_the_same_object(level, spot):
    given = shot(level, spot=spot)
    assert Brightening().brightened(given) is given


def test_it_is_measured_a_few_times_a_second_and_at_once_in_a_new_scene():
    used = Brightening()
    bright, dark = shot(150), shot(30)
    for at, epoch, given, brightened in (
        (0.0, 0, bright, False),
        (0.1, 0, dark, False),  # not yet measured
        (0.3, 0, dark, True),
        (0.4, 1, bright, False),
        (0.5, 2, dark, True),
    ):
        frame = Frame(given.image, 0, at, epoch)
        assert (used.brightened(frame) is not frame) == brightened, at


def test_a_picture_between_dark_and_bright_does_not_flicker():
    used, results = Brightening(), set()
    used.brightened(shot(30))
    for index in range(20):
        frame = shot(143 + 5 * (index % 2), at=0.3 * (index + 1))
        results.add(used.brightened(frame) is frame)
    assert len(results) == 1


@pytest.fixture
def engine(monkeypatch):
    """One with a network, which answers with small pictures of what it sees."""
    scripted(monkeypatch)
    seen = []

    def matte(self, frame, repeats=None):
        seen.append(frame)
        guide = resize(frame.image, (80, 45))
        return Matte(frame, np.ones((45, 80), np.float32), guide, guide)

    monkeypatch.setattr(First, "matte", matte)
    monkeypatch.setattr(First, "matte_photo", matte)
    monkeypatch.setattr(First, "model", "net.onnx")
    return seen


@pytest.mark.parametrize("repeats", [None, 3])
def test_the_matte_is_that_of_the_frame_itself(engine, repeats):
    live = Live(load(flags={"engine.name": "first", "light.active": True}))
    used = Matting(live, Stats())
    given = shot(40)
    matte = used.matte(given, repeats)
    assert engine[-1].image.mean() > 1.8 * given.image.mean()
    assert matte.frame is given
    np.testing.assert_allclose(matte.guide.astype(int), resize(given.image, (80, 45)), atol=1)
    np.testing.assert_allclose(matte.foreground.astype(int), matte.guide, atol=3)


@pytest.mark.parametrize(
    ("flags", "model"),
    [
        ({"light.active": False}, "net.onnx"),
        ({"light.active": True, "light.matting": False}, "net.onnx"),
        ({"light.active": True}, None),  # an engine that knows colours, as chroma does
    ],
)
def test_otherwise_the_engine_sees_the_frame(engine, monkeypatch, flags, model):
    monkeypatch.setattr(First, "model", model)
    used = Matting(Live(load(flags={"engine.name": "first"} | flags)), Stats())
    given = shot(40)
    used.matte(given)
    assert engine[-1] is given
