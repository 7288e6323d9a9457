"""The privacy promise, guard by guard: no pixel of the camera passes unless the user wants it."""

import threading
import time

import numpy as np
import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg.backgrounds import BACKGROUNDS, current, open_background
from realtime_bg.backgrounds.passthrough import PassthroughBackground
from realtime_bg.frames import DeviceMatte, Frame, Matte, as_image, check_matte
from realtime_bg.processing.cards import card
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import BackgroundSettings, Settings, load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 64, 36
RAW = (255, 0, 255)  # a colour that no background has
OTHERS = ["#00ff00", "beach", "office", "studio", "blur", "blur:100", "erase"]


def raw(epoch=0, index=0):
    return Frame(np.full((HEIGHT, WIDTH, 3), RAW, np.uint8), index, index / 30, epoch)


def matte(alpha, frame=None, **more):
    return Matte(frame or raw(), np.full((HEIGHT, WIDTH), alpha, np.float32), **more)


def is_raw(image):
    return (image == RAW).all(axis=2).any()


def corner(composite):
    return tuple(map(int, composite.image[0, 0]))


def settings_for(background, **changes):
    return Settings(background=BackgroundSettings(current=background), **changes)


def compositor(background, **changes):
    settings = settings_for(background, **changes)
    return Compositor(settings, Stats(), wait=True), settings


def test_these_are_all_the_backgrounds_that_need_no_file():
    names = {spec.partition(":")[0] for spec in OTHERS if not spec.startswith("#")}
    assert names <= set(BACKGROUNDS)
    declared = {
        name: (one.needs_frame, one.passthrough, one.erases)
        for name in ("blur", "erase", "none")
        for one in [open_background(name, BackgroundSettings(), True)]
    }
    assert declared == {
        "blur": (True, False, False),
        "erase": (True, False, True),
        "none": (True, True, False),
    }


@pytest.mark.parametrize("background", OTHERS)
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_an_engine_that_is_lost_counts_as_none(background, alpha):
    maker, settings = compositor(background)
    shown = maker.compose(matte(alpha, lost=True), settings)
    closed = maker.without_camera(SIZE, 0, settings, at=0.0)
    np.testing.assert_array_equal(shown.image, closed.image)
    assert not is_raw(shown.image)
    maker.close()


@pytest.mark.parametrize("background", OTHERS)
def test_a_bare_frame_passes_nowhere_but_with_none(background):
    maker, settings = compositor(background)
    assert not is_raw(maker.compose(raw(), settings).image)
    maker.close()


@pytest.mark.parametrize("background", ["blur", "erase", "none"])
def test_what_is_made_from_the_camera_is_a_card_without_a_matte(background):
    maker, settings = compositor(background)
    expected = card(SIZE, "One moment")
    np.testing.assert_array_equal(maker.without_camera(SIZE, 0, settings).image, expected)
    said = maker.without_camera(SIZE, 0, settings, "Camera paused").image
    np.testing.assert_array_equal(said, card(SIZE, "Camera paused"))
    maker.close()


@pytest.fixture
def slow_opening(monkeypatch):
    """Backgrounds after the first one are opened only when the event is set."""
    ready, opened = threading.Event(), []

    def opening(*arguments):
        if opened:
            assert ready.wait(PATIENCE)
        opened.append(arguments)
        return open_background(*arguments)

    monkeypatch.setattr(current, "open_background", opening)
    yield ready
    ready.set()


class OnDevice(DeviceMatte):
    """A matte of nobody on a device, where a blend would show what is behind."""

    def downloaded(self):
        return matte(0.0, self.frame)

    def over(self, background):
        return background.copy()


@pytest.mark.parametrize("device", [False, True])
def test_leaving_none_shows_a_card_until_the_next_background_is_open(slow_opening, device):
    before, after = settings_for("none"), settings_for("#00ff00")
    maker = Compositor(before, Stats(), wait=False)
    np.testing.assert_array_equal(maker.compose(raw(), before).image, raw().image)
    item = OnDevice(raw()) if device else matte(0.0)
    waiting = maker.compose(item, after)
    np.testing.assert_array_equal(waiting.image, card(SIZE, ""))
    assert not is_raw(maker.compose(raw(), after).image)
    slow_opening.set()
    until(lambda: corner(maker.compose(item, after)) == (0, 255, 0))
    maker.close()


def test_choosing_none_shows_the_camera_only_when_none_is_open(slow_opening):
    before, after = settings_for("#00ff00"), settings_for("none")
    maker = Compositor(before, Stats(), wait=False)
    maker.compose(matte(0.0), before)
    assert not is_raw(maker.compose(raw(), after).image)
    slow_opening.set()
    until(lambda: is_raw(maker.compose(raw(), after).image))
    maker.close()


def test_the_passed_picture_has_no_default():
    with pytest.raises(ValueError, match="needs the frame"):
        PassthroughBackground("none", BackgroundSettings(), True).render(SIZE, 0.0)


def test_a_jump_is_told_to_the_background_once(monkeypatch):
    maker, settings = compositor("erase")
    told = []
    monkeypatch.setattr(maker.background.get(settings.background), "reset", lambda: told.append(1))
    counts = []
    for epoch in (0, 0, 1, 1, 3, 3):
        maker.compose(matte(0.5, raw(epoch)), settings)
        counts.append(len(told))
    assert counts == [0, 0, 1, 1, 2, 2]


def test_the_engine_is_asked_for_every_background_but_none(monkeypatch):
    live = Live(load(flags={"background.current": "none"}))
    processor = Processor(live, Stats(), wait=True)
    asked = []
    monkeypatch.setattr(processor.matting, "matte", lambda frame: asked.append(frame) or matte(0.0))
    frame = raw()
    assert processor.matte(frame) is frame
    for spec in OTHERS:
        live.update(background__current=spec)
        assert processor.matte(frame) is not frame
    assert len(asked) == len(OTHERS)
    processor.close()


# What an engine must not hand over


@pytest.mark.parametrize("value", [1.2, -0.05, 1.01, -0.01, np.nan, np.inf, -np.inf])
def test_an_alpha_outside_its_range_is_a_failure(value):
    alpha = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    alpha[5, 7] = value
    with pytest.raises(ValueError, match="expected values in"):
        check_matte(Matte(raw(), alpha))


def test_an_alpha_may_exceed_its_range_by_a_rounding():
    for value in (0.0, 1.0, 1.0005, -0.0005):
        given = matte(value)
        assert check_matte(given) is given


SMALL = np.zeros((18, 32), np.float32)
IMAGE = np.zeros((18, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("alpha", "more", "reason"),
    [
        (SMALL[..., None], {}, "alpha: expected"),
        (SMALL[0], {}, "alpha: expected"),
        (SMALL[:0], {}, "alpha: expected"),
        (SMALL[:, :0], {}, "alpha: expected"),
        (SMALL.astype(np.float64), {}, "alpha: expected"),
        (SMALL.astype(np.float16), {}, "alpha: expected"),
        (np.zeros((HEIGHT + 1, WIDTH), np.float32), {}, "larger than its frame"),
        (np.zeros((HEIGHT, WIDTH + 1), np.float32), {}, "larger than its frame"),
        (SMALL, {"foreground": IMAGE[1:]}, "foreground: expected"),
        (SMALL, {"foreground": IMAGE[:, :, 0]}, "foreground: expected"),
        (SMALL, {"foreground": IMAGE.astype(np.float32)}, "foreground: expected"),
        (SMALL, {"guide": IMAGE[:, 1:]}, "guide: expected"),
        (SMALL, {"guide": IMAGE.astype(np.int16)}, "guide: expected"),
    ],
)
def test_arrays_of_another_form_are_a_failure(alpha, more, reason):
    with pytest.raises(ValueError, match=reason):
        check_matte(Matte(raw(), alpha, **more))


def test_arrays_of_the_right_form_pass():
    for more in ({}, {"guide": IMAGE}, {"guide": IMAGE, "foreground": IMAGE}):
        given = Matte(raw(), SMALL, **more)
        assert check_matte(given) is given
    full = matte(1.0)  # exactly as large as the frame
    assert check_matte(full) is full
    held = OnDevice(raw())
    assert check_matte(held) is held


def test_pixels_that_come_in_are_made_contiguous():
    turned = np.zeros((6, 4, 3), np.uint8)[::-1, ::2]
    assert not turned.flags.c_contiguous
    taken = as_image(turned)
    assert taken.flags.c_contiguous
    np.testing.assert_array_equal(taken, turned)
    plain = np.zeros((6, 4, 3), np.uint8)
    assert as_image(plain) is plain
    for bad in (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 0, 3), np.uint8)):
        with pytest.raises(ValueError, match="expected the shape"):
            as_image(bad, "photo")


# What a composite says of itself


def test_composites_carry_the_number_and_the_time_of_their_frame():
    maker, settings = compositor("#00ff00")
    frame = raw(index=7)
    for item in (matte(1.0, frame), matte(1.0, frame, lost=True), frame):
        made = maker.compose(item, settings)
        assert (made.index, made.time) == (7, frame.time)
    before = time.monotonic()
    made = maker.without_camera(SIZE, 3, settings)
    assert made.index == 3
    assert before <= made.time <= time.monotonic()
    assert maker.without_camera(SIZE, 3, settings, at=0.0).time == 0
    again = maker.again(maker.compose(matte(1.0, frame), settings), settings)
    assert again.index == 7
    assert again.time >= before
    assert (again.image == RAW).all()
    maker.close()


@pytest.mark.parametrize("view", ["alpha", "split"])
def test_the_plain_camera_picture_can_be_mirrored_and_previewed(view):
    changes = {"output": {"mirror": True}, "view": {view: True}}
    maker, settings = compositor("none", **changes)
    frame = raw()
    frame.image[:, :9] = 0
    shown = maker.compose(frame, settings)
    np.testing.assert_array_equal(shown.image, frame.image[:, ::-1])
    maker.close()


def test_a_processor_that_is_closed_has_released_engine_and_background(monkeypatch):
    processor = Processor(Live(load(flags={"background.current": "red"})), Stats(), wait=True)
    closed = []
    monkeypatch.setattr(processor.matting, "close", lambda: closed.append("engine"))
    monkeypatch.setattr(processor.compositor, "close", lambda: closed.append("background"))
    processor.close()
    assert closed == ["engine", "background"]
