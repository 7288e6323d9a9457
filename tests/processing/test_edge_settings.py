"""Every setting of the edge through the compositor: what it does to the picture that is sent."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import Frame, Matte
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.refine import RADIUS, REACH, Refined, person_box, refine
from realtime_bg.settings import (
    BackgroundSettings,
    HarmoniseSettings,
    OutputSettings,
    RefineSettings,
    Settings,
    ViewSettings,
)
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 320, 180
WORK = 160, 90
MIDDLE = 90, 160  # row and column
GREEN = (0, 255, 0)
PLAIN = {"decontaminate": False, "steady": 0.0, "levels": (0.0, 1.0)}


def frame(index=0, level=90, epoch=0):
    """A grey room whose left is darker than its right, without any texture to follow."""
    image = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    image[:, WIDTH // 2 :] += 60
    return Frame(image, index, index / 30, epoch)


def disc(radius=40, hole=0, part=0, size=WORK):
    """A person of some radius, perhaps with a hole in them and a part beside, in small pixels."""
    alpha = np.zeros(size[::-1], np.float32)
    cv2.circle(alpha, (size[0] // 2, size[1] // 2), radius, 1, -1)
    if hole:
        cv2.circle(alpha, (size[0] // 2, size[1] // 2), hole, 0, -1)
    if part:
        cv2.circle(alpha, (12, 12), part, 1, -1)
    return alpha


def small(alpha, shown=None):
    """A matte as a network gives it: at work size, with its guide."""
    shown = shown or frame()
    height, width = alpha.shape
    return Matte(shown, alpha, guide=cv2.resize(shown.image, (width, height)))


def settings_with(background="#00ff00", mirror=False, view=None, harmonise=None, **edge):
    return Settings(
        background=BackgroundSettings(current=background),
        refine=RefineSettings(**(PLAIN | edge)),
        output=OutputSettings(mirror=mirror),
        view=ViewSettings(**(view or {})),
        harmonise=HarmoniseSettings(**(harmonise or {})),
    )


def composed(*items, **changes):
    """The composite of the last of some items, which one compositor saw."""
    settings = settings_with(**changes)
    maker = Compositor(settings, Stats(), wait=True)
    for item in items:
        last = maker.compose(item, settings)
    maker.close()
    return last


def share_of_green(image, at):
    """How much of the background there is at a row and column, from 0 to 1."""
    return (int(image[at][1]) - int(image[at][2])) / 255


def area_of(image):
    """How many pixels are more room than background."""
    return int((image[..., 2] > 40).sum())


def test_grow_and_shrink_by_pixels():
    areas = [area_of(composed(small(disc(30)), grow=by).image) for by in (-8, 0, 8)]
    radii = np.sqrt(np.array(areas) / np.pi)
    np.testing.assert_allclose(np.diff(radii), [8, 8], atol=1)


@pytest.mark.parametrize(("threshold", "compare"), [(0.2, "more"), (0.8, "less")])
def test_threshold_moves_the_edge(threshold, compare):
    soft = cv2.GaussianBlur(disc(30), (0, 0), 3)
    before = area_of(composed(small(soft), hysteresis=0.0).image)
    after = area_of(composed(small(soft), hysteresis=0.0, threshold=threshold).image)
    assert (after > before + 200) if compare == "more" else (after < before - 200)


def test_feather_softens_what_is_outside():
    at = MIDDLE[0], MIDDLE[1] - 2 * 30 - 5  # five pixels left of the person
    assert share_of_green(composed(small(disc(30))).image, at) > 0.99
    assert 0.05 < share_of_green(composed(small(disc(30)), feather=12).image, at) < 0.95
    inside = MIDDLE[0], MIDDLE[1] - 2 * 30 + 8
    assert share_of_green(composed(small(disc(30)), feather=12).image, inside) < 0.02


def test_small_parts_go_by_their_share_of_the_picture():
    alpha = disc(25, part=4)
    at = 24, 24
    assert share_of_green(composed(small(alpha)).image, at) < 0.02
    assert share_of_green(composed(small(alpha), min_area=0.01).image, at) > 0.98
    assert share_of_green(composed(small(alpha), min_area=0.001).image, at) < 0.02
    assert share_of_green(composed(small(alpha), min_area=0.01).image, MIDDLE) < 0.02


def test_holes_are_filled_by_their_share_of_the_picture():
    alpha = disc(30, hole=5)
    assert share_of_green(composed(small(alpha)).image, MIDDLE) > 0.98
    assert share_of_green(composed(small(alpha), holes=0.01).image, MIDDLE) < 0.02
    assert share_of_green(composed(small(alpha), holes=0.001).image, MIDDLE) > 0.98


def test_what_is_uncertain_goes_with_hysteresis_only():
    alpha = disc(25)
    alpha[5:20, 5:20] = 0.6
    at = 24, 24
    assert share_of_green(composed(small(alpha), hysteresis=0.9).image, at) > 0.98
    assert share_of_green(composed(small(alpha), hysteresis=0.5).image, at) < 0.5
    assert share_of_green(composed(small(alpha), hysteresis=0.0).image, at) < 0.5


def test_levels_make_what_is_faint_vanish_and_what_is_dense_solid():
    for value, levels, green in (
        (0.25, (0.3, 0.9), 1.0),
        (0.95, (0.3, 0.9), 0.0),
        (0.5, (0.0, 1.0), 0.5),
        (0.5, (0.4, 1.0), 5 / 6),
        (0.5, (0.0, 0.6), 1 / 6),
    ):
        flat = np.full(WORK[::-1], value, np.float32)
        image = composed(small(flat), levels=levels, hysteresis=0.0).image
        # The room itself adds some difference between its channels and the background's
        level = 255 - green * 255
        assert abs(int(image[20, 20, 0]) - 90 * level / 255) <= 1, (value, levels)


def test_steady_holds_an_alpha_that_wavers_in_a_still_picture():
    """Half of the last alpha stays with a weight of one half; nothing with none."""
    room, less = frame().image, np.full(WORK[::-1], 0.8, np.float32)
    whole = np.ones_like(less)
    for weight, expected in ((0.0, 0.8), (0.5, 0.9), (0.8, 0.96)):
        first, second = small(whole, frame(0)), small(less, frame(1))
        image = composed(first, second, steady=weight, hysteresis=0.0).image
        assert abs(int(image[20, 20, 0]) - expected * room[20, 20, 0]) <= 1, weight


def test_decontamination_takes_the_rooms_colour_from_the_edge():
    """A white person in a dark room before white: a grey rim is the room's."""
    alpha = cv2.GaussianBlur(disc(25), (0, 0), 2)
    full = cv2.resize(alpha, SIZE)
    image = (20 + 220 * full[..., None] * np.ones(3)).astype(np.uint8)
    matte = small(alpha, Frame(image, 0, 0.0))
    edge = (full > 0.3) & (full < 0.7)
    levels = [
        composed(matte, background="white", decontaminate=on).image[edge].mean()
        for on in (False, True)
    ]
    assert levels[1] > levels[0] + 15


@pytest.mark.parametrize(
    "harmonise", [{"match": 1.0}, {"ambient": 1.0}, {"light_wrap": 1.0}], ids=str
)
def test_relighting_reaches_the_picture_and_spares_the_background(harmonise):
    """But not with a background that is the room itself."""
    soft = cv2.GaussianBlur(disc(30), (0, 0), 2)
    plain = composed(small(soft), background="beach").image
    lit = composed(small(soft), background="beach", harmonise=harmonise).image
    assert (lit != plain).any()
    np.testing.assert_array_equal(lit[:10], plain[:10])
    blurred = composed(small(soft), background="blur").image
    np.testing.assert_array_equal(
        composed(small(soft), background="blur", harmonise=harmonise).image, blurred
    )


# The box


def test_upsampling_reaches_as_far_as_it_is_computed():
    """An alpha that ends abruptly, enlarged much: the box holds all that is not 0."""
    alpha = np.zeros((30, 40), np.float32)
    alpha[10:20, 15:25] = 1
    shown = Frame(np.random.default_rng(2).integers(0, 256, (240, 320, 3), np.uint8), 0, 0.0)
    matte = Matte(shown, alpha, guide=cv2.resize(shown.image, (40, 30)))
    refined = refine(matte, RefineSettings(**PLAIN))
    rows, columns = refined.box
    assert refined.part[0].max() == refined.part[-1].max() == 0
    assert refined.part[:, 0].max() == refined.part[:, -1].max() == 0
    # Bilinear enlargement by 8 carries a hard edge 4 pixels outwards, the filter's window 8 more
    held = np.flatnonzero(refined.alpha.max(axis=1))
    assert held[0] <= 80 - 4
    assert held[-1] >= 159 + 4
    assert (rows, columns) == person_box(alpha, (240, 320), REACH)
    assert REACH == RADIUS + 2


def test_nobody_is_an_empty_box_and_the_background_alone():
    nobody = small(np.zeros(WORK[::-1], np.float32))
    refined = refine(nobody, RefineSettings())
    assert refined.part.shape == (0, 0)
    assert refined.colours is None
    assert not refined.alpha.any()
    assert refined.alpha.shape == (HEIGHT, WIDTH)
    assert (composed(nobody, grow=8, feather=8).image == GREEN).all()


def test_a_box_knows_its_place_in_the_whole():
    image = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)
    box, colours = (slice(2, 5), slice(3, 7)), np.full((3, 4, 3), 9, np.uint8)
    refined = Refined(image, box, np.full((3, 4), 0.5, np.float32), colours)
    assert refined.alpha.sum() == 0.5 * 12
    assert (refined.alpha[box] == 0.5).all()
    assert (refined.foreground[box] == 9).all()
    outside = np.ones((8, 10), bool)
    outside[box] = False
    np.testing.assert_array_equal(refined.foreground[outside], image[outside])
    assert Refined(image, box, refined.part, None).foreground is image
    whole = Refined(image, (slice(0, 8), slice(0, 10)), np.ones((8, 10), np.float32), image)
    assert whole.alpha is whole.part
    assert whole.foreground is image


# Mirroring


def drawn(tmp_path):
    """A background whose left differs from its right."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2] = (200, 100, 50)
    path = tmp_path / "room.png"
    cv2.imwrite(str(path), image)
    return str(path)


def test_mirroring_turns_the_picture_without_the_camera_too(tmp_path):
    made = []
    for mirror in (False, True):
        settings = settings_with(drawn(tmp_path), mirror=mirror)
        maker = Compositor(settings, Stats(), wait=True)
        made.append(
            [
                maker.without_camera(SIZE, 0, settings).image,
                maker.compose(small(disc()), settings).image,
                maker.without_camera(SIZE, 0, settings, "Camera paused").image,
            ]
        )
        maker.close()
    for plain, turned in zip(made[0][:2], made[1][:2], strict=True):
        assert (plain != turned).any()
        np.testing.assert_array_equal(turned, plain[:, ::-1])
    np.testing.assert_array_equal(made[0][2], made[1][2])  # a card's text stays legible


def test_mirroring_turns_all_that_the_preview_compares():
    shown = frame()
    shown.image[20:60, 10:50] = (10, 20, 200)  # something at the left
    lopsided = np.roll(disc(20), 30, axis=1)
    for view in ({"split": True}, {"alpha": True}):
        plain = composed(small(lopsided, shown), view=view).preview
        turned = composed(small(lopsided, shown), view=view, mirror=True).preview
        if "alpha" in view:
            np.testing.assert_array_equal(turned, plain[:, ::-1])
        else:
            half = WIDTH // 2
            np.testing.assert_array_equal(plain[:, : half - 1], shown.image[:, : half - 1])
            flipped = shown.image[:, ::-1]
            np.testing.assert_array_equal(turned[:, : half - 1], flipped[:, : half - 1])
