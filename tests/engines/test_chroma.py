"""The chroma key: soft edges, no spill, any screen, and nobody shown where there is none."""

import cv2
import numpy as np
import pytest

from realtime_bg.engines.classical.chroma import Chroma
from realtime_bg.errors import SettingsError
from realtime_bg.frames import Frame, check_matte
from realtime_bg.settings import load
from realtime_bg.stats import Stats

SIZE = (480, 270)
GREEN, BLUE, CYAN = (64, 177, 0), (187, 71, 0), (200, 190, 10)


def person():
    """Colours ``float (h, w, 3)`` and alpha ``float32 (h, w)``: dark hair with strands and a soft
    edge, a face, a dark and a white cloth."""
    colour = np.zeros((270, 480, 3)) + (35, 40, 60)
    alpha = np.zeros((270, 480), np.float32)
    for x in range(180, 300, 9):  # strands, thinner than a pixel
        cv2.line(alpha, (x, 110), (x - (240 - x) // 4, 20), 0.6, 1, cv2.LINE_AA)
    cv2.ellipse(alpha, (240, 100), (55, 70), 0, 0, 360, 1, -1)
    cv2.ellipse(alpha, (240, 290), (130, 110), 0, 0, 360, 1, -1)
    cv2.ellipse(colour, (240, 112), (36, 48), 0, 0, 360, (120, 150, 210), -1)
    cv2.ellipse(colour, (240, 290), (132, 112), 0, 0, 360, (70, 66, 80), -1)
    cv2.rectangle(colour, (220, 190), (260, 269), (225, 225, 225), -1)
    return colour, np.clip(cv2.GaussianBlur(alpha, (0, 0), 1.5), 0, 1)


def shot(screen, spill=0.0, uneven=0.35, noise=2.0, shadow=0.0, seed=0):
    """The person before an unevenly lit screen; BGR uint8 and the true alpha and colours."""
    colour, alpha = person()
    y, x = np.mgrid[0:270, 0:480]
    light = 1.1 - uneven * ((x / 480 - 0.4) ** 2 + (y / 270 - 0.3) ** 2) * 2
    light *= 1 - shadow * np.exp(-(((x - 380) / 40) ** 2 + ((y - 150) / 60) ** 2))
    behind = np.array(screen) * light[..., None]
    near = 0.5 + 0.5 * cv2.GaussianBlur(1 - alpha, (0, 0), 12)[..., None]
    lit = colour + spill * near * np.array(screen)
    image = alpha[..., None] * lit + (1 - alpha[..., None]) * behind
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), alpha, colour


def chroma(size=SIZE, work_size=None, **changes):
    flags = {f"engine.chroma.{key}": value for key, value in changes.items()}
    settings = load(flags=flags).engine.model_copy(update={"work_size": work_size})
    return Chroma(settings, size, Stats())


def run(opened, image, index=0):
    return check_matte(opened.matte(Frame(image, index, index / 30)))


def mad(alpha, truth):
    return 1000 * np.abs(alpha - truth).mean()


@pytest.mark.parametrize("screen", [GREEN, BLUE, (70, 140, 60)])
def test_soft_edges_on_an_uneven_screen(screen):
    image, truth, _ = shot(screen)
    matte = run(chroma(), image)
    assert not matte.lost
    assert matte.alpha.shape == truth.shape  # full size
    assert mad(matte.alpha, truth) < 8
    assert mad(truth > 0.5, truth) > 9  # what the best hard mask would reach
    assert matte.alpha[:8].mean() < 0.002  # the screen is gone
    edge = (truth > 0.1) & (truth < 0.9)
    assert np.abs(matte.alpha - truth)[edge].mean() < 0.2


@pytest.mark.parametrize("screen", [GREEN, BLUE])
def test_spill_is_gone(screen):
    image, truth, colour = shot(screen, spill=0.2, noise=0)
    matte = run(chroma(), image)
    key = int(np.argmax(screen))
    inside = truth > 0.99
    others = [channel for channel in range(3) if channel != key]

    def excess(picture):
        picture = picture.astype(float)
        over = picture[..., key] - picture[..., others].max(2)
        true = colour[..., key] - colour[..., others].max(2)
        return np.clip(over - np.maximum(true, 0), 0, None)

    assert excess(image)[inside].mean() > 3
    assert excess(matte.foreground)[inside].mean() < 0.5 * excess(image)[inside].mean()
    edge = (truth > 0.2) & (truth < 0.9)
    assert excess(matte.foreground)[edge].mean() < 0.15 * excess(image)[edge].mean()


def test_over_another_background_it_looks_as_if_shot_there():
    image, truth, colour = shot(GREEN)
    matte = run(chroma(), image)
    red = np.zeros_like(colour) + (40, 40, 200)
    ideal = truth[..., None] * colour + (1 - truth[..., None]) * red
    alpha = matte.alpha[..., None]
    got = alpha * matte.foreground + (1 - alpha) * red
    edge = (truth > 0.05) & (truth < 0.95)
    assert np.abs(got - ideal)[edge].mean() < 16
    assert np.abs(got - ideal).mean() < 2.5


def test_despill_can_be_turned_off():
    image, truth, _ = shot(GREEN, spill=0.2)
    matte = run(chroma(despill=0), image)
    np.testing.assert_array_equal(matte.foreground[truth > 0.99], image[truth > 0.99])


def test_a_shadow_on_the_screen_is_screen_and_dark_hair_is_not():
    image, truth, _ = shot(GREEN, shadow=0.5)
    matte = run(chroma(), image)
    assert matte.alpha[120:180, 370:400].max() < 0.1
    assert matte.alpha[40:60, 230:250].min() > 0.95
    assert mad(matte.alpha, truth) < 8


def test_another_colour_when_it_is_named():
    image, truth, _ = shot(CYAN)
    assert mad(run(chroma(colour="#0abec8"), image).alpha, truth) < 15
    assert run(chroma(colour="blue"), shot(GREEN)[0]).lost
    assert mad(run(chroma(colour="blue"), shot(BLUE)[0]).alpha, truth) < 8


def test_without_a_screen_nobody_is_shown_and_it_is_said_once(caplog):
    grey = shot((120, 120, 120))[0]
    opened = chroma()
    for index in range(3):
        matte = run(opened, grey, index)
        assert matte.lost
        assert not matte.alpha.any()
    assert len(caplog.records) == 1
    assert "a green or blue screen is not in the picture" in caplog.text


def test_a_blue_poster_is_no_screen():
    image = shot((120, 125, 120))[0]
    image[20:200, 400:470] = BLUE
    assert run(chroma(), image).lost


def test_the_screen_stays_while_somebody_covers_most_of_its_border():
    image, _, _ = shot(GREEN)
    opened = chroma()
    run(opened, image)
    close = image.copy()
    close[:, :420] = (90, 120, 190)
    matte = run(opened, close, 1)
    assert not matte.lost
    assert matte.alpha[:, :410].min() > 0.95
    opened.reset()
    assert run(opened, close, 2).lost


def test_a_still_screen_does_not_flicker():
    opened = chroma()
    alphas = [run(opened, shot(GREEN, seed=index)[0], index).alpha for index in range(4)]
    assert np.abs(np.diff(alphas, axis=0)).mean() < 0.004


@pytest.mark.parametrize("text", ["grey", "#808080", "nonsense", ""])
def test_a_colour_that_cannot_be_keyed_is_one_line(text):
    with pytest.raises(SettingsError, match=r"engine\.chroma\.colour") as caught:
        load(flags={"engine.chroma.colour": text})
    assert "\n" not in str(caught.value)


def test_a_small_work_size_hands_over_what_upsampling_needs():
    matte = run(chroma(work_size=(240, 135)), shot(GREEN)[0])
    assert matte.alpha.shape == (135, 240)
    assert matte.guide is not None


def test_real_people_before_a_made_screen(shared_path):
    folder, errors = shared_path("data/people/ccp"), []
    for path in sorted((folder / "masks").iterdir())[10:400:80]:
        mask = cv2.imread(str(path), 0)
        image = cv2.imread(str(next((folder / "images").glob(f"{path.stem}.*"))))
        pad = (30, 0, 60, 60, cv2.BORDER_CONSTANT)
        alpha = cv2.GaussianBlur(cv2.copyMakeBorder(mask, *pad) / np.float32(255), (0, 0), 1)
        image = cv2.copyMakeBorder(image, *pad)
        mixed = alpha[..., None] * image + (1 - alpha[..., None]) * np.array(GREEN)
        mixed = mixed + np.random.default_rng(1).normal(0, 3, mixed.shape)
        opened = chroma((image.shape[1], image.shape[0]))
        errors.append(mad(run(opened, np.clip(mixed, 0, 255).astype(np.uint8)).alpha, alpha))
    assert np.mean(errors) < 8


# the colour picked from the frame


def stage(screen):
    """A figure before a screen that hangs in the picture's middle and reaches no border."""
    image = np.full((270, 480, 3), 120, np.uint8)
    image[40:230, 120:360] = screen
    cv2.ellipse(image, (240, 170), (40, 60), 0, 0, 360, (30, 40, 60), -1)
    return image


@pytest.mark.parametrize("screen", [CYAN, (140, 60, 150), (40, 90, 30)])
def test_a_picked_colour_is_the_screens(screen):
    image, truth, _ = shot(screen)
    matte = run(chroma(pick=(0.04, 0.06)), image)
    assert mad(matte.alpha, truth) < 15
    assert matte.alpha[:8].mean() < 0.01


def test_a_picked_screen_need_not_reach_the_border():
    image = stage(GREEN)
    assert run(chroma(), image).lost
    alpha = run(chroma(pick=(0.3, 0.3)), image).alpha
    assert alpha[60:100, 130:190].max() < 0.05
    assert alpha[160:180, 225:255].min() > 0.95


def test_the_colour_is_read_once_and_outlives_a_reset():
    opened, image = chroma(pick=(0.04, 0.06)), shot(CYAN)[0]
    run(opened, image)
    opened.reset()
    covered = image.copy()
    covered[:40, :60] = (90, 120, 190)  # a hand where the colour was read
    alpha = run(opened, covered, 1).alpha
    assert alpha[100:, :100].max() < 0.1
    assert alpha[:30, :50].min() > 0.9


def test_grey_is_no_colour_to_pick(caplog):
    image = shot(GREEN)[0]
    image[:40, :60] = 128
    opened = chroma(pick=(0.04, 0.06))
    matte = run(opened, image)
    assert "#808080 is too close to grey" in caplog.text
    assert "too grey" in opened.stats.current_notice()
    assert not matte.lost  # the green that is there is keyed as ever


@pytest.mark.parametrize("pick", ["0.5", "2,0", "x,y", "0.5,0.5,0.5"])
def test_a_bad_place_is_one_line(pick):
    with pytest.raises(SettingsError, match=r"engine\.chroma\.pick"):
        chroma(pick=pick)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (2160, 3840)])
def test_picking_at_the_corner_of_any_size(size):
    image = np.full((size[1], size[0], 3), GREEN, np.uint8)
    run(chroma(size, pick="1,1"), image)
