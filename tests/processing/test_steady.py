"""Temporal smoothing: what is averaged, what is not, and within which bounds."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import Frame, Matte
from realtime_bg.processing.steady import FAINTEST, Steady, follows

SHAPE = 72, 128


def texture(seed=1, shape=SHAPE):
    picture = np.random.default_rng(seed).uniform(0, 255, (*shape, 3))
    return cv2.GaussianBlur(picture, (0, 0), 2).astype(np.uint8)


def matte(alpha, index=0, image=None, epoch=0, time=None):
    """A matte of the same still picture, 30 times a second."""
    image = texture(shape=alpha.shape) if image is None else image
    shown = Frame(image, index, index / 30 if time is None else time, epoch)
    return Matte(shown, alpha.astype(np.float32), guide=image)


def flat(value, shape=SHAPE):
    return np.full(shape, value, np.float32)


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.9])
def test_the_weight_is_the_share_of_the_last_alpha(weight):
    steady = Steady()
    np.testing.assert_array_equal(steady(matte(flat(0.8)), weight), flat(0.8))
    after = steady(matte(flat(0.7), 1), weight)
    np.testing.assert_allclose(after, 0.7 + weight * 0.1, atol=1e-3)
    third = steady(matte(flat(0.7), 2), weight)  # the average goes on from what was shown
    np.testing.assert_allclose(third, 0.7 + weight**2 * 0.1, atol=1e-3)


@pytest.mark.parametrize(("first", "then"), [(0, 1), (1, 0), (0.3, 0.9)])
def test_in_a_still_picture_a_change_of_mind_is_gradual(first, then):
    steady = Steady()
    shown = [steady(matte(flat(first)), 0.5)[36, 64]]
    shown += [steady(matte(flat(then), index), 0.5)[36, 64] for index in range(1, 16)]
    steps = np.abs(np.diff(shown))
    assert steps.max() == pytest.approx(0.12, abs=1e-3)
    assert shown[-1] == pytest.approx(then, abs=0.01)
    assert (np.diff(shown) * (then - first) >= 0).all()


def test_a_change_of_mind_takes_the_same_time_at_ten_frames_a_second():
    fast, slow = Steady(), Steady()
    for index in range(7):
        expected = fast(matte(flat(bool(index)), index), 0.5)
        if index % 3 == 0:
            found = slow(matte(flat(bool(index)), index), 0.5)
            np.testing.assert_allclose(found, expected, atol=0.06)
    assert 0.5 < found.mean() < 0.9


def test_no_alpha_leaves_its_range_at_a_moving_edge():
    """Cubic interpolation overshoots beside a hard edge."""
    steady, picture = Steady(), texture()
    seen = []
    for index in range(8):
        by = round(1.5 * index)
        alpha = np.zeros(SHAPE, np.float32)
        alpha[10:60, 20 + by : 80 + by] = 1
        image = np.ascontiguousarray(np.roll(picture, by, axis=1))
        seen.append(steady(matte(alpha, index, image), 0.9))
    assert all(one.min() >= 0 for one in seen)
    assert all(one.max() <= 1 for one in seen)
    assert max(np.abs(one - np.round(one)).max() for one in seen) > 0.1  # something was averaged


def test_a_faint_rest_is_cut_and_no_more_than_that():
    steady = Steady()
    steady(matte(flat(0.018)), 0.5)
    assert not steady(matte(flat(0.0), 1), 0.5).any()  # 0.009
    steady = Steady()
    steady(matte(flat(0.024)), 0.5)
    np.testing.assert_allclose(steady(matte(flat(0.0), 1), 0.5), 0.012, atol=1e-3)
    assert FAINTEST == 0.01


def test_what_changed_in_the_picture_is_not_averaged():
    steady, first = Steady(), texture()
    steady(matte(flat(1), 0, first), 0.9)
    second = first.copy()
    second[:, 64:] = 250
    after = steady(matte(flat(0), 1, second), 0.9)
    assert after[20:50, 8:40].min() > 0.8
    assert after[20:50, 80:120].max() < 0.05


def test_another_size_of_the_alpha_goes_on_and_another_picture_begins_anew():
    """As when the network turns to a window, and as when the camera changes its size."""
    steady, weight = Steady(), 0.5
    picture = texture()
    steady(matte(flat(1)), weight)
    small = cv2.resize(picture, (64, 36), interpolation=cv2.INTER_AREA)
    given = Matte(Frame(picture, 1, 1 / 30), flat(0.9, (36, 64)), guide=small)
    np.testing.assert_allclose(steady(given, weight), 0.95, atol=0.02)
    other = flat(0.2, (40, 64))
    np.testing.assert_array_equal(steady(matte(other, 2), weight), other)


@pytest.mark.parametrize(
    ("later", "epoch", "expected"),
    [
        (1 / 30, 0, True),
        (0.49, 0, True),
        (0.5, 0, False),
        (0.0, 0, False),
        (-1 / 30, 0, False),
        (1 / 30, 1, False),
    ],
)
def test_a_frame_follows_soon_after_and_in_the_same_scene(later, epoch, expected):
    image = texture()
    last, now = Frame(image, 5, 2.0), Frame(image, 6, 2.0 + later, epoch)
    assert follows(now, last) is expected
    steady = Steady()
    steady(matte(flat(1), time=2.0), 0.9)
    after = steady(matte(flat(0), time=2.0 + later, epoch=epoch), 0.9)
    assert bool(after.any()) is expected


@pytest.mark.parametrize("difference", [0, 4, 8, 16, 60])
def test_the_share_falls_with_the_square_of_the_difference(difference):
    """At 8 grey levels to 1/e of the weight."""
    steady = Steady()
    before, now = (np.full((*SHAPE, 3), level, np.uint8) for level in (100, 100 + difference))
    steady(matte(flat(0.9), 0, before), 0.9)
    expected = 0.8 + 0.1 * 0.9 * np.exp(-((difference / 8) ** 2))
    after = steady(matte(flat(0.8), 1, now), 0.9)
    np.testing.assert_allclose(after, expected, atol=1e-3)


def test_a_pixel_that_changed_counts_for_its_neighbourhood_of_three():
    """One pixel that differs by 90 levels is a mean difference of 10."""
    steady = Steady()
    before, now = (np.full((*SHAPE, 3), 100, np.uint8) for _ in range(2))
    now[36, 64] = 190
    steady(matte(flat(1), 0, before), 0.9)
    after = steady(matte(flat(0), 1, now), 0.9)
    expected = flat(0.9)
    expected[35:38, 63:66] = 0.9 * np.exp(-((10 / 8) ** 2))
    np.testing.assert_allclose(after, expected, atol=2e-3)


def test_at_a_moving_edge_the_alpha_moves_along():
    """Motion is looked for in smaller pictures, and moves the alpha at its own size."""
    shape = 217, 385
    picture = texture(shape=shape)
    alpha = np.zeros(shape, np.float32)
    alpha[50:180, 100:250] = 1
    steady = Steady()
    for index in range(6):
        by = 3 * index
        image = np.ascontiguousarray(np.roll(picture, by, axis=1))
        after = steady(matte(np.roll(alpha, by, axis=1), index, image), 0.9)
    assert np.abs(after - np.roll(alpha, by, axis=1))[:, by + 4 :].mean() < 0.005
