"""The cross-fade between backgrounds, and the idle scene."""

import cv2
import numpy as np
import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg.frames import DeviceMatte, Frame, Matte
from realtime_bg.processing.cards import card
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.idling import Idling
from realtime_bg.settings import load
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 64, 36
RAW, GREEN, BLUE = (255, 0, 255), (0, 255, 0), (255, 0, 0)


def frame(at=0.0, epoch=0):
    return Frame(np.full((HEIGHT, WIDTH, 3), RAW, np.uint8), round(at * 10), at, epoch)


def matte(at=0.0, alpha=0.0, epoch=0, **more):
    return Matte(frame(at, epoch), np.full((HEIGHT, WIDTH), alpha, np.float32), **more)


@pytest.fixture
def show():
    """Composes a matte with settings; the compositor stays the same."""
    made = []

    def show(item, **flags):
        settings = load(flags={key.replace("__", "."): to for key, to in flags.items()})
        if not made:
            made.append(Compositor(settings, Stats(), wait=True))
        return made[0].compose(item, settings).image

    yield show
    for one in made:
        one.close()


def is_flat(image, colour, by=1):
    return np.abs(image.astype(int) - colour).max() <= by


# The cross-fade


def test_a_background_fades_into_the_next(show):
    more = {"background__fade": 400}
    assert is_flat(show(matte(1.0), background__current="#00ff00", **more), GREEN)
    for at, share in ((2.0, 0.0), (2.1, 0.25), (2.3, 0.75), (2.4, 1.0), (3.0, 1.0)):
        expected = np.array(BLUE) * share + np.array(GREEN) * (1 - share)
        shown = show(matte(at), background__current="#0000ff", **more)
        assert is_flat(shown, expected), at


def test_the_person_does_not_fade(show):
    show(matte(1.0, 1.0), background__current="#00ff00", background__fade=400)
    for at in (2.0, 2.2):
        shown = show(matte(at, 1.0), background__current="#0000ff", background__fade=400)
        assert is_flat(shown, RAW)


def test_a_change_during_a_fade_begins_with_what_is_shown(show):
    more = {"background__fade": 1000}
    show(matte(1.0), background__current="#00ff00", **more)
    show(matte(2.0), background__current="#0000ff", **more)
    half = show(matte(2.5), background__current="#0000ff", **more)
    assert is_flat(show(matte(2.5), background__current="red", **more), half[0, 0])


def test_without_a_fade_the_next_one_is_there_at_once(show):
    show(matte(1.0), background__current="#00ff00")
    assert is_flat(show(matte(1.0), background__current="#0000ff"), BLUE)


@pytest.mark.parametrize("room", ["none", "erase"])
def test_what_shows_the_room_takes_part_in_no_fade(show, room):
    more = {"background__fade": 1000}
    show(matte(1.0), background__current="#00ff00", **more)
    show(frame(2.0) if room == "none" else matte(2.0), background__current=room, **more)
    assert is_flat(show(matte(3.0), background__current="#0000ff", **more), BLUE)


def test_nothing_fades_over_a_jump_of_the_camera(show):
    more = {"background__fade": 1000}
    show(matte(1.0), background__current="#00ff00", **more)
    show(matte(2.0), background__current="#0000ff", **more)
    assert is_flat(show(matte(2.1, epoch=1), background__current="#0000ff", **more), BLUE)


# The idle scene


@pytest.mark.parametrize("unseen", [{"alpha": 0.0}, {"alpha": 1.0, "lost": True}])
def test_a_card_is_shown_while_nobody_is_seen(show, unseen):
    more = {"background__current": "#00ff00", "idle__after": 5, "idle__text": "Back soon"}
    assert is_flat(show(matte(0.0, 1.0), **more), RAW)
    assert is_flat(show(matte(4.9, **unseen), **more), GREEN)
    np.testing.assert_array_equal(show(matte(5.1, **unseen), **more), card(SIZE, "Back soon"))
    assert is_flat(show(matte(5.2, 1.0), **more), RAW), "somebody is back"
    assert is_flat(show(matte(9.0, **unseen), **more), GREEN), "it begins anew"


def test_the_scene_can_be_a_background_and_has_no_person(show):
    more = {"background__current": "#00ff00", "idle__after": 1, "idle__background": "#0000ff"}
    show(matte(0.0), **more)
    assert is_flat(show(matte(2.0, 0.001), **more), BLUE, by=0)


def test_it_is_off_by_default_and_with_the_plain_camera_picture(show):
    show(matte(0.0), background__current="#00ff00")
    assert is_flat(show(matte(1e6), background__current="#00ff00"), GREEN)
    show(frame(0.0), background__current="none", idle__after=1)
    assert is_flat(show(frame(9.0), background__current="none", idle__after=1), RAW)


def test_the_person_alone_is_transparent_then():
    flags = {"output.sinks": ("pipe:rgba",), "idle.after": 1, "background.current": "red"}
    settings = load(flags=flags)
    maker = Compositor(settings, Stats(), wait=True)
    assert maker.compose(matte(0.0), settings).person is not None
    assert maker.compose(matte(2.0), settings).person is None
    maker.close()


def test_live_a_card_stands_in_until_the_scene_is_open():
    settings = load(flags={"idle.after": 1, "idle.background": "#0000ff"})
    maker = Compositor(settings, Stats(), wait=False)
    maker.compose(matte(0.0), settings)
    first = maker.compose(matte(2.0), settings).image
    assert is_flat(first, BLUE) or np.array_equal(first, card(SIZE, "Be right back"))
    until(lambda: is_flat(maker.compose(matte(2.0), settings).image, BLUE))
    maker.close()


def test_a_scene_that_cannot_be_opened_is_a_card(show, caplog, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n")
    more = {"idle__after": 1, "idle__background": str(broken)}
    show(matte(0.0), **more)
    np.testing.assert_array_equal(show(matte(2.0), **more), card(SIZE, "Be right back"))
    show(matte(2.1), **more)
    assert caplog.text.count("idle.background: ") == 1


def test_a_scene_whose_file_comes_later_is_shown_then(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr("realtime_bg.processing.idling.RETRIES", (0.0,))
    later = tmp_path / "later.png"
    chosen = load(flags={"idle.after": 1, "idle.background": str(later)})
    idling = Idling(Stats(), wait=False)
    for _ in range(3):
        np.testing.assert_array_equal(idling.scene(SIZE, 0.0, chosen), card(SIZE, "Be right back"))
        idling._opener.join(PATIENCE)
    cv2.imwrite(str(later), np.full((HEIGHT, WIDTH, 3), (0, 0, 255), np.uint8))
    until(lambda: is_flat(idling.scene(SIZE, 0.0, chosen), (0, 0, 255)))
    assert caplog.text.count("idle.background: ") == 1
    idling.close()


class OnDevice(DeviceMatte):
    def downloaded(self):
        return Matte(self.frame, np.zeros((HEIGHT, WIDTH), np.float32))

    def over(self, background):
        raise AssertionError


def test_a_matte_on_a_device_is_looked_at_too(show):
    more = {"background__current": "#00ff00", "idle__after": 1}
    show(OnDevice(frame(0.0)), **more)
    np.testing.assert_array_equal(show(OnDevice(frame(2.0)), **more), card(SIZE, "Be right back"))
