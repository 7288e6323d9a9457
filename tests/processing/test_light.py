"""The light on the person: exposure, white balance, noise, the lamp."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from helpers.faulty import has_raw

from realtime_bg.backgrounds.blur import BlurBackground
from realtime_bg.backgrounds.erase import EraseBackground
from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging import kernels
from realtime_bg.imaging.tone import LIGHT, brightened, is_plain, levels_of, light_of, table
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.cutout import CutoutCompositor
from realtime_bg.processing.key_light import colour_of
from realtime_bg.processing.light import Light
from realtime_bg.settings import BackgroundSettings, load
from realtime_bg.stats import Stats

SIZE = 320, 180
FACE = (slice(60, 120), slice(140, 180))
NOTHING = {"exposure": 0, "white": 0, "denoise": 0, "key": 0}


@pytest.fixture(params=[True, False], ids=["compiled", "plain"])
def way(request, monkeypatch):
    """With the kernels, and where no compiler was found."""
    if request.param and not kernels.compiled:
        pytest.skip("the kernels are not compiled (python hatch_build.py)")
    monkeypatch.setattr(kernels, "compiled", request.param)


def settings(background="#00ff00", mirror=False, **light):
    given = {f"light.{name}": value for name, value in ({"active": True} | NOTHING | light).items()}
    return load(flags={"background.current": background, "output.mirror": mirror} | given)


def shape():
    """A head and shoulders."""
    alpha = np.zeros((180, 320), np.float32)
    cv2.ellipse(alpha, (160, 80), (32, 45), 0, 0, 360, 1, -1)
    cv2.ellipse(alpha, (160, 190), (80, 70), 0, 0, 360, 1, -1)
    return cv2.GaussianBlur(alpha, (0, 0), 1.5)


def matte(person=(120, 120, 120), room=(120, 120, 120), at=0.0, epoch=0, noise=0.0, move=0):
    """A person and a room of one colour each, from a network of half the size."""
    alpha = np.roll(shape(), move, axis=1)
    colours = (np.full((180, 320, 3), colour, np.uint8) for colour in (person, room))
    image = cv2.blendLinear(*colours, alpha, 1 - alpha).astype(np.float32)
    if noise:
        image += np.random.default_rng(round(at * 1000)).normal(0, noise, image.shape)
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    small, guide = (cv2.resize(one, (160, 90)) for one in (alpha, image))
    return Matte(Frame(image, round(at * 30), at, epoch), small, guide=guide)


def face(lit):
    return lit.matte.frame.image[FACE].astype(float)


def test_off_is_the_same_object_and_keeps_nothing():
    light, seen = Light(), matte((20, 20, 20))
    assert light(seen, settings(), None).matte is seen  # nothing is asked for
    assert light(seen, settings(denoise=1), None).matte is not seen
    off = light(seen, settings(active=False, exposure=1, denoise=1, key=1), None)
    assert off.matte is seen
    assert off.room is seen.frame.image
    assert light._memory is None


def test_a_well_exposed_neutral_person_is_left_alone():
    seen = matte((145, 145, 145), (150, 150, 150))
    assert Light()(seen, settings(exposure=1, white=1), None).matte is seen


@pytest.mark.parametrize("level", [50, 65, 90])
def test_a_dim_person_gets_the_light_of_a_good_picture(level):
    after = face(Light()(matte((level,) * 3, (level,) * 3), settings(exposure=1), None))
    assert after.mean() == pytest.approx(float(levels_of(np.array(0.26))), rel=0.12)
    half = face(Light()(matte((level,) * 3, (level,) * 3), settings(exposure=0.5), None))
    assert level + 5 < half.mean() < after.mean() - 5


def test_a_dark_person_in_a_bright_room_is_not_bleached():
    after = face(Light()(matte((45, 60, 80), (220, 220, 220)), settings(exposure=1), None))
    assert 1.1 * 60 < after[..., 1].mean() < 1.5 * 60


def test_no_gain_clips_and_bright_levels_stay_apart():
    for gain in (1.0, 1.5, 4.0, 8.0):
        levels = table(np.full(3, gain))[0, :, 1].astype(int)
        assert (np.diff(levels) >= 0).all()
        assert levels[255] == 255
        assert levels[:240].max() < 255
        assert (levels >= np.arange(256) - 1).all()
    assert is_plain(table(np.ones(3)))
    assert float(brightened(np.array(1.0), 8.0)) == pytest.approx(1)


def test_levels_become_light_and_levels_again():
    np.testing.assert_allclose(levels_of(LIGHT), np.arange(256), atol=0.01)
    assert light_of(np.array(188.0)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("cast", [(0.75, 1.0, 1.3), (1.3, 1.0, 0.8), (0.9, 1.25, 0.9)])
def test_a_cast_of_the_whole_picture_is_halved_and_the_brightness_stays(cast):
    grey = float(LIGHT[130])
    colour = np.rint(levels_of(grey * np.array(cast)))
    seen = matte(tuple(colour), tuple(colour))
    after = light_of(face(Light()(seen, settings(white=1), None)).mean((0, 1)))
    before = light_of(colour)

    def off(light):
        return np.abs(np.log(light / light[1])).max()

    assert 0.05 < off(after) < 0.5 * off(before) + 0.01
    luma = np.array([0.0722, 0.7152, 0.2126])
    assert after @ luma == pytest.approx(before @ luma, rel=0.03)


def test_skin_and_clothes_are_no_cast():
    """Nor is a coloured wall: only what both have."""
    for person, room in (((90, 120, 170), (140, 140, 140)), ((140, 140, 140), (90, 120, 170))):
        seen = matte(person, room)
        after = Light()(seen, settings(white=1), None).matte
        np.testing.assert_allclose(after.frame.image, seen.frame.image, atol=4)


def test_light_follows_slowly_and_jumps_only_with_the_scene():
    light, wanted = Light(), settings(exposure=1)
    for index in range(10):
        bright = face(light(matte((140,) * 3, (140,) * 3, index / 30), wanted, None)).mean()
    levels = [
        face(light(matte((50,) * 3, (50,) * 3, index / 30), wanted, None)).mean()
        for index in range(10, 110)
    ]
    (goal,) = {face(Light()(matte((50,) * 3, (50,) * 3), wanted, None)).mean()}
    assert abs(bright - 140) < 1
    assert levels[0] == 50
    assert np.diff(levels).max() < 6
    assert levels[-1] == pytest.approx(goal, abs=2)
    assert face(light(matte((50,) * 3, (50,) * 3, 9.0, epoch=1), wanted, None)).mean() == goal
    back = face(light(matte((140,) * 3, (140,) * 3, 9.01, epoch=2), wanted, None)).mean()
    assert back == pytest.approx(140, abs=1)


def test_small_changes_of_the_picture_change_nothing():
    light, wanted = Light(), settings(exposure=1, white=1)
    seen = set()
    for index in range(60):
        level = 60 + index % 2
        light(matte((level,) * 3, (60,) * 3, index / 30), wanted, None)
        seen.add(light._tables[0])
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("angle", "mirror", "brighter", "darker"),
    [
        (-90, False, np.s_[80, 136], np.s_[80, 184]),
        (90, False, np.s_[80, 184], np.s_[80, 136]),
        (90, True, np.s_[80, 136], np.s_[80, 184]),  # as seen in the mirrored picture
        (0, False, np.s_[42, 160], np.s_[115, 160]),
    ],
)
def test_the_side_of_the_lamp_is_brighter(way, angle, mirror, brighter, darker):
    after = Light()(matte(), settings(key=1, angle=angle, mirror=mirror), None).matte.frame.image
    assert after[brighter].mean() > after[darker].mean() + 15
    assert after.max() < 255


def test_the_lamp_is_soft_and_has_a_colour(way):
    cool, warm = (
        face(Light()(matte(), settings(key=0.8, warmth=kelvin), None)) for kelvin in (9000, 2700)
    )
    assert warm[..., 2].mean() > warm[..., 0].mean() + 20
    assert cool[..., 0].mean() > cool[..., 2].mean() + 3
    for step in (np.diff(warm, axis=0), np.diff(warm, axis=1)):
        assert np.abs(step).max() < 8
    np.testing.assert_allclose(colour_of(6500), 1, atol=1e-6)


def still(count, **given):
    light, wanted = Light(), settings(denoise=1)
    for index in range(count):
        after = light(matte(noise=5.0, at=index / 30, **given), wanted, None)
    return face(after)


def test_noise_of_a_still_person_is_averaged_away(way):
    before = matte(noise=5.0, at=19 / 30).frame.image[FACE].astype(float)
    after = still(20)
    assert after.std() < 0.5 * before.std()
    assert after.mean() == pytest.approx(before.mean(), abs=1)


@pytest.mark.parametrize("step", [1, 3, 12])
def test_a_moving_person_leaves_no_ghost(way, step):
    """Not in the person, not beside: each frame is as without the others, but for noise."""
    light, wanted = Light(), settings(denoise=1)
    stripes = np.zeros((180, 320, 3), np.uint8)
    for index in range(12):
        seen = matte((200, 180, 170), (40, 30, 20), index / 30, move=step * index)
        stripes[:] = np.where(np.arange(320)[None, :, None] // 8 % 2, 60, 0)
        image = cv2.subtract(seen.frame.image, np.roll(stripes, step * index, axis=1))
        guide = cv2.resize(image, (160, 90))
        seen = replace(seen, frame=replace(seen.frame, image=image), guide=guide)
        after = light(seen, wanted, None).matte.frame.image
        assert np.abs(after.astype(int) - image).max() <= 6, index


def test_the_lit_colours_reach_the_composite_the_blur_and_the_person_alone():
    seen, pictures = matte((30, 30, 30), (30, 30, 30)), {}
    for background in ("#00ff00", "blur"):
        for active in (False, True):
            now = settings(background, exposure=1, active=active)
            now = now.model_copy(
                update={"output": now.output.model_copy(update={"sinks": ("null", "rgba:x.mov")})}
            )
            compositor = Compositor(now, Stats(), wait=True)
            pictures[background, active] = compositor.compose(seen, now)
            compositor.close()
    for background in ("#00ff00", "blur"):
        before, after = (pictures[background, active] for active in (False, True))
        assert after.image[FACE].mean() > before.image[FACE].mean() + 50
        assert after.person[FACE][..., :3].mean() > before.person[FACE][..., :3].mean() + 50
    corner = np.s_[5, 5]
    assert (pictures["#00ff00", True].image[corner] == (0, 255, 0)).all()
    assert (pictures["blur", True].image[corner] > pictures["blur", False].image[corner] + 50).all()


def test_the_lamp_does_not_shine_on_the_blurred_room_nor_anything_on_an_erased_one():
    seen, background = matte(), BackgroundSettings()
    lit = Light()(seen, settings(key=1), BlurBackground("24", background, True))
    assert lit.room is seen.frame.image
    dim = matte((30, 30, 30), (30, 30, 30))
    erased = Light()(dim, settings(exposure=1, key=1), EraseBackground("", background, True))
    assert erased.matte is dim


def test_the_comparing_view_shows_the_camera_as_it_is():
    now = settings(exposure=1)
    now = now.model_copy(update={"view": now.view.model_copy(update={"split": True})})
    compositor = Compositor(now, Stats(), wait=True)
    seen = matte((30, 30, 30), (30, 30, 30))
    shown = compositor.compose(seen, now).preview
    compositor.close()
    np.testing.assert_array_equal(shown[:, :150], seen.frame.image[:, :150])


@pytest.mark.parametrize("picture", [False, True])
def test_photos_are_lit_too(picture):
    from realtime_bg.frames import Cutout

    seen, alpha = matte((30, 30, 30), (30, 30, 30)).frame.image, shape()
    now, results = settings("#00ff00", exposure=1), []
    for look in (settings(active=False), None):
        compositor = CutoutCompositor(now, Stats())
        cutout = Cutout(seen, alpha, seen.copy())
        if picture:
            results.append(compositor.over_picture(cutout, np.full_like(seen, 9), look))
        else:
            results.append(compositor.over(cutout, "#00ff00", 0, 1, look))
        compositor.close()
    assert results[1][FACE].mean() > results[0][FACE].mean() + 50
    assert (results[1][5, 5] == results[0][5, 5]).all()


def test_nobody_is_not_lit():
    seen = replace(matte(), alpha=np.zeros((90, 160), np.float32))
    lit = Light()(seen, settings(exposure=1, white=1, denoise=1, key=1), None)
    assert lit.matte is seen


@pytest.mark.parametrize("background", ["#00ff00", "office"])
@pytest.mark.parametrize("frame", ["off", "auto"])
@pytest.mark.parametrize("level", [60, 255])
def test_no_pixel_of_the_room_is_shown_in_any_light(background, frame, level):
    """Nor in any frame after it, where the person has gone on and a new scene begins."""
    everything = {"light.active": True, "light.denoise": 1, "light.key": 1, "frame.mode": frame}
    now = load(flags=everything | {"background.current": background, "output.sinks": "rgba:x.mov"})
    maker = Compositor(now, Stats(), wait=True)
    room = np.full((180, 320, 3), (level, 0, level), np.uint8)
    assert has_raw(table(np.full(3, 4.0))[:, [level]] * np.uint8([1, 0, 1]))
    for index in range(24):
        at = 60 + 8 * index, 90
        shot, alpha = room.copy(), np.zeros((180, 320), np.float32)
        cv2.circle(shot, at, 38, (level, level, level), -1)
        cv2.circle(alpha, at, 30, 1, -1)
        guide = cv2.resize(shot, (160, 90), interpolation=cv2.INTER_AREA)
        small = cv2.resize(alpha, (160, 90), interpolation=cv2.INTER_AREA)
        epoch = index // 8
        for given in (
            Matte(Frame(shot, index, index / 30, epoch), small, guide=guide),
            Matte(Frame(shot, index, index / 30 + 0.01, epoch), alpha, np.full_like(shot, level)),
            Matte(Frame(shot, index, index / 30 + 0.02, epoch), alpha, lost=True),
        ):
            shown = maker.compose(given, now)
            assert not has_raw(shown.image), index
            assert shown.person is None or not has_raw(shown.person), index
    maker.close()
