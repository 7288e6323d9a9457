"""Lighting the person as the background is."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import Frame, Matte
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.harmonise import Harmony, wrap
from realtime_bg.processing.refine import refine
from realtime_bg.settings import HarmoniseSettings, RefineSettings, load
from realtime_bg.stats import Stats

SIZE = (320, 180)
INSIDE = (slice(110, 170), slice(140, 180))


def person(colour=(120, 120, 120), room=(100, 100, 100)):
    """A frame and its matte, both with and without the small map."""
    alpha = np.zeros((180, 320), np.float32)
    cv2.ellipse(alpha, (160, 150), (50, 100), 0, 0, 360, 1, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.5)
    image = cv2.blendLinear(
        np.full((180, 320, 3), colour, np.uint8),
        np.full((180, 320, 3), room, np.uint8),
        alpha,
        1 - alpha,
    )
    return Frame(image, 0, 0.0), alpha


def lit(background, colour=(120, 120, 120), room=(100, 100, 100), **settings):
    """The person's colours at full size after harmonising."""
    frame, alpha = person(colour, room)
    matte = Matte(frame, alpha)
    refined = refine(matte, RefineSettings())
    after = Harmony()(refined, matte, background, HarmoniseSettings(**settings))
    return refined.foreground.astype(int), after.foreground.astype(int), refined.alpha


def plain(*colour):
    return np.full((180, 320, 3), colour, np.uint8)


def test_off_changes_nothing():
    before, after, _ = lit(plain(10, 200, 30))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("level", "brighter"), [(230, True), (20, False)])
def test_a_person_gets_the_backgrounds_brightness_in_part(level, brighter):
    before, half, _ = lit(plain(level, level, level), match=0.5)
    _, full, _ = lit(plain(level, level, level), match=1)
    values = [part[INSIDE].mean() for part in (before, half, full)]
    assert values == sorted(values, reverse=not brighter)
    assert abs(values[2] - values[0]) > 20
    assert 60 < values[2] < 200  # and no more than in part


@pytest.mark.parametrize("match", [0.85, 1])
def test_a_face_over_dark_clothes_is_not_overexposed_before_a_bright_background(match):
    """The mean of both asks for more light than the face can take."""
    frame, alpha = person((25, 25, 30))
    image = frame.image.copy()
    cv2.ellipse(image, (160, 90), (28, 36), 0, 0, 360, (150, 175, 215), -1)
    matte = Matte(Frame(image, 0, 0.0), alpha)
    refined = refine(matte, RefineSettings())
    settings = HarmoniseSettings(match=match)
    after = Harmony()(refined, matte, plain(250, 250, 250), settings).foreground
    face, clothes = after[70:110, 145:175], after[INSIDE]
    assert face.max() < 240
    assert face.mean() > 180
    assert clothes.mean() > 26  # it is still matched as far as that goes


def test_colour_comes_from_the_light_and_not_from_clothes():
    """A yellow pullover before a grey wall stays yellow before another grey wall."""
    before, after, _ = lit(plain(100, 100, 100), colour=(30, 180, 200), match=1)
    ratio = after[INSIDE].mean((0, 1)) / before[INSIDE].mean((0, 1))
    assert ratio.max() / ratio.min() < 1.15
    _, warm, _ = lit(plain(60, 110, 170), match=1)
    assert warm[INSIDE][..., 2].mean() > 1.1 * warm[INSIDE][..., 0].mean()


def test_light_comes_from_the_side_it_is_on():
    half = plain(20, 20, 20)
    half[:, :160] = 240
    _, after, _ = lit(half, ambient=1)
    assert after[150, 125].mean() > 1.3 * after[150, 195].mean()


def test_light_wraps_around_the_edge_and_stays_out_of_the_middle():
    before, after, alpha = lit(plain(250, 250, 250), light_wrap=1)
    change = (after - before).mean(2)
    edge = (alpha > 0.4) & (alpha < 0.6)
    assert change[edge].mean() > 25
    assert abs(change[150, 160]) <= 2
    assert change.min() >= -1


def test_exposure_does_not_pump():
    """A background that jumps from dark to bright changes the person slowly."""
    levels = lit_in_turn(
        [(20, 0, n / 30) for n in range(5)] + [(240, 0, n / 30) for n in range(5, 65)]
    )
    steps = np.diff(levels)
    assert steps.max() < 12
    assert levels[-1] > levels[0] + 60


def lit_in_turn(moments):
    """The person's mean before backgrounds of a level, each in an epoch and at a time."""
    frame, alpha = person()
    harmony, levels = Harmony(), []
    for level, epoch, at in moments:
        matte = Matte(Frame(frame.image, 0, at, epoch), alpha)
        after = harmony(
            refine(matte, RefineSettings()),
            matte,
            plain(level, level, level),
            HarmoniseSettings(match=1),
        )
        levels.append(after.foreground[INSIDE].mean())
    return levels


@pytest.mark.parametrize(("epoch", "at"), [(1, 1.03), (0, 2.0), (0, 0.5)])
def test_what_follows_nothing_is_lit_as_if_it_were_the_first(epoch, at):
    (wanted,) = lit_in_turn([(240, epoch, at)])
    assert lit_in_turn([(20, 0, 1.0), (240, epoch, at)])[1] == wanted
    assert lit_in_turn([(20, 0, 1.0), (240, 0, 1.03)])[1] < wanted - 20


@pytest.mark.parametrize(("background", "same"), [("blur", True), ("beach", False)])
def test_the_room_itself_needs_no_harmony(background, same):
    frame, alpha = person()
    images = []
    for match in (0, 1):
        flags = {"background.current": background, "harmonise.match": match}
        settings = load(flags=flags)
        compositor = Compositor(settings, Stats(), wait=True)
        images.append(compositor.compose(Matte(frame, alpha), settings).image)
        compositor.close()
    assert (images[0] == images[1]).all() == same


@pytest.mark.parametrize("level", [40, 90, 140, 250])
def test_brightness_is_matched_by_the_square_root_of_its_ratio(level):
    """Of person and background, each raised by 8 levels, and by no more than 1.6."""
    frame, alpha = person()
    share = alpha / alpha.sum()
    mean = float((frame.image[..., 0] * share).sum())
    gain = np.clip(np.sqrt((level + 8) / (mean + 8)), 1 / 1.6, 1.6)
    before, after, _ = lit(plain(level, level, level), match=1)
    np.testing.assert_allclose(after[INSIDE], np.clip(before[INSIDE] * gain, 0, 255), atol=1.5)


@pytest.mark.parametrize(
    ("colour", "room", "background"),
    [
        ((120, 120, 120), (100, 100, 100), (60, 110, 170)),
        ((110, 120, 130), (60, 15, 5), (60, 110, 170)),  # a dark room of one colour
        ((150, 150, 150), (20, 100, 60), (90, 60, 15)),
    ],
)
def test_colour_is_matched_by_the_ratio_of_the_whole_pictures(colour, room, background):
    frame, alpha = person(colour, room)
    behind = np.array(background, float)
    share = (alpha / alpha.sum())[..., None]
    mean, here = (frame.image * share).sum((0, 1)), frame.image.mean((0, 1)) + 8
    there = behind + 8
    tint = there / there.mean() / (here / here.mean())
    gain = np.clip((there.mean() / (mean.mean() + 8)) ** 0.5 * tint**0.35, 1 / 1.6, 1.6)
    before, after, _ = lit(plain(*background), colour, room, match=1)
    np.testing.assert_allclose(after[INSIDE], before[INSIDE] * gain, atol=1.5)


def test_gains_of_a_steady_picture_follow_the_last_ones_by_an_exponential():
    """Of the way to the new gain, 8 % are taken with every frame."""
    dark, bright = (lit_in_turn([(level, 0, 0.0)])[0] for level in (20, 240))
    levels = lit_in_turn([(20, 0, 0.0)] + [(240, 0, (n + 1) / 30) for n in range(4)])
    expected = [bright + (dark - bright) * 0.92**n for n in range(5)]
    np.testing.assert_allclose(levels, expected, atol=1)


def test_nobody_is_not_lit():
    frame, alpha = person()
    matte = Matte(frame, alpha * 0)
    refined = refine(matte, RefineSettings())
    assert Harmony()(refined, matte, plain(9, 9, 9), HarmoniseSettings(match=1)) is refined


def test_another_background_is_seen_at_once():
    """Its small copy is kept for the same picture only."""
    frame, alpha = person()
    harmony, matte = Harmony(), Matte(frame, alpha)
    settings = HarmoniseSettings(light_wrap=1)
    refined = refine(matte, RefineSettings())
    first = plain(20, 20, 20)
    dark = harmony(refined, matte, first, settings).foreground
    bright = harmony(refined, matte, plain(250, 250, 250), settings).foreground
    assert bright.mean() > dark.mean() + 1
    np.testing.assert_array_equal(harmony(refined, matte, first, settings).foreground, dark)


def test_a_small_map_is_lit_as_its_full_size():
    frame, alpha = person()
    small, guide = cv2.resize(alpha, (160, 90)), cv2.resize(frame.image, (160, 90))
    settings = HarmoniseSettings(match=1, ambient=1, light_wrap=1)
    images = []
    for matte in (Matte(frame, alpha), Matte(frame, small, guide=guide)):
        refined = refine(matte, RefineSettings(decontaminate=False))
        images.append(Harmony()(refined, matte, plain(50, 120, 240), settings).foreground)
    np.testing.assert_allclose(images[0][INSIDE].astype(int), images[1][INSIDE], atol=2)


@pytest.mark.parametrize(
    ("ambient", "bright", "dark", "colour"),
    [
        (0.5, (240, 200, 160), 20, 120),
        (1.0, (240, 200, 160), 20, 120),
        (1.0, (40, 40, 40), 10, 250),  # where the 8 levels that are added count most
    ],
)
def test_ambient_light_is_the_blurred_background_by_its_exponent(ambient, bright, dark, colour):
    behind = plain(dark, dark, dark)
    behind[:, :160] = bright
    small = cv2.resize(behind, (96, 54), interpolation=cv2.INTER_AREA).astype(np.float64)
    around = cv2.GaussianBlur(small, (0, 0), 12, borderType=cv2.BORDER_REPLICATE) + 8
    light = np.clip((around / around.mean((0, 1))) ** (0.6 * ambient), 1 / 1.6, 1.6)
    light = cv2.resize(light, SIZE)
    before, after, alpha = lit(behind, (colour,) * 3, ambient=ambient)
    expected = np.clip(before * light, 0, 255)
    np.testing.assert_allclose(after[alpha == 1], expected[alpha == 1], atol=1.2)


def test_light_over_the_edge_is_the_mean_outside_by_its_share():
    """Of a neighbourhood of 2.5 small pixels, and never more than 60 % of it."""
    _, alpha = person()
    small = cv2.resize(alpha, (96, 54), interpolation=cv2.INTER_AREA)
    behind = np.random.default_rng(1).uniform(0, 255, (54, 96, 3)).astype(np.float32)
    outside = 1 - small
    near, light = (
        cv2.GaussianBlur(one, (0, 0), 2.5, borderType=cv2.BORDER_REPLICATE)
        for one in (outside, behind * outside[..., None])
    )
    got = wrap(small, behind)
    assert got.dtype == np.float32
    seen = near > 0.01
    share = np.minimum(near, 0.6) / np.maximum(near, 0.01)
    expected = light * share[..., None]
    np.testing.assert_allclose(got[seen], expected[seen], atol=1e-2)
    assert (near > 0.6).any()
    assert got[~seen].max() <= 2.55  # and nearly nothing in the middle of the person
    assert wrap(np.ones_like(small), behind).max() == 0


@pytest.mark.parametrize(("share", "colour"), [(0.5, 120), (1, 120), (1, 250)])
def test_light_over_the_edge_is_added_where_the_person_is_dark(share, colour):
    background = plain(200, 150, 40)
    _, alpha = person()
    small = cv2.resize(alpha, (96, 54), interpolation=cv2.INTER_AREA)
    glow = share * wrap(small, np.full((54, 96, 3), (200, 150, 40), np.float32))
    glow = cv2.resize(glow, SIZE)
    before, after, _ = lit(background, (colour,) * 3, light_wrap=share)
    expected = np.rint(before + glow * (1 - before / 255))
    seen = alpha > 0.2
    np.testing.assert_allclose(after[seen], expected[seen], atol=1.5)
