"""When a matte is not carried along: how much may be new, how fast anything may move."""

import numpy as np
import pytest

from realtime_bg.frames import Frame, Matte
from realtime_bg.processing import carrying as module
from realtime_bg.processing.carrying import FAST, MOST, NEW, PAUSE, SAME, Carrying

SMALL = WIDTH, HEIGHT = 256, 144
GREY = np.full((HEIGHT, WIDTH), 100, np.uint8)


def test_the_limits_are_these():
    assert (MOST, FAST, SAME, NEW, PAUSE) == (2, 0.012, 12.0, 0.003, 4)


@pytest.mark.parametrize(("difference", "new"), [(0, False), (12, False), (13, True), (-13, True)])
def test_more_than_twelve_grey_levels_are_new(difference, new):
    seen = (GREY.astype(int) + difference).astype(np.uint8)
    assert module._shows_new(seen, GREY) is new


@pytest.mark.parametrize(("side", "new"), [(8, False), (9, True)])
def test_three_thousandths_of_the_picture_may_be_new(side, new):
    """A square of another brightness reaches one pixel further when it is averaged: 10 x 10 pixels
    of 256 x 144 are 2.7 thousandths, 11 x 11 are 3.3."""
    seen = GREY.copy()
    seen[40 : 40 + side, 60 : 60 + side] = 255
    assert module._shows_new(seen, GREY) is new


def test_exactly_three_thousandths_are_not_new():
    plain = np.full((100, 120), 100, np.uint8)  # of which they are 36 pixels
    for side, new in ((4, False), (5, True)):
        seen = plain.copy()
        seen[40 : 40 + side, 60 : 60 + side] = 255
        assert module._shows_new(seen, plain) is new


def test_noise_of_single_pixels_is_nothing_new():
    """Averaged over nine pixels, a difference of 108 levels is one of 12."""
    seen = GREY.copy()
    seen[::4, ::4] += 108
    assert not module._shows_new(seen, GREY)
    seen[::4, ::4] += 9
    assert module._shows_new(seen, GREY)


def test_speed_is_that_of_the_fastest_part_in_any_direction():
    motion = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    assert module._fastest(motion) == 0
    motion[20:40, 30:50] = 3, -4
    motion[100:120, 30:50] = 0, 2
    assert module._fastest(motion) == pytest.approx(5, abs=1e-5)
    lone = np.zeros_like(motion)
    lone[70, 80] = 9, 0
    assert module._fastest(lone) == pytest.approx(1, abs=1e-5)  # the mean of nine pixels


def frame(index, size=(640, 360), level=100):
    return Frame(np.full((size[1], size[0], 3), level, np.uint8), index, index / 30)


def answer(shown, size=SMALL, colours=True):
    guide = np.full((size[1], size[0], 3), shown.image[0, 0, 0], np.uint8)
    alpha = np.full(size[::-1], 0.25, np.float32)
    return Matte(shown, alpha, guide.copy() if colours else None, guide)


class Still:
    """A flow in which every pixel stays where it is, and yet moves with a given speed."""

    def __init__(self, speed):
        self.speed = speed

    def places(self, now, before):
        rows, columns = np.indices(now.shape, np.float32)
        return np.dstack([columns, rows]) + np.float32(self.speed / np.sqrt(2))


@pytest.mark.parametrize(
    ("speed", "every", "carried"), [(2.25, None, True), (2.35, None, False), (2.35, 3, True)]
)
def test_what_moves_by_more_than_twelve_thousandths_of_the_width_is_fast(speed, every, carried):
    """With ``auto`` only: otherwise the setting says how often the network runs."""
    used = Carrying()
    used._flow = Still(speed)
    used.answered(answer(frame(0)))
    assert (used.next(frame(1), every) is not None) is carried


def test_a_carried_matte_has_all_that_a_new_one_has():
    used = Carrying()
    used.answered(answer(frame(0)))
    shown = frame(1, level=104)
    matte = used.next(shown, None)
    assert matte.frame is shown
    np.testing.assert_allclose(matte.alpha, 0.25, atol=1e-6)
    assert (matte.foreground == 100).all()
    assert (matte.guide == 104).all()
    assert not matte.lost
    # The next one is compared with this one: 8 levels from frame to frame are no news
    second = used.next(frame(2, level=112), None)
    assert (second.guide == 112).all()


def test_a_matte_without_colours_is_carried_without_them():
    used = Carrying()
    used.answered(answer(frame(0), colours=False))
    assert used.next(frame(1), None).foreground is None


def test_a_change_of_the_networks_size_is_followed():
    used = Carrying()
    for index, size in enumerate((SMALL, (128, 72), SMALL)):
        used.answered(answer(frame(2 * index), size))
        matte = used.next(frame(2 * index + 1), None)
        assert matte.alpha.shape == size[::-1]
        assert matte.guide.shape == (*size[::-1], 3)


def test_after_a_refusal_a_fixed_rhythm_goes_on_and_auto_pauses():
    for every, tries in ((3, 1), (None, PAUSE + 1)):
        used = Carrying()
        used.answered(answer(frame(0)))
        assert used.next(frame(1, level=200), every) is None
        used.answered(answer(frame(1)))
        count = 1
        while used.next(frame(2), every) is None:
            count += 1
            assert count < 20
        assert count == tries


def test_a_pause_is_used_up_only_by_frames_that_could_have_been_carried():
    used = Carrying()
    used.answered(answer(frame(0)))
    assert used.next(frame(1, level=200), None) is None
    used.answered(None)
    for index in range(2, 12):
        assert used.next(frame(index), None) is None
    used.answered(answer(frame(12)))
    results = [used.next(frame(13), None) is not None for _ in range(PAUSE + 1)]
    assert results == [False] * PAUSE + [True]


@pytest.mark.parametrize(("every", "most"), [(None, 2), (1, 0), (4, 3)])
def test_how_often_a_matte_is_carried_counts_anew_after_each_answer(every, most):
    used = Carrying()
    for start in (0, 20):
        used.answered(answer(frame(start)))
        carried = [used.next(frame(start + n), every) is not None for n in range(1, 7)]
        assert carried == [True] * most + [False] * (6 - most)


def test_the_picture_is_reduced_to_the_guides_size(monkeypatch):
    sizes, usual = [], module.reduced

    def reduced(image, size):
        sizes.append(size)
        return usual(image, size)

    monkeypatch.setattr(module, "reduced", reduced)
    used = Carrying()
    used.answered(answer(frame(0)))
    used.next(frame(1), None)
    used.next(frame(2), None)
    assert sizes == [SMALL] * 2


def test_what_is_lost_or_has_no_guide_is_forgotten():
    good = answer(frame(0))
    for bad in (
        None,
        Matte(good.frame, good.alpha),
        Matte(good.frame, good.alpha, guide=good.guide, lost=True),
    ):
        used = Carrying()
        used.answered(good)
        used.answered(bad)
        assert used.next(frame(1), None) is None


def test_nothing_is_carried_before_the_first_answer():
    assert Carrying().next(frame(0), None) is None
    assert Carrying().next(frame(0), 60) is None


def test_a_frame_of_another_size_is_not_even_looked_at():
    used = Carrying()
    used.answered(answer(frame(0)))
    used._flow = None
    assert used.next(frame(1, size=(320, 180)), None) is None
