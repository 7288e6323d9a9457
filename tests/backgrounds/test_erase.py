"""The background `erase`: learns the room around the person, shows it, never shows the person."""

from functools import cache

import numpy as np
import pytest

from realtime_bg.backgrounds import open_background
from realtime_bg.backgrounds.erase import CARD, SETTLED
from realtime_bg.frames import Frame, Matte
from realtime_bg.processing.compositor import Compositor
from realtime_bg.settings import BackgroundSettings, load
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 320, 180
SKIN = np.array([40, 60, 250], np.uint8)  # BGR; nothing like it is in the room


@cache
def room(light=1.0):
    """A wall with a gradient, a window and some texture, BGR (h, w, 3)."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    picture = np.stack([90 + x / 4, 110 + y / 3, 90 + (x + y) / 8], -1)
    picture[30:90, 230:290] = (200, 190, 120)
    picture += np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(picture * light, 0, 255).astype(np.uint8)


def scene(centre, light=1.0):
    """A frame with a person at ``centre`` (x), and their alpha."""
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    if centre is not None:
        alpha[60:, max(0, centre - 40) : max(0, centre + 40)] = 1
    return np.where(alpha[..., None] > 0, SKIN, room(light)), alpha


@pytest.fixture(params=[False, True], ids=["live", "file"])
def erase(request):
    return open_background("erase", BackgroundSettings(), request.param)


def shown(background, *scenes):
    for index, (frame, alpha) in enumerate(scenes):
        image = background.render(SIZE, index / 30, frame, alpha)
    return image.astype(int)


def is_skin(image):
    return (np.abs(image - SKIN.astype(int)).max(2) < 60).any()


def test_what_the_person_uncovers_is_learned(erase):
    path = [scene(x) for x in range(100, 240, 4) for _ in range(2)]
    image = shown(erase, *path)
    assert np.abs(image - room()).mean() < 3
    assert not is_skin(image)


def test_the_person_never_shows_not_even_in_the_first_frame(erase):
    for index, x in enumerate(range(60, 260, 3)):
        frame, alpha = scene(x)
        assert not is_skin(erase.render(SIZE, index / 30, frame, alpha)), index


def test_what_was_never_seen_is_painted_in_from_around(erase):
    image = shown(erase, scene(120))
    hidden = scene(120)[1] > 0
    assert np.abs(image - room())[hidden].mean() < 25
    assert np.abs(image - CARD)[hidden].mean() > 25


def test_a_picture_full_of_person_shows_a_card(erase):
    frame = np.full((HEIGHT, WIDTH, 3), SKIN)
    image = shown(erase, (frame, np.ones((HEIGHT, WIDTH), np.float32)))
    assert (image == CARD).all()


def test_one_frame_without_a_matte_teaches_nothing_new(erase):
    """An engine that overlooks the person for a moment."""
    scenes = [scene(160)] * 10
    blind = scene(160)[0], np.zeros((HEIGHT, WIDTH), np.float32)
    assert not is_skin(shown(erase, *scenes, blind, blind))
    assert not is_skin(shown(erase, *scenes))


@pytest.mark.parametrize("blind", [1, 2])
def test_an_engine_that_finds_the_person_late_leaves_no_ghost(erase, blind):
    frame, alpha = scene(160)
    shown(erase, *[(frame, np.zeros_like(alpha))] * blind)
    for _ in range(5):
        assert not is_skin(shown(erase, (frame, alpha)))
    for _ in range(5):
        full = shown(erase, (frame, np.ones_like(alpha)))
    assert not is_skin(full)


def test_an_engine_that_finds_the_person_late_after_a_jump_leaves_no_ghost(erase):
    """The room is known; a clip begins again, and the first answers are of nobody."""
    shown(erase, *[scene(60)] * 5, *[scene(250)] * 5)
    erase.reset()
    frame, alpha = scene(160)
    shown(erase, *[(frame, np.zeros_like(alpha))] * 2)
    image = shown(erase, *[(frame, alpha)] * 5)
    assert np.abs(image - room())[alpha > 0].mean() < 4


def test_a_first_frame_of_nobody_and_a_second_full_of_person_show_a_card(erase):
    frame, alpha = scene(160)
    shown(erase, (frame, np.zeros_like(alpha)))
    assert (shown(erase, (frame, np.ones_like(alpha))) == CARD).all()


def test_hidden_parts_follow_the_exposure(erase):
    scenes = [scene(None)] * 5 + [scene(160, light) for light in np.linspace(1, 0.7, 60)]
    image = shown(erase, *scenes, *[scene(160, 0.7)] * 20)
    assert np.abs(image - room(0.7)).mean() < 4


@pytest.mark.parametrize("light", [0.92, 1.02, 1.08])
def test_a_small_change_of_exposure_is_followed_once(erase, light):
    """What rounding keeps the room from learning does not add up behind the person."""
    image = shown(erase, *[scene(None)] * 5, *[scene(160, light)] * 240)
    assert np.abs(image - room(light)).mean() < 4


def composites(*scenes):
    """The compositor's picture of each (frame, alpha, epoch)."""
    settings = load(flags={"background.current": "erase"})
    compositor = Compositor(settings, Stats(), True)
    return [
        compositor.compose(Matte(Frame(frame, index, index / 30, epoch), alpha), settings).image
        for index, (frame, alpha, epoch) in enumerate(scenes)
    ]


def test_another_room_of_the_same_light_is_learned_anew_after_a_jump():
    """The room before it would stay behind who sits still."""
    place = slice(100, 140), slice(140, 180)  # where they will sit
    (marked, nobody), (frame, alpha) = scene(None), scene(160)
    marked[place] = (250, 250, 250)
    other = np.where(alpha[..., None] > 0, frame, room()[:, ::-1])
    images = composites(
        *[(marked, nobody, 0)] * 4, *[(frame, alpha, 0)] * 4, *[(other, alpha, 1)] * 8
    )
    assert images[7][place].astype(int).min() > 240
    assert not images[-1][place].astype(int).min() > 240
    assert np.abs(images[-1][30:90, 30:90].astype(int) - (200, 190, 120)).mean() < 10


def test_the_same_room_after_a_jump_is_not_forgotten():
    empty, sitting = scene(None), scene(160)
    images = composites(*[(*empty, 0)] * 4, *[(*sitting, 0)] * 4, *[(*sitting, 1)] * 8)
    assert np.abs(images[-1].astype(int) - room()).max() <= 2


def test_another_place_is_learned_anew(erase):
    shown(erase, *[scene(160)] * 5)
    other = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    alpha = scene(160)[1]
    frame = np.where(alpha[..., None] > 0, SKIN, other)
    assert shown(erase, *[(frame, alpha)] * 5).max() < 40


def test_the_compositor_puts_nobody_before_it():
    settings = load(flags={"background.current": "erase"})
    compositor = Compositor(settings, Stats(), True)
    frame, alpha = scene(160)
    for index in range(5):
        composite = compositor.compose(Matte(Frame(frame, index, index / 30), alpha), settings)
        assert not is_skin(composite.image.astype(int))
    for index in range(5, 5 + 3 * SETTLED):  # long enough to be learned as a part of the room
        matte = Matte(Frame(frame, index, index / 30), alpha * 0, lost=True)
        assert not is_skin(compositor.compose(matte, settings).image.astype(int))
    again = compositor.compose(Matte(Frame(frame, index + 1, 1.0), alpha), settings)
    assert not is_skin(again.image.astype(int))
