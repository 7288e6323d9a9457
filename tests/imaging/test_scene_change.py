"""Where a cut begins, and how much of a picture may move while it counts as still."""

import numpy as np
import pytest

from realtime_bg.frames import Frame
from realtime_bg.imaging.scene_change import (
    MOST_HELD,
    SceneChangeDetector,
    correlation,
    same_scene,
)

HEIGHT, WIDTH = 360, 640


def correlated(share):
    """Two pictures with exactly this correlation, apart from the constant in its formula."""
    one, other = np.random.default_rng(4).normal(0, 1, (2, 36, 64))
    one -= one.mean()
    other -= other.mean()
    other -= one * (one * other).sum() / (one * one).sum()
    one, other = (300 * x / np.sqrt((x * x).sum()) for x in (one, other))
    mixed = share * one + np.sqrt(1 - share**2) * other
    return (128 + one).astype(np.float32), (90 + 0.5 * mixed).astype(np.float32)


@pytest.mark.parametrize("share", [-0.9, 0.0, 0.4, 0.58, 0.62, 1.0])
def test_scenes_are_told_apart_by_their_correlation_in_any_light(share):
    one, other = correlated(share)
    assert correlation(one, other) == pytest.approx(share, abs=1e-3)
    assert same_scene(one, other) is (share > 0.6)


def test_two_uniform_pictures_are_one_scene():
    dark, bright = np.full((36, 64), 3, np.float32), np.full((36, 64), 250, np.float32)
    assert correlation(dark, bright) == 1
    assert same_scene(dark, bright)


def room(change=0, side=0):
    """A plain room, and a square in its middle that differs by some grey levels."""
    image = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    image[:, : WIDTH // 2] = 60
    top, left = (HEIGHT - side) // 2, (WIDTH - side) // 2
    image[top : top + side, left : left + side] += np.uint8(change)
    return image


def still(*images, epoch=0):
    """Whether each but the first of some pictures counts as still."""
    detector = SceneChangeDetector()
    seen = [detector.update(Frame(image, n, n / 30)) for n, image in enumerate(images)]
    assert not any(one.cut for one in seen)
    return [one.still for one in seen[1:]]


@pytest.mark.parametrize(
    ("change", "side", "expected"), [(0, 0, True), (1, 100, True), (5, 100, False), (3, 30, False)]
)
def test_a_part_that_changes_by_more_than_noise_is_motion(change, side, expected):
    assert still(room(), room(change, side)) == [expected]


def test_a_single_cell_is_noise_up_to_nine_times_as_much():
    """Of 3x3 cells the mean counts: one alone of 10x10 pixels must change by 18 levels."""
    for change, expected in ((16, True), (22, False)):
        image = room()
        image[180:190, 200:210] += np.uint8(change)  # one cell
        assert still(room(), image) == [expected], change


def test_a_matte_is_reused_a_few_times_and_not_after_it_was_forgotten():
    detector = SceneChangeDetector()
    seen = [detector.update(Frame(room(), n, n / 30)).still for n in range(3)]
    assert seen == [False, True, True]
    detector.forget_matte()
    seen = [detector.update(Frame(room(), n, n / 30)).still for n in range(3, 11)]
    assert seen == [False, *[True] * MOST_HELD, False, True]


def test_a_jump_is_a_cut_once_and_not_still():
    detector = SceneChangeDetector()
    epochs = (0, 0, 2, 2, 1)
    seen = [detector.update(Frame(room(), n, n / 30, epoch)) for n, epoch in enumerate(epochs)]
    assert [one.cut for one in seen] == [False, False, True, False, True]
    assert [one.still for one in seen] == [False, True, False, True, False]


def test_two_successive_frames_are_compared_for_cuts():
    """A room that changes slowly is never cut, however far it goes."""
    detector, image = SceneChangeDetector(), room().astype(np.float32)
    other = np.random.default_rng(1).uniform(0, 255, (9, 16)).repeat(40, 0).repeat(40, 1)
    for n, share in enumerate(np.linspace(0, 1, 25)):
        mixed = (1 - share) * image + share * other[..., None]
        assert not detector.update(Frame(mixed.astype(np.uint8), n, n / 30)).cut
    assert detector.update(Frame(room(), 26, 1.0)).cut
