"""The person alone: its colours, its alpha, and nothing of the room."""

import cv2
import numpy as np
import pytest

from realtime_bg.frames import DeviceMatte, Frame, Matte
from realtime_bg.processing.compositor import Compositor, fitted
from realtime_bg.processing.person_layer import person_layer
from realtime_bg.processing.processor import Processor
from realtime_bg.processing.refine import steadied
from realtime_bg.settings import RefineSettings, load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 320, 180
SMALL = 80, 45
SHIRT = np.array((40, 90, 200))
SINKS = {"output.sinks": ("rgba:me.mov",)}


def soft(size):
    """The alpha of a round person with a soft edge."""
    width, height = size
    alpha = np.zeros((height, width), np.float32)
    cv2.circle(alpha, (width // 2, height // 2), height // 3, 1, -1)
    return cv2.GaussianBlur(alpha, (0, 0), height / 40)


def scene(index=0):
    """A person in one colour, in a room of stripes in the purest colours."""
    room = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    room[:, ::2] = (255, 0, 255)
    room[:, 1::2] = (0, 255, 0)
    alpha = soft(SIZE)[..., None]
    image = np.rint(alpha * SHIRT + (1 - alpha) * room).astype(np.uint8)
    return Frame(image, index, index / 30)


def matte(kind, frame=None):
    frame = frame or scene()
    if kind == "small":
        guide = cv2.resize(frame.image, SMALL, interpolation=cv2.INTER_AREA)
        return Matte(frame, soft(SMALL), guide=guide)
    colours = np.full_like(frame.image, SHIRT)
    return Matte(frame, soft(SIZE), colours if kind == "coloured" else None)


KINDS = ["small", "full", "coloured"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changes", [{}, {"feather": 6, "grow": 3}, {"decontaminate": False}])
def test_nothing_of_the_room_is_in_the_colours(kind, changes):
    layer = person_layer(matte(kind), RefineSettings(**changes))
    assert layer.shape == (HEIGHT, WIDTH, 4)
    colours, alpha = layer[..., :3].astype(int), layer[..., 3]
    assert not colours[alpha == 0].any()
    assert (alpha[60:120, 130:190] == 255).all()
    # The stripes are 255 levels apart; at the faint edge not a trace of them is left.
    faint = (alpha > 0) & (alpha < 100)
    both = faint[:, 1:] & faint[:, :-1]
    assert both.sum() > 100
    assert np.abs(np.diff(colours, axis=1))[both].max() < 60
    inside = soft(SIZE) > 0.99
    assert np.abs(colours - SHIRT)[inside].max() <= 5


def test_nobody_is_a_transparent_layer():
    empty = Matte(scene(), np.zeros((HEIGHT, WIDTH), np.float32))
    layer = person_layer(empty, RefineSettings())
    assert layer.shape == (HEIGHT, WIDTH, 4)
    assert not layer.any()


@pytest.fixture
def make():
    made = []

    def make(**flags):
        settings = load(flags={"background.current": "#00ff00", **SINKS} | flags)
        made.append(Compositor(settings, Stats(), wait=True))
        return made[-1], settings

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("background", ["#00ff00", "blur", "erase", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_does_not_depend_on_the_background(make, background, kind):
    maker, settings = make(**{"background.current": background, "harmonise.match": 0.8})
    given = matte(kind)
    person = maker.compose(given, settings).person
    expected = person_layer(steadied(given, settings.refine), settings.refine)
    np.testing.assert_array_equal(person, expected)


def test_the_picture_is_the_same_with_and_without_a_layer(make):
    one, settings = make()
    other, plain = make(**{"output.sinks": ("null",)})
    for index in range(3):  # temporal smoothing has seen each matte once
        given = matte("small", scene(index))
        shown, alone = one.compose(given, settings), other.compose(given, plain)
        np.testing.assert_array_equal(shown.image, alone.image)
        assert alone.person is None


def test_it_is_mirrored_with_the_picture(make):
    maker, settings = make(**{"output.mirror": True})
    frame = scene()
    alpha = np.zeros((HEIGHT, WIDTH), np.float32)
    alpha[:, :40] = 1
    person = maker.compose(Matte(frame, alpha), settings).person
    assert (person[:, -40:, 3] == 255).all()
    assert not person[:, :-40].any()


def test_without_a_matte_there_is_no_layer(make):
    for background in ("#00ff00", "none"):
        maker, settings = make(**{"background.current": background})
        lost = Matte(scene(), np.ones((HEIGHT, WIDTH), np.float32), lost=True)
        assert maker.compose(lost, settings).person is None
        assert maker.compose(scene(), settings).person is None
        assert maker.without_camera(SIZE, 0, settings).person is None


def test_a_frozen_picture_keeps_its_layer(make):
    maker, settings = make()
    last = maker.compose(matte("full"), settings)
    assert maker.again(last, settings).person is last.person


class OnDevice(DeviceMatte):
    def downloaded(self):
        return matte("coloured", self.frame)

    def over(self, background):
        raise AssertionError


def test_a_matte_on_a_device_is_fetched_for_it(make):
    maker, settings = make()
    person = maker.compose(OnDevice(scene()), settings).person
    np.testing.assert_array_equal(person, person_layer(matte("coloured"), settings.refine))


def test_with_the_plain_camera_picture_the_engine_runs_only_for_a_layer(monkeypatch):
    for sinks, runs in (("null", False), ("pipe:rgba", True)):
        live = Live(load(flags={"background.current": "none", "output.sinks": (sinks,)}))
        processor = Processor(live, Stats(), wait=True)
        monkeypatch.setattr(processor.matting, "matte", lambda frame: matte("full", frame))
        item = processor.matte(scene())
        assert isinstance(item, Matte) == runs
        composite = processor.compose(item)
        np.testing.assert_array_equal(composite.image, scene().image)
        assert (composite.person is not None) == runs
        processor.close()


def test_a_layer_is_fitted_with_its_picture_and_stays_clean(make):
    maker, settings = make()
    shown = fitted(maker.compose(matte("full"), settings), (200, 200))
    assert shown.person.shape == (200, 200, 4)
    assert (shown.person[100, 100, :3] == SHIRT).all()
    assert not shown.person[shown.person[..., 3] == 0].any()
    assert not shown.person[:30].any()
