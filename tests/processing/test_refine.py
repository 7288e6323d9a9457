"""The steps of refinement against plain arithmetic in float64."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import Cutout, Frame, Matte
from realtime_bg.processing import decontamination
from realtime_bg.processing import refine as refining
from realtime_bg.processing.decontamination import decontaminated
from realtime_bg.processing.refine import (
    feather,
    grown,
    linear_model,
    person_box,
    refine,
    shaped,
    shift_threshold,
    upsample_alpha,
    upsample_foreground,
    with_foreground,
)
from realtime_bg.settings import RefineSettings

SMALL, LARGE = (40, 24), (160, 96)
WHOLE = (slice(0, 96), slice(0, 160))


def window_mean(x):
    """The mean of 3x3 windows, float64, beyond the border the nearest pixel."""
    padded = np.pad(x, 1, mode="edge")
    height, width = x.shape
    parts = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.mean(parts, axis=0)


def textured(size, seed=0):
    picture = np.random.default_rng(seed).uniform(0, 255, (9, 16, 3)).astype(np.float32)
    return np.clip(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), 0, 255).astype(
        np.uint8
    )


@pytest.fixture
def matte():
    image = textured(LARGE)
    guide = cv2.resize(image, SMALL, interpolation=cv2.INTER_AREA)
    alpha = np.zeros(SMALL[::-1], np.float32)
    cv2.circle(alpha, (20, 14), 8, 1, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1)
    return Matte(Frame(image, 0, 0.0), alpha, guide=guide)


@pytest.mark.parametrize("levels", [(0.0, 1.0), (0.1, 0.8)])
def test_guided_upsampling_is_half_the_fit_and_half_the_alpha(matte, levels):
    grey = cv2.cvtColor(matte.guide, cv2.COLOR_BGR2GRAY).astype(np.float64)
    alpha = matte.alpha.astype(np.float64)
    covariance = window_mean(grey * alpha) - window_mean(grey) * window_mean(alpha)
    variance = window_mean(grey**2) - window_mean(grey) ** 2
    slope = covariance / (variance + 0.003 * 255**2)
    offset = window_mean(alpha) - slope * window_mean(grey)
    slope, offset, plain = (cv2.resize(x, LARGE) for x in (slope, offset, alpha))
    fine = cv2.cvtColor(matte.frame.image, cv2.COLOR_BGR2GRAY).astype(np.float64)
    expected = 0.5 * (slope * fine + offset) + 0.5 * plain
    expected = np.clip((expected - levels[0]) / (levels[1] - levels[0]), 0, 1)
    got = upsample_alpha(matte, WHOLE, levels)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=2e-3)
    part = slice(30, 70), slice(50, 111)
    np.testing.assert_allclose(upsample_alpha(matte, part, levels), expected[part], atol=2e-3)


def test_without_a_guide_the_alpha_is_enlarged_plainly(matte):
    plain = Matte(matte.frame, matte.alpha)
    expected = cv2.resize(matte.alpha, LARGE)
    got = upsample_alpha(plain, WHOLE, (0.2, 0.8))
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert got.flags.c_contiguous


@pytest.mark.parametrize(
    ("place", "reach", "expected"),
    [
        ((0, 0), 0, (slice(0, 4), slice(0, 4))),
        ((23, 39), 0, (slice(92, 96), slice(156, 160))),
        ((5, 7), 2, (slice(12, 32), slice(20, 40))),
        ((1, 1), 3, (slice(0, 20), slice(0, 20))),
    ],
)
def test_the_box_holds_the_whole_pixel_and_its_reach(place, reach, expected):
    alpha = np.zeros(SMALL[::-1], np.float32)
    alpha[place] = 0.001
    assert person_box(alpha, LARGE[::-1], reach) == expected


def test_somebody_at_the_border_loses_no_line():
    image = textured((64, 36))
    alpha = np.ones((36, 64), np.float32)
    refined = refine(Matte(Frame(image, 0, 0.0), alpha), RefineSettings(feather=3, grow=2))
    assert refined.part.shape == (36, 64)
    assert (refined.alpha == 1).all()


def test_the_model_of_a_window_is_least_squares_with_a_small_penalty():
    """Of 0.003 on intensities in 0..1, in windows of 3 x 3 pixels, and averaged with the alpha."""
    chance = np.random.default_rng(7)
    grey = chance.integers(90, 110, (12, 16)).astype(np.float64)
    alpha = chance.random((12, 16)).astype(np.float32)
    given, mean = alpha.astype(np.float64), window_mean
    shared = mean(grey * given) - mean(grey) * mean(given)
    slope = shared / (mean(grey * grey) - mean(grey) ** 2 + 0.003 * 255**2)
    offset = mean(given) - slope * mean(grey)
    guide = np.repeat(grey.astype(np.uint8)[..., None], 3, 2)
    for low, high in ((0.0, 1.0), (0.04, 0.96)):
        got = linear_model(guide, alpha, (low, high))
        np.testing.assert_allclose(got[0], 0.5 * slope / (high - low), rtol=1e-3, atol=2e-7)
        expected = (0.5 * offset + 0.5 * given - low) / (high - low)
        np.testing.assert_allclose(got[1], expected, atol=3e-5)


@pytest.mark.skipif(not refining.kernels.compiled, reason="the kernels are not compiled")
def test_the_kernel_is_used_where_it_is_compiled(matte, monkeypatch):
    asked = []
    for name in ("fit_linear", "estimate_change"):
        usual = getattr(refining.kernels, name)
        monkeypatch.setattr(
            refining.kernels,
            name,
            lambda *given, name=name, usual=usual: asked.append(name) or usual(*given),
        )
    refine(matte, RefineSettings())
    assert asked == ["fit_linear", "estimate_change"]
    asked.clear()
    monkeypatch.setattr(refining.kernels, "compiled", False)
    refine(matte, RefineSettings())
    assert asked == []


# Colours


def test_the_change_of_colour_is_enlarged_and_added_to_the_frame(matte):
    colour = cv2.add(matte.guide, np.full_like(matte.guide, 12))
    full = Matte(matte.frame, matte.alpha, colour, matte.guide)
    change = cv2.subtract(colour, matte.guide, dtype=cv2.CV_16S)
    change[matte.alpha > 0.98] = 0
    expected = np.clip(matte.frame.image + cv2.resize(change, LARGE).astype(int), 0, 255)
    got = upsample_foreground(full, WHOLE)
    np.testing.assert_allclose(got.astype(int), expected, atol=1)
    part = slice(30, 70), slice(50, 111)
    np.testing.assert_allclose(upsample_foreground(full, part).astype(int), expected[part], atol=1)
    solid = cv2.erode((matte.alpha > 0.98).astype(np.uint8), np.ones((3, 3)))
    inside = cv2.resize(solid, LARGE, interpolation=cv2.INTER_NEAREST) > 0
    np.testing.assert_array_equal(got[inside], matte.frame.image[inside])


def test_a_foreground_without_a_guide_is_enlarged(matte):
    colour = textured(SMALL, 3)
    got = upsample_foreground(Matte(matte.frame, matte.alpha, colour), WHOLE)
    np.testing.assert_allclose(got.astype(int), cv2.resize(colour, LARGE), atol=1)
    full = textured(LARGE, 4)
    part = slice(3, 9), slice(5, 50)
    np.testing.assert_array_equal(
        upsample_foreground(Matte(matte.frame, matte.alpha, full), part), full[part]
    )
    assert upsample_foreground(matte, WHOLE) is None


@pytest.mark.parametrize(
    ("size", "expected"), [((1920, 1080), (384, 216)), ((200, 100), (200, 100))]
)
def test_colours_of_a_full_size_alpha_are_estimated_in_a_small_picture(size, expected):
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    alpha = np.full((size[1], size[0]), 0.5, np.float32)
    made = with_foreground(Matte(Frame(image, 0, 0.0), alpha))
    shape = expected[::-1]
    assert made.alpha.shape == shape
    assert made.guide.shape == made.foreground.shape == (*shape, 3)


def test_an_engines_own_colours_are_not_estimated_anew(matte, monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(refining, "estimate_foreground", never)
    monkeypatch.setattr(refining.kernels, "estimate_change", never)
    colour = textured(SMALL, 3)
    refine(Matte(matte.frame, matte.alpha, colour, matte.guide), RefineSettings())
    refine(matte, RefineSettings(decontaminate=False))
    with pytest.raises(AssertionError):
        refine(matte, RefineSettings())


# The edge


def test_feather_is_twice_a_box_blur_at_most_one():
    alpha = np.zeros((9, 40), np.float32)
    alpha[:, 20:] = 1
    soft = feather(alpha, 5)
    inside = [max(0, 5 - (19 - x)) / 11 for x in range(10, 20)]  # of the window's 11 columns
    np.testing.assert_allclose(soft[4, 10:20], np.minimum(2 * np.array(inside), 1), atol=1e-6)
    assert (soft[:, 20:] == 1).all()
    assert soft.dtype == np.float32


def test_growing_by_pixels_is_exact_along_the_axes():
    alpha = np.zeros((30, 30), np.float32)
    alpha[12:18, 12:18] = 1
    wide, narrow = grown(alpha, 3), grown(alpha, -2)
    assert np.flatnonzero(wide[15]).tolist() == list(range(9, 21))
    assert np.flatnonzero(narrow[15]).tolist() == [14, 15]
    assert not wide[9, 9]  # round corners
    edge = np.ones((8, 8), np.float32)
    assert (grown(edge, -2) == 1).all()  # the picture's border is no edge of the person


def test_the_threshold_is_two_straight_lines():
    values = np.float32([[0, 0.1, 0.2, 0.6, 1]])
    np.testing.assert_allclose(shift_threshold(values, 0.2), [[0, 0.25, 0.5, 0.75, 1]], atol=1e-6)
    assert shift_threshold(values, 0.2).dtype == np.float32


def test_a_matte_that_needs_no_shaping_is_the_same_object(matte):
    off = RefineSettings(hysteresis=0, min_area=0, holes=0)
    assert shaped(matte, off) is matte
    assert shaped(matte, RefineSettings(hysteresis=0.5)) is not matte


# Removing the room's colour at full size


def outline(size=(640, 360)):
    """A soft disc in the middle of a textured picture."""
    alpha = np.zeros(size[::-1], np.float32)
    cv2.circle(alpha, (size[0] // 2, size[1] // 2), 60, 1, -1)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 4)
    alpha[alpha < 0.01] = 0
    return textured(size, 8), alpha


def test_the_room_is_seen_as_far_as_the_widest_window():
    """Twice as large as the picture in which colours are spread, nothing is seen from 57 pixels
    on."""
    image, alpha = outline()
    rows, _ = person_box(alpha, alpha.shape, 0)
    plain = decontaminated(Cutout(image, alpha, image))
    for distance, same in ((15, False), (57, True)):
        other = image.copy()
        other[: rows.start - distance] = 255 - other[: rows.start - distance]
        changed = decontaminated(Cutout(other, alpha, other))
        edge = (alpha > 0) & (alpha < 0.98)
        assert (changed[edge] == plain[edge]).all() == same, distance


def test_only_the_edge_is_changed():
    image, alpha = outline()
    result = decontaminated(Cutout(image, alpha, image))
    edge = (alpha > 0) & (alpha < 0.98)
    np.testing.assert_array_equal(result[~edge], image[~edge])
    assert (result[edge] != image[edge]).any()
    nobody = Cutout(image, alpha * 0, image)
    assert decontaminated(nobody) is image


def test_what_is_solid_keeps_its_colours():
    """From an alpha of 0.98 on."""
    image, alpha = outline()
    place = np.argwhere((alpha > 0.4) & (alpha < 0.6))[0]
    for value, kept in ((0.98, True), (0.9, False)):
        changed = alpha.copy()
        changed[tuple(place)] = np.float32(value)
        result = decontaminated(Cutout(image, changed, image))
        assert (result[tuple(place)] == image[tuple(place)]).all() == kept


def test_a_predicted_foreground_is_spread_and_not_corrected():
    """A plain one stays what it is, whatever the room looks like."""
    image, alpha = outline()
    own = np.full_like(image, (40, 90, 200))
    result = decontaminated(Cutout(image, alpha, own))
    np.testing.assert_allclose(result.astype(int), own, rtol=0.1)
    np.testing.assert_allclose(result[alpha > 0.2].astype(int), own[alpha > 0.2], atol=1)


def test_what_is_mixed_at_the_edge_is_unmixed():
    """A plain person before a plain room: the person's colour at every alpha."""
    _, alpha = outline()
    person, room = np.array((200, 180, 90.0)), np.array((20, 60, 30.0))
    share = alpha[..., None]
    image = np.rint(share * person + (1 - share) * room).astype(np.uint8)
    result = decontaminated(Cutout(image, alpha, image))
    edge = (alpha > 0.1) & (alpha < 0.98)
    assert edge.sum() > 1000
    assert np.abs(result[edge] - person).mean() < 10
    assert np.abs(image[edge] - person).mean() > 40


def test_a_picture_around_the_person_is_enough():
    """Cut to 56 pixels around the person, it gives the same colours."""
    image, alpha = outline()
    rows, columns = person_box(alpha, alpha.shape, 56)
    cut = np.ascontiguousarray(image[rows, columns])
    part = decontaminated(Cutout(cut, np.ascontiguousarray(alpha[rows, columns]), cut))
    assert max(part.shape) <= 320  # so that it is not reduced any more
    whole = decontaminated(Cutout(image, alpha, image))
    edge = ((alpha > 0) & (alpha < 0.98))[rows, columns]
    np.testing.assert_allclose(whole[rows, columns][edge].astype(int), part[edge], atol=1)


@pytest.mark.parametrize(("size", "largest"), [((1280, 720), 320), ((200, 120), 200)])
def test_colours_are_spread_in_a_picture_of_limited_size(monkeypatch, size, largest):
    sides, usual = [], decontamination.fused

    def fused(part, weight, windows):
        sides.append(max(weight.shape))
        return usual(part, weight, windows)

    monkeypatch.setattr(decontamination, "fused", fused)
    image, alpha = outline(size)
    alpha[:] = np.maximum(alpha, 0.5)  # all of the picture counts
    decontaminated(Cutout(image, alpha, image))
    assert sides == [largest]
