"""Mattes moved along with the picture."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging.flow import Flow, carried, grey
from realtime_bg.processing.compositor import Compositor
from realtime_bg.settings import load
from realtime_bg.stats import Stats

SIZE = (640, 360)


def scene(x):
    """A textured person at ``x`` in a textured room, and its alpha."""
    texture = np.random.default_rng(3).uniform(0, 255, (90, 160, 3)).astype(np.uint8)
    texture = cv2.resize(texture, SIZE, interpolation=cv2.INTER_CUBIC)
    room, person = texture // 3, 100 + texture // 2
    person = np.roll(person, x, axis=1)
    alpha = np.zeros((SIZE[1], SIZE[0]), np.float32)
    cv2.ellipse(alpha, (200 + x, 300), (90, 180), 0, 0, 360, 1, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 2)
    return cv2.blendLinear(person, room, alpha, 1 - alpha), alpha


def small(picture):
    return cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA)


def test_a_carried_matte_lies_on_the_person_of_the_later_frame():
    (first, alpha), (later, wanted) = scene(0), scene(24)
    white = np.full((90, 160, 3), 250, np.uint8)
    matte = Matte(Frame(first, 0, 0.0), small(alpha), white, small(first))
    frame = Frame(later, 3, 0.1)
    new = carried(matte, frame, Flow())
    assert new.frame is frame
    assert new.alpha.dtype == np.float32
    assert new.foreground.min() == 250
    np.testing.assert_allclose(new.guide, small(later), atol=1)
    off = np.abs(new.alpha - small(wanted)).mean()
    assert off < 0.35 * np.abs(small(alpha) - small(wanted)).mean()


def test_nothing_moves_in_a_still_picture():
    image, _ = scene(0)
    places = Flow().places(grey(small(image)), grey(small(image)))
    rows, columns = np.indices((90, 160), np.float32)
    assert np.abs(places - np.dstack([columns, rows])).max() < 0.2


@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (640, 11), (11, 300), (1280, 8), (16, 9), (13, 37)]
)
def test_frames_that_are_too_small_for_a_search_are_composed_all_the_same(size):
    settings = load(flags={"background.current": "#102030"})
    compositor = Compositor(settings, Stats(), wait=True)
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    alpha = np.ones(size[::-1], np.float32)
    for index in range(3):
        matte = Matte(Frame(image, index, index / 30), alpha, guide=image)
        composite = compositor.compose(matte, settings)
        assert np.abs(composite.image.astype(int) - image).mean() < 2
    moved = carried(matte, Frame(image, 3, 0.1), Flow())
    assert np.allclose(moved.alpha, 1, atol=1e-3)
    compositor.close()
