"""The part of the picture that is shown: calm, eased, and never more than what was there."""

import itertools

import cv2
import numpy as np
import pytest
from helpers.drawn import FPS, SIZE, Drawn, matte, room

from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging.crops import WHOLE, Crop, cropped
from realtime_bg.processing.busts import busts
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.framing import Framing, framed, output_size
from realtime_bg.settings import FrameSettings, load
from realtime_bg.stats import Stats

AUTO = FrameSettings(mode="auto")
TALL = 0.36 * 1.5  # from the top of the head to the shoulders, in widths of the shoulders


def person(x=128.0, top=40.0, wide=60.0):
    return Drawn(x, top, wide)


def crops(framing, people, settings=AUTO, start=0, epoch=0):
    """What is shown of each picture of somebody (None: of nobody), one after the other."""
    shown = []
    for index, one in enumerate(people, start):
        given, _ = matte([] if one is None else [one], index, epoch)
        shown.append(framing(given.frame, given.alpha, settings))
    return shown


def edges(crop):
    return np.array([crop.left, crop.top, crop.left + crop.width, crop.top + crop.height])


def steps(shown):
    return [np.abs(edges(a) - edges(b)).max() for a, b in itertools.pairwise(shown)]


def middle(crop):
    return crop.left + crop.width / 2


def settled(x=128.0, **more):
    """A framing that has come to rest with somebody at ``x``, and what it shows."""
    framing = Framing()
    shown = crops(framing, [person(x)] * 200, **more)
    assert steps(shown)[-1] == 0
    return framing, shown


# Where people are


def test_head_and_shoulders_are_found_with_some_room_around_them():
    given, _ = matte([person(100, 30, 60)], small=False)
    (found,) = busts(given.alpha, SIZE)
    assert (found.left + found.right) / 2 * SIZE[0] == pytest.approx(100, abs=3)
    head = TALL * 60
    assert found.top * SIZE[1] == pytest.approx(30 - 0.4 * head, abs=6)
    assert found.bottom * SIZE[1] == pytest.approx(30 + 2.1 * head, abs=14)


def test_a_raised_hand_is_not_a_head():
    given, _ = matte([person(100, 60, 60)], small=False)
    (before,) = busts(given.alpha, SIZE)
    given.alpha[10:100, 131:138] = 1
    (after,) = busts(given.alpha, SIZE)
    assert after.top == pytest.approx(before.top, abs=0.05)
    assert after.left == pytest.approx(before.left, abs=0.05)


def test_all_people_are_found_the_largest_first_and_specks_are_not():
    given, _ = matte([person(60, 70, 30), person(180, 40, 70)], small=False)
    given.alpha[4:9, 4:9] = 1
    large, small = busts(given.alpha, SIZE)
    assert large.left > small.right
    assert busts(np.zeros(SIZE[::-1], np.float32), SIZE) == []


def test_people_who_touch_are_both_shown():
    given, _ = matte([person(100, 50, 50), person(140, 60, 50)], small=False)
    (both,) = busts(given.alpha, SIZE)
    assert both.left * SIZE[0] < 76 + 5
    assert both.right * SIZE[0] > 164 - 5


# What is shown


def test_it_eases_to_head_and_shoulders_and_rests():
    _, shown = settled(90)
    assert shown[0] == WHOLE
    assert middle(shown[-1]) == pytest.approx(90 / SIZE[0], abs=0.03)
    assert shown[-1].height < 0.8
    assert shown[-1].top * SIZE[1] < 40


def test_nothing_moves_while_somebody_rocks_in_the_zone():
    framing, before = settled()
    rocking = [person(128 + 5 * np.sin(n / 6), 40 + 3 * np.sin(n / 9)) for n in range(200)]
    assert set(crops(framing, rocking, start=200)) == {before[-1]}


def test_a_wave_of_the_hand_moves_nothing():
    framing, before = settled()
    for index in range(200, 204):
        given, _ = matte([person()], index)
        given.alpha[10:24, 60:68] = 1
        assert framing(given.frame, given.alpha, AUTO) == before[-1]


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_it_follows_to_the_other_side_without_any_hasty_step(fps):
    framing = Framing()
    shown = []
    for index in range(14 * fps):
        at = index / fps
        given, _ = matte([person(70 if at < 6 else 190)], index, fps=fps)
        shown.append(framing(given.frame, given.alpha, AUTO))
    assert middle(shown[6 * fps - 1]) == pytest.approx(70 / SIZE[0], abs=0.04)
    assert middle(shown[-1]) == pytest.approx(190 / SIZE[0], abs=0.04)
    assert max(steps(shown)) <= 0.01
    assert steps(shown)[-1] < 1e-4
    inside = np.array([edges(crop) for crop in shown])
    assert inside.min() >= 0
    assert inside.max() <= 1 + 1e-9
    speeds = np.diff(inside[4 * fps :], axis=0) * fps
    assert np.abs(np.diff(speeds, axis=0)).max() * fps < 3  # of the picture per second squared


def test_a_pan_never_turns_back():
    framing, _ = settled(80)
    shown = crops(framing, [person(180)] * 120, start=200)
    moves = np.diff([middle(crop) for crop in shown])
    assert moves.min() >= -1e-4


@pytest.mark.parametrize("size", [SIZE, (320, 144)])
def test_it_cuts_where_the_picture_jumps_and_only_there(size):
    framing, _ = settled(70)
    epoch = 1 if size == SIZE else 0
    given, _ = matte([person(size[0] - 70)], 200, epoch, size)
    after = framing(given.frame, given.alpha, AUTO)
    assert middle(after) == pytest.approx(1 - 70 / size[0], abs=0.06)
    following, _ = matte([person(size[0] - 70)], 201, epoch, size)
    assert framing(following.frame, following.alpha, AUTO) == after


def test_a_jump_to_nobody_shows_the_whole_picture():
    framing, _ = settled(70)
    assert crops(framing, [None], start=200, epoch=1) == [WHOLE]


def test_it_goes_back_to_the_whole_picture_when_nobody_is_there_for_a_while():
    framing, before = settled(90)
    gone = crops(framing, [None] * 300, start=200)
    assert set(gone[: int(0.9 * FPS)]) == {before[-1]}
    assert gone[-1] == WHOLE
    assert max(steps([before[-1], *gone])) <= 0.01


def test_a_moment_without_a_matte_moves_nothing():
    framing, before = settled(90)
    assert set(crops(framing, [None] * 20 + [person(90)] * 20, start=200)) == {before[-1]}


@pytest.mark.parametrize("most", [1.0, 1.3, 4.0])
def test_the_zoom_has_a_limit(most):
    framing = Framing()
    small = Drawn(128, 80, 20)
    shown = crops(framing, [small] * 200, FrameSettings(mode="auto", zoom=most))
    assert shown[-1].width == pytest.approx(1 / most, rel=0.05)


def test_a_part_that_the_user_has_set_is_approached_and_kept_inside():
    framing = Framing()
    settings = FrameSettings(mode="fixed", x=0.1, y=0.6, zoom=2)
    shown = crops(framing, [person()] * 200, settings)
    assert shown[0] != shown[-1]
    assert shown[-1] == pytest.approx(Crop(0, 0.35, 0.5, 0.5))
    assert max(steps(shown)) <= 0.01


def test_frames_that_come_late_or_in_no_order_do_no_harm():
    framing, before = settled(80)
    given, _ = matte([person(180)], 10)  # before the last one
    assert framing(given.frame, given.alpha, AUTO) == before[-1]
    given, _ = matte([person(180)], 9000)
    assert steps([before[-1], framing(given.frame, given.alpha, AUTO)])[0] <= 0.01


# The shape of the output


@pytest.mark.parametrize(
    ("size", "upright"),
    [((1280, 720), (404, 720)), ((640, 480), (270, 480)), ((720, 1280), (720, 1280))],
)
def test_an_upright_output_is_the_largest_that_fits(size, upright):
    assert output_size(size, FrameSettings(mode="auto", portrait=True)) == upright
    assert output_size(size, FrameSettings(mode="off", portrait=True)) == size
    assert output_size(size, FrameSettings(mode="fixed")) == size


def test_an_upright_output_holds_the_person_and_follows():
    framing = Framing()
    settings = FrameSettings(mode="auto", portrait=True)
    shown = crops(framing, [person(60, wide=40)] * 200, settings)
    wide, high = output_size(SIZE, settings)
    assert all(
        crop.width * SIZE[0] / (crop.height * SIZE[1]) == pytest.approx(wide / high, rel=1e-3)
        for crop in shown
    )
    assert middle(shown[-1]) == pytest.approx(60 / SIZE[0], abs=0.03)
    after = crops(framing, [person(200, wide=40)] * 200, settings, start=200)
    assert middle(after[-1]) == pytest.approx(200 / SIZE[0], abs=0.03)
    assert max(steps(shown + after)) <= 0.01


def test_cutting_out_the_whole_is_nothing_and_parts_are_exact():
    image = room()
    assert cropped(image, WHOLE, SIZE) is image
    half = cropped(image, Crop(0.25, 0.25, 0.5, 0.5), (SIZE[0] // 2, SIZE[1] // 2))
    np.testing.assert_array_equal(half, image[36:108, 64:192])
    given, _ = matte([person()])
    assert framed(given, WHOLE, SIZE) is given


@pytest.mark.parametrize("crop", [Crop(0.2, 0.1, 0.5, 0.5), Crop(0.123, 0.25, 0.71, 0.71)], ids=str)
def test_large_pictures_are_cut_out_like_small_ones(crop):
    size = 1024, 576
    ramp = np.linspace(0, 1, size[0], dtype=np.float32)[None] + np.zeros((size[1], 1), np.float32)
    small = cv2.resize(ramp, SIZE, interpolation=cv2.INTER_AREA)
    fine, coarse = cropped(ramp, crop, size), cropped(small, crop, SIZE)
    coarse = cv2.resize(coarse, size)
    assert np.abs(fine - coarse)[:, 8:-8].max() < 1.5 / size[0]
    assert fine[0, 0] == pytest.approx(crop.left, abs=2 / size[0])
    assert fine[0, -1] == pytest.approx(crop.left + crop.width, abs=2 / size[0])


def test_a_point_of_the_part_is_a_point_of_the_picture():
    assert Crop(0.2, 0.4, 0.5, 0.5).place((0.5, 0.0)) == pytest.approx((0.45, 0.4))
    assert WHOLE.place((1.0, 0.3)) == (1.0, 0.3)


# In the composite


def composites(background, people, flags=None, small=True, stats=None):
    flags = {"frame.mode": "auto", "background.current": background} | (flags or {})
    settings = load(flags=flags)
    maker = Compositor(settings, stats or Stats(), wait=True, previews=True)
    images = []
    for index, one in enumerate(people):
        given, _ = matte([] if one is None else [one], index, small=small)
        images.append(maker.compose(given, settings))
    maker.close()
    return images


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("flags", [{}, {"harmonise.match": 0.5}, {"refine.feather": 3}], ids=str)
def test_a_replaced_background_stays_while_the_person_moves_over_it(small, flags):
    people = [person(70)] * 60
    still = composites("office", people, {"frame.mode": "off"} | flags, small)
    moved = composites("office", people, flags, small)
    first, last = moved[0].image, moved[-1].image
    assert first.shape == last.shape == still[0].image.shape
    np.testing.assert_array_equal(first[:30, 160:], last[:30, 160:])
    empty = composites("office", [None], {"frame.mode": "off"})[0].image
    assert np.abs(last[:, :].astype(int) - empty).max() > 60  # the person is there
    person_before = np.abs(still[-1].image.astype(int) - empty).max(2) > 30
    person_after = np.abs(last.astype(int) - empty).max(2) > 30
    assert person_after.sum() > 1.3 * person_before.sum()  # and larger


def test_a_blurred_room_moves_with_the_person():
    flags = {"frame.mode": "fixed", "frame.x": 0.3, "frame.zoom": 1.5}
    people = [person(70)] * 180
    whole = composites("blur:6", people, {"frame.mode": "off"})[-1].image
    shown = composites("blur:6", people, flags)[-1].image
    crop = Crop(0.0, 1 / 6, 2 / 3, 2 / 3)
    np.testing.assert_array_equal(shown, cropped(whole, crop, SIZE))


def test_the_plain_picture_can_be_cropped():
    settings = load(flags={"frame.mode": "fixed", "frame.zoom": 2, "background.current": "none"})
    maker = Compositor(settings, Stats(), wait=True)
    for index in range(180):
        shown = maker.compose(Frame(room(), index, index / FPS), settings)
    np.testing.assert_array_equal(shown.image, cropped(room(), Crop(0.25, 0.25, 0.5, 0.5), SIZE))
    maker.close()


@pytest.mark.parametrize("background", ["office", "blur", "erase", "none"])
def test_every_picture_of_an_upright_output_has_one_size(background):
    settings = load(
        flags={
            "frame.mode": "auto",
            "frame.portrait": True,
            "background.current": background,
            "output.mirror": True,
            "view.split": True,
            "view.alpha": True,
        }
    )
    maker = Compositor(settings, Stats(), wait=True)
    given, _ = matte([person(70)])
    lost = Matte(given.frame, given.alpha, guide=given.guide, lost=True)
    made = [maker.compose(item, settings) for item in (given, lost, given.frame)]
    made.append(maker.without_camera(SIZE, 0, settings))
    made.append(maker.without_camera(SIZE, 0, settings, "Camera paused"))
    upright = output_size(SIZE, settings.frame)
    assert {one.image.shape for one in made} == {(upright[1], upright[0], 3)}
    for one in made:
        assert one.preview is None or one.preview.shape == one.image.shape
        assert one.image.flags.c_contiguous
    maker.close()


def test_it_can_be_switched_while_it_runs_and_tells_what_is_shown():
    stats = Stats()
    off, on = (
        load(flags={"frame.mode": mode, "background.current": "red"}) for mode in ("off", "auto")
    )
    maker = Compositor(off, stats, wait=True)
    seen = []
    for index in range(90):
        given, _ = matte([person(70)], index)
        maker.compose(given, on if 10 <= index < 80 else off)
        seen.append(stats.shown_part)
    assert set(seen[:11]) == set(seen[80:]) == {WHOLE}
    assert seen[79] != WHOLE
    maker.close()


def test_off_does_nothing_at_all(monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr("realtime_bg.processing.compositor.Framing", never)
    monkeypatch.setattr("realtime_bg.processing.compositor.framed", never)
    monkeypatch.setattr("realtime_bg.processing.compositor.cropped", never)
    for background in ("red", "blur"):
        composites(background, [person()], {"frame.mode": "off"})


RAW = (255, 0, 255)


@pytest.mark.parametrize("background", ["#00ff00", "office"])
@pytest.mark.parametrize("mode", ["auto", "fixed"])
@pytest.mark.parametrize("portrait", [False, True])
def test_no_pixel_of_the_room_is_shown(background, mode, portrait):
    flags = {
        "frame.mode": mode,
        "frame.portrait": portrait,
        "frame.zoom": 3,
        "frame.y": 1,
        "background.current": background,
        "output.mirror": True,
    }
    settings = load(flags=flags)
    maker = Compositor(settings, Stats(), wait=True)
    image = np.full((SIZE[1], SIZE[0], 3), RAW, np.uint8)
    for index in range(24):
        x = 40 + 8 * index
        alpha = np.zeros(SIZE[::-1], np.float32)
        cv2.circle(alpha, (x, 60), 18, 1, -1)
        shot = image.copy()
        cv2.circle(shot, (x, 60), 24, (255, 255, 255), -1)
        guide = cv2.resize(shot, (128, 72), interpolation=cv2.INTER_AREA)
        small = cv2.resize(alpha, (128, 72), interpolation=cv2.INTER_AREA)
        for given in (
            Matte(Frame(shot, index, index / FPS), small, guide=guide),
            Matte(Frame(shot, index, index / FPS + 0.01), alpha, np.full_like(shot, 255)),
            Matte(Frame(shot, index, index / FPS + 0.02), alpha, lost=True),
        ):
            shown = maker.compose(given, settings).image.astype(int)
            assert not (np.abs(shown - RAW).max(axis=2) < 60).any()
    maker.close()
