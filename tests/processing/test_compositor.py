"""Blending, refining and previewing, against exact arithmetic."""

import cv2
import numpy as np
import pytest

from realtime_bg.backgrounds import open_background
from realtime_bg.frames import Frame, Matte, as_image, check_matte
from realtime_bg.imaging.shaping import certain_parts, large_parts, without_holes
from realtime_bg.processing.compositor import Compositor, blend, over
from realtime_bg.processing.refine import (
    Refined,
    feather,
    person_box,
    refine,
    shift_threshold,
    upsample_alpha,
)
from realtime_bg.processing.steady import Steady
from realtime_bg.settings import BackgroundSettings, RefineSettings, Settings
from realtime_bg.stats import Stats

SIZE = (320, 180)
EVERYWHERE = (slice(0, 360), slice(0, 640))


def exact_blend(foreground, background, alpha):
    """The reference: float64, nothing clever."""
    weight = alpha.astype(np.float64)[:, :, None]
    return weight * foreground.astype(np.float64) + (1 - weight) * background.astype(np.float64)


def person(size=SIZE):
    """A frame whose person is a bright disc, and its exact alpha."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    distance = np.hypot(x - size[0] / 2, y - size[1] / 2)
    alpha = np.clip((size[1] * 0.3 - distance) / 3 + 0.5, 0, 1).astype(np.float32)
    image = (40 + 180 * alpha).astype(np.uint8)
    return Frame(cv2.merge([image, image, image]), 0, 0.0), alpha


def compositor(background="#00ff00", **changes):
    settings = Settings(background=BackgroundSettings(current=background), **changes)
    return Compositor(settings, Stats(), wait=True), settings


@pytest.mark.parametrize("seed", range(5))
def test_blend_is_within_one_grey_level_of_exact(seed):
    rng = np.random.default_rng(seed)
    foreground, background = rng.integers(0, 256, (2, 90, 160, 3), np.uint8)
    alpha = rng.random((90, 160)).astype(np.float32)
    alpha[:30], alpha[60:] = 0, 1
    got = blend(foreground, background, alpha).astype(np.float64)
    assert np.abs(got - exact_blend(foreground, background, alpha)).max() <= 1


def test_blend_leaves_what_is_not_person_exactly_alone():
    frame, alpha = person()
    background = np.full_like(frame.image, 77)
    box = person_box(alpha, alpha.shape, 0)
    got = over(Refined(frame.image, box, alpha[box], None), background)
    assert (got[alpha == 0] == 77).all()
    np.testing.assert_array_equal(got[alpha == 1], frame.image[alpha == 1])
    assert (background == 77).all()  # shared with later frames


def test_the_persons_box_is_tight_and_scales():
    alpha = np.zeros((50, 60), np.float32)
    assert person_box(alpha, (50, 60), 0) is None
    alpha[7, 9] = alpha[30, 20] = 0.01
    assert person_box(alpha, (50, 60), 0) == (slice(7, 31), slice(9, 21))
    assert person_box(alpha, (100, 150), 2) == (slice(10, 66), slice(17, 58))
    assert person_box(alpha, (51, 61), 60) == (slice(0, 51), slice(0, 61))


@pytest.mark.parametrize("settings", [{}, {"feather": 24}, {"grow": 24}, {"threshold": 0.2}])
def test_computing_the_box_alone_changes_nothing(settings, monkeypatch):
    """Of an alpha that ends abruptly in a texture, from where upsampling carries it farthest."""
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (31, 67, 3), np.uint8)
    frame = Frame(cv2.resize(small, (333, 187), interpolation=cv2.INTER_CUBIC), 0, 0.0)
    alpha = np.zeros((31, 67), np.float32)
    alpha[8:21, 20:45] = rng.uniform(0.5, 1, (13, 25))
    alpha[14, 30] = 1  # somebody certain
    matte = Matte(frame, alpha, np.full_like(small, 220), small)
    refined = refine(matte, RefineSettings(**settings))
    background = np.full_like(frame.image, 77)
    boxed = over(refined, background)
    monkeypatch.setattr(
        "realtime_bg.processing.refine.person_box", lambda *_: (slice(0, 187), slice(0, 333))
    )
    whole = refine(matte, RefineSettings(**settings))
    np.testing.assert_allclose(refined.alpha, whole.alpha, atol=1e-12)
    assert whole.part.shape > refined.part.shape
    np.testing.assert_array_equal(boxed, over(whole, background))
    everywhere = blend(refined.foreground, background, refined.alpha)
    np.testing.assert_array_equal(boxed, everywhere)


def test_guided_upsampling_is_closer_to_the_truth_than_bilinear():
    frame, truth = person((640, 360))
    small = cv2.resize(frame.image, (80, 45), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(truth, (80, 45), interpolation=cv2.INTER_AREA)
    guided = upsample_alpha(Matte(frame, alpha, guide=small), EVERYWHERE)
    plain = upsample_alpha(Matte(frame, alpha), EVERYWHERE)
    assert guided.shape == plain.shape == truth.shape
    assert np.abs(guided - truth).mean() < 0.6 * np.abs(plain - truth).mean()


def test_predicted_foreground_replaces_the_rim_and_leaves_the_inside():
    """A person of 200 before a room of 40: the edge must lose the room's darkness."""
    frame, truth = person()
    small = cv2.resize(frame.image, (160, 90), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(truth, (160, 90), interpolation=cv2.INTER_AREA)
    colour = np.full_like(small, 220)
    foreground = refine(Matte(frame, alpha, colour, small), RefineSettings()).foreground
    edge = (truth > 0.3) & (truth < 0.7)
    assert foreground[edge].mean() > 205 > frame.image[edge].mean() + 40
    inside = cv2.erode((truth == 1).astype(np.uint8), np.ones((9, 9))) == 1
    np.testing.assert_array_equal(foreground[inside], frame.image[inside])


def parts(faint):
    """A person, a wisp next to them, and something of alpha ``faint`` elsewhere."""
    alpha = np.zeros((90, 160), np.float32)
    alpha[30:, 60:100], alpha[30:50, 100:102] = 1, 0.08
    alpha[10:40, 140:150] = faint
    return alpha


def test_what_is_nowhere_certain_is_nobody():
    frame, _ = person((640, 360))
    small = cv2.resize(frame.image, (160, 90), interpolation=cv2.INTER_AREA)
    for faint, shown in ((0.05, False), (0.6, False), (0.95, True)):
        matte = Matte(frame, parts(faint), small, small)
        alpha = refine(matte, RefineSettings()).alpha
        assert bool(alpha[60:140, 565:595].any()) is shown
        assert alpha[200:300, 260:380].min() > 0.9
        assert alpha[140:180, 402:406].max() > 0.02  # hair is faint, too
        kept = refine(matte, RefineSettings(hysteresis=0)).alpha
        assert kept[60:140, 565:595].max() > 0.01


def test_without_anything_certain_all_is_kept():
    alpha = parts(0.6) * np.float32(0.8)
    np.testing.assert_array_equal(certain_parts(alpha, 0.9), alpha)
    empty = np.zeros_like(alpha)
    np.testing.assert_array_equal(certain_parts(empty, 0.9), empty)


def test_full_size_mattes_pass_through():
    frame, alpha = person()
    matte = Matte(frame, alpha, frame.image, frame.image)
    refined = refine(matte, RefineSettings())
    np.testing.assert_array_equal(refined.alpha, alpha)
    assert np.shares_memory(refined.colours, frame.image)


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.7, 0.95])
def test_threshold_moves_the_middle_and_keeps_the_ends(threshold):
    values = np.float32([[0, threshold, 1]])
    np.testing.assert_allclose(shift_threshold(values, threshold), [[0, 0.5, 1]], atol=1e-6)
    ramp = shift_threshold(np.linspace(0, 1, 101, dtype=np.float32)[None], threshold)
    assert (np.diff(ramp) >= 0).all()


def test_feather_softens_outwards_only():
    alpha = np.zeros((40, 40), np.float32)
    alpha[:, 20:] = 1
    soft = feather(alpha, 5)
    assert (soft[:, 20:] == 1).all()
    assert 0 < soft[20, 17] < 1
    assert (soft[:, :14] == 0).all()


def test_a_composite_shows_person_and_background_and_nothing_else():
    frame, alpha = person()
    maker, settings = compositor()
    image = maker.compose(Matte(frame, alpha), settings).image
    assert (image[alpha == 0] == (0, 255, 0)).all()
    assert (image[alpha == 1] == frame.image[alpha == 1]).all()
    maker.close()


def test_mirror_turns_the_picture():
    frame, alpha = person()
    shifted = np.ascontiguousarray(np.roll(alpha, 40, axis=1))
    maker, settings = compositor()
    plain = maker.compose(Matte(frame, shifted), settings).image
    output = settings.output.model_copy(update={"mirror": True})
    turned = maker.compose(Matte(frame, shifted), settings.model_copy(update={"output": output}))
    np.testing.assert_array_equal(turned.image, plain[:, ::-1])


def test_none_shows_the_camera_because_the_user_said_so():
    frame, _ = person()
    maker, settings = compositor("none")
    np.testing.assert_array_equal(maker.compose(frame, settings).image, frame.image)


@pytest.mark.parametrize("background", ["#00ff00", "beach", "blur", "none"])
def test_closed_never_shows_the_camera(background):
    maker, settings = compositor(background)
    frame = Frame(np.full((180, 320, 3), (255, 0, 255), np.uint8), 0, 0.0)
    pictures = [
        maker.without_camera(SIZE, 0, settings),
        maker.without_camera(SIZE, 0, settings, "Camera paused"),
    ]
    if background != "none":
        pictures.append(maker.compose(frame, settings))  # a bare frame must not pass
    for composite in pictures:
        assert composite.image.shape == (180, 320, 3)
        assert not (composite.image == (255, 0, 255)).all(axis=2).any()


def test_a_frame_meant_for_none_does_not_pass_once_another_background_is_chosen():
    """The setting changed between two threads: the bare frame is already on its way."""
    maker, before = compositor("none")
    after = Settings(background=BackgroundSettings(current="beach"))
    frame = Frame(np.full((180, 320, 3), (255, 0, 255), np.uint8), 0, 0.0)
    maker.compose(frame, before)
    late = Compositor(before, Stats(), wait=False)
    image = late.compose(frame, after).image  # "beach" is still being drawn off-thread
    assert not (image == (255, 0, 255)).all(axis=2).any()
    late.close()


def test_views_reach_the_preview_only():
    frame, alpha = person()
    maker, settings = compositor()
    plain = maker.compose(Matte(frame, alpha), settings)
    assert plain.preview is None
    for name in ("alpha", "split", "stats", "help"):
        view = settings.view.model_copy(update={name: True})
        shown = maker.compose(Matte(frame, alpha), settings.model_copy(update={"view": view}))
        np.testing.assert_array_equal(shown.image, plain.image)
        assert (shown.preview != plain.image).any(), name


def test_recording_and_changes_of_the_edge_are_seen_in_the_preview_only():
    import time

    frame, alpha = person()
    stats = Stats()
    settings = Settings(background=BackgroundSettings(current="#00ff00"))
    maker = Compositor(settings, stats, wait=True)
    plain = maker.compose(Matte(frame, alpha), settings)
    stats.recording_since = time.monotonic() - 61
    shown = maker.compose(Matte(frame, alpha), settings)
    np.testing.assert_array_equal(shown.image, plain.image)
    corner = shown.preview[:40, 200:].astype(int)
    assert ((corner[:, :, 2] > 180) & (corner[:, :, 1] < 90)).any()  # a red dot
    stats.recording_since = None
    softer = settings.model_copy(update={"refine": RefineSettings(feather=3)})
    maker.compose(Matte(frame, alpha), softer)
    assert stats.current_notice() == "threshold 0.50, feather 3 px"


def test_views_show_what_they_say():
    frame, alpha = person()
    maker, settings = compositor()
    view = settings.view.model_copy(update={"split": True})
    split = maker.compose(Matte(frame, alpha), settings.model_copy(update={"view": view})).preview
    np.testing.assert_array_equal(split[:, :150], frame.image[:, :150])
    assert (split[0, 170:] == (0, 255, 0)).all()
    view = settings.view.model_copy(update={"alpha": True})
    grey = maker.compose(Matte(frame, alpha), settings.model_copy(update={"view": view})).preview
    np.testing.assert_allclose(grey[:, :, 0], alpha * 255, atol=1)


def test_a_background_that_cannot_be_opened_live_leaves_the_old_one(caplog):
    maker, settings = compositor()
    bad = settings.model_copy(update={"background": BackgroundSettings(current="nowhere.jpg")})
    assert (maker.without_camera(SIZE, 0, bad).image == (0, 255, 0)).all()
    assert "nowhere.jpg" in caplog.text


def test_blur_keeps_the_persons_colour_out_of_the_room():
    settings = BackgroundSettings(current="blur")
    room = np.full((180, 320, 3), 120, np.uint8)
    y, x = np.mgrid[:180, :320]
    alpha = (np.hypot(x - 160, y - 90) < 50).astype(np.float32)
    room[alpha == 1] = (0, 0, 255)
    behind = open_background("blur", settings, True).render(SIZE, 0.0, room, alpha)
    assert np.abs(behind.astype(int) - 120).max() < 12


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), "image"]
)
def test_as_image_refuses_other_pixels(bad):
    with pytest.raises(ValueError, match="expected"):
        as_image(bad)


def test_check_matte_refuses_what_would_spoil_the_picture():
    frame, alpha = person()
    spoiled = alpha.copy()
    spoiled[3, 3] = np.nan
    for matte in (
        Matte(frame, spoiled),
        Matte(frame, alpha - 1),
        Matte(frame, alpha * 3),
        Matte(frame, alpha.astype(np.float64)),
        Matte(frame, np.zeros((400, 400), np.float32)),
        Matte(frame, alpha, np.zeros((4, 4, 3), np.uint8)),
    ):
        with pytest.raises(ValueError, match=r"alpha|foreground"):
            check_matte(matte)


def test_small_parts_go_and_small_holes_are_filled():
    alpha = np.zeros((90, 160), np.float32)
    cv2.circle(alpha, (80, 60), 25, 1, -1)
    cv2.circle(alpha, (78, 60), 3, 0, -1)  # a hole
    cv2.circle(alpha, (20, 20), 4, 1, -1)  # a part
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.8)
    without = large_parts(alpha, 0.01)
    assert without[10:30, 10:30].max() == 0
    np.testing.assert_allclose(without[34:], alpha[34:], atol=1e-3)
    np.testing.assert_allclose(large_parts(alpha, 0.001), alpha, atol=1e-3)
    filled = without_holes(alpha, 0.005)
    assert filled[55:66, 73:84].min() > 0.98
    np.testing.assert_array_equal(without_holes(alpha, 0.0005), alpha)
    open_gap = 1 - alpha  # its "hole" is the room, at the border
    open_gap[:, 0] = 0
    assert without_holes(open_gap, 0.9)[:, 0].max() == 0


def test_levels_make_edges_narrower_and_keep_their_middle():
    frame, alpha = person()
    guide = cv2.resize(frame.image, (80, 45), interpolation=cv2.INTER_AREA)
    small = cv2.resize(alpha, (80, 45), interpolation=cv2.INTER_AREA)
    matte = Matte(frame, small, guide=guide)
    soft, hard = (
        refine(matte, RefineSettings(levels=levels)).alpha for levels in ((0, 1), (0.2, 0.8))
    )
    edge = (soft > 0.05) & (soft < 0.95)
    assert ((hard > 0.05) & (hard < 0.95)).sum() < 0.85 * edge.sum()
    assert abs((hard > 0.5).sum() - (soft > 0.5).sum()) < 0.002 * soft.size
    assert np.abs(hard - alpha).mean() < np.abs(soft - alpha).mean()


@pytest.mark.parametrize("by", [-6, 6])
def test_the_person_grows_and_shrinks_by_pixels(by):
    frame, alpha = person()
    was = (alpha > 0.5).sum()
    after = refine(Matte(frame, alpha), RefineSettings(grow=by)).alpha
    radius = np.sqrt(was / np.pi) + by
    assert abs((after > 0.5).sum() / (np.pi * radius**2) - 1) < 0.03


def moved(by, noise, seed=0):
    """A matte of the person moved to the right, whose alpha wavers."""
    rng = np.random.default_rng(seed)
    texture = cv2.GaussianBlur(np.random.default_rng(9).uniform(0, 255, (180, 320, 3)), (0, 0), 2)
    frame, alpha = person()
    image = cv2.addWeighted(frame.image, 0.7, texture.astype(np.uint8), 0.3, 0)
    shift = np.float32([[1, 0, by], [0, 1, 0]])
    image, alpha = (
        cv2.warpAffine(one, shift, SIZE, borderMode=cv2.BORDER_REPLICATE) for one in (image, alpha)
    )
    wavering = np.clip(alpha + rng.normal(0, noise, alpha.shape), 0, 1).astype(np.float32)
    return image, alpha, wavering


def test_a_steady_alpha_flickers_less_and_does_not_lag_behind():
    """The picture moves by three pixels a frame: what is averaged must move along."""
    steady, rough, calm = Steady(), [], []
    for index in range(8):
        image, truth, wavering = moved(3 * index, 0.15, index)
        matte = Matte(
            Frame(np.zeros((720, 1280, 3), np.uint8), index, index / 30), wavering, guide=image
        )
        alpha = steady(matte, 0.6)
        if index > 3:
            edge = (truth > 0.01) & (truth < 0.99)
            rough.append(np.abs(wavering - truth)[edge].mean())
            calm.append(np.abs(alpha - truth)[edge].mean())
    assert alpha.dtype == np.float32
    assert np.mean(calm) < 0.65 * np.mean(rough)


@pytest.mark.parametrize("change", ["epoch", "gap", "picture"])
def test_a_jump_leaves_nothing_of_the_last_alpha(change):
    """After a cut, and where another picture is shown, only the present alpha counts."""
    image, truth, _ = moved(0, 0)
    full = np.zeros((720, 1280, 3), np.uint8)
    steady = Steady()
    steady(Matte(Frame(full, 0, 0.0), truth, guide=image), 0.9)
    epoch, time = (1 if change == "epoch" else 0), (5.0 if change == "gap" else 1 / 30)
    if change == "picture":
        image = np.full_like(image, 250)
    nobody = np.zeros_like(truth)
    after = steady(Matte(Frame(full, 1, time, epoch), nobody, guide=image), 0.9)
    assert after.max() < 0.02
