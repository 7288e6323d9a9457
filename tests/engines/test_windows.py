"""Windows of RVM and the built-in network: where they look, and that everybody is shown all the
same."""

import threading

import cv2
import numpy as np
import pytest

from realtime_bg.engines import _window
from realtime_bg.engines._rvm_steps import STRIDES
from realtime_bg.engines._window import AGAIN, CALM, LONG, Window, Windows, moved_state
from realtime_bg.engines.embedded import Embedded
from realtime_bg.engines.rvm_onnx import RvmOnnx
from realtime_bg.errors import ModelError
from realtime_bg.frames import Frame
from realtime_bg.imaging.geometry import resize
from realtime_bg.runtimes.openvino import PROVIDER
from realtime_bg.settings import EngineSettings, SourceSettings
from realtime_bg.sources import demo
from realtime_bg.stats import Stats
from realtime_bg.training.metrics import iou

PICTURE = 1280, 720
NETWORK = 256, 144


def alpha_of(*boxes, size=NETWORK):
    """Alphas of people in boxes: left, top, right, bottom as fractions of the picture."""
    alpha = np.zeros(size[::-1], np.float32)
    for left, top, right, bottom in boxes:
        rows = slice(round(top * size[1]), round(bottom * size[1]))
        alpha[rows, round(left * size[0]) : round(right * size[0])] = 1
    return alpha


ME = 0.4, 0.2, 0.65, 1.0
OTHER = 0.02, 0.4, 0.12, 0.9


def following(*boxes, frames=3):
    windows = Windows(NETWORK, PICTURE)
    for _ in range(frames):
        windows.follow(alpha_of(*boxes))
    return windows


def room(*boxes):
    """A grey room with white boxes."""
    image = np.full((*PICTURE[::-1], 3), 60, np.uint8)
    return np.maximum(image, (alpha_of(*boxes, size=PICTURE) * 255).astype(np.uint8)[..., None])


def small(image):
    return cv2.resize(image, NETWORK, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    "me", [ME, (0.0, 0.3, 0.3, 1.0), (0.8, 0.0, 1.0, 1.0), (0.3, 0.5, 0.4, 0.6), (0.1, 0.6, 0.8, 1)]
)
def test_a_window_holds_everybody_at_the_same_cost_and_a_higher_resolution(me):
    windows = following(me)
    shape, (left, top, right, bottom) = windows.now
    assert windows.now != windows.whole
    width, height = windows.map
    assert 0 <= left <= me[0] * width
    assert 0 <= top <= me[1] * height
    assert me[2] * width <= right <= width
    assert me[3] * height <= bottom <= height
    assert shape[0] * shape[1] < 1.06 * NETWORK[0] * NETWORK[1]
    assert shape[0] / (right - left) > 1.05 * NETWORK[0] / width
    assert shape[0] / (right - left) == pytest.approx(shape[1] / (bottom - top), rel=0.02)


def test_who_fills_the_picture_and_nobody_need_the_whole():
    for boxes in ([(0.05, 0.02, 0.95, 1.0)], [], [ME, (0.0, 0.1, 0.1, 1), (0.95, 0.1, 1, 1)]):
        windows = following(*boxes)
        assert windows.now == windows.whole


def test_a_window_is_calm_and_follows_when_it_has_to():
    windows = following(ME)
    first = windows.now
    for shift in (0.01, -0.01, 0.015):
        windows.follow(alpha_of((ME[0] + shift, ME[1], ME[2] + shift, 1)))
        assert windows.now == first
    windows.follow(alpha_of((ME[0] + 0.2, ME[1], ME[2] + 0.2, 1)))
    assert windows.now.box[0] > first.box[0]
    windows = following((0.15, 0.02, 0.7, 1.0))
    broad = windows.now
    for _ in range(5):
        windows.follow(alpha_of(ME))
    assert windows.now == broad
    for _ in range(_window.AFTER):
        windows.follow(alpha_of(ME))
    assert windows.now == first  # after a while
    windows.follow(alpha_of())
    assert windows.now == windows.whole


def test_only_what_moves_outside_makes_it_look_around_and_not_on_every_frame():
    windows = following(ME)
    windows.restless(small(room()))
    assert not windows.restless(small(room(ME)))
    looks = [
        windows.restless(small(room((0.02 + step % 2 * 0.04, 0.4, 0.12, 0.9))))
        for step in range(3 * AGAIN)
    ]
    assert looks[0]
    assert sum(looks) == 3


def test_it_looks_around_from_time_to_time_although_nothing_moves():
    windows, still = following(ME), small(room())
    looks = [windows.restless(still) for _ in range(2 * LONG + 1)]
    assert sum(looks) == 2
    windows.now = windows.whole  # which is looked at anyway
    assert not any(windows.restless(still) for _ in range(2 * LONG))


def test_somebody_outside_is_met_and_a_speck_is_not():
    windows = following(ME)
    window = windows.now
    assert not windows.meets(alpha_of(ME, (0.05, 0.5, 0.06, 0.51)))
    assert windows.now == window
    assert windows.meets(alpha_of(ME, OTHER))
    for _ in range(CALM - 1):
        assert windows.now == windows.whole
        windows.follow(alpha_of(ME))
    for _ in range(3):
        windows.follow(alpha_of(ME))
    assert windows.now != windows.whole


@pytest.mark.parametrize("stride", STRIDES)
def test_a_state_stays_where_it_was_in_the_picture(stride):
    """The state is a ramp over the map, so what it must be in another window is known."""

    def ramp(window):
        width, height = (-(-side // stride) for side in window.shape)
        left, top, right, bottom = window.box
        x = left + (np.arange(width) + 0.5) * stride / window.shape[0] * (right - left)
        y = top + (np.arange(height) + 0.5) * stride / window.shape[1] * (bottom - top)
        return np.stack(np.meshgrid(x, y)).astype(np.float32)[None]

    whole = Window(NETWORK, (0, 0, 384, 216))
    window = Window((168, 216), (90, 0, 258, 216))
    there = moved_state(ramp(whole), stride, whole, window)
    inside = np.s_[..., 1:-1, 1:-1]
    assert np.abs(there - ramp(window))[inside].max() < 0.01
    back = moved_state(ramp(window), stride, window, window)
    assert np.allclose(back, ramp(window), atol=0.01)


class Bright:
    """Instead of the network: what is bright is a person."""

    ran = 0

    def __init__(self, shape):
        self.src = np.zeros((1, 3, *shape[::-1]), np.float32)

    def step(self):
        type(self).ran += 1
        return self.src.copy(), np.clip(self.src[:, :1] * 2 - 0.8, 0, 1)

    def reset(self):
        pass

    def state(self):
        sides = self.src.shape[2:]
        return [
            np.zeros((1, 2, *(-(-side // one) for side in sides)), np.float32) for one in STRIDES
        ]

    def start_from(self, state):
        for one, own in zip(state, self.state(), strict=True):
            assert one.shape == own.shape


@pytest.fixture
def engine(checkpoint, monkeypatch):
    monkeypatch.setattr(RvmOnnx, "_open", lambda self, shape: Bright(shape))
    monkeypatch.setattr(Bright, "ran", 0)
    settings = EngineSettings(name="rvm", model=checkpoint, device="cpu", work_size=NETWORK)
    return RvmOnnx(settings, PICTURE, Stats())


def shown(engine, image, index):
    matte = engine.matte(Frame(image, index, index / 30))
    assert matte.guide.shape[:2] == matte.alpha.shape == matte.foreground.shape[:2]
    return resize(matte.alpha, PICTURE)


def test_the_matte_of_a_window_lies_where_the_person_is(engine):
    image = room(ME)
    truth = alpha_of(ME, size=PICTURE)
    errors = [float(np.abs(shown(engine, image, index) - truth).mean()) for index in range(6)]
    assert engine._windows.now != engine._windows.whole
    assert errors[-1] < 0.7 * errors[0]  # less than at the resolution of the whole picture
    assert Bright.ran == 6


def test_who_comes_in_is_shown_and_the_room_is_looked_at_only_then(engine):
    for index in range(6):
        shown(engine, room(ME), index)
    both = shown(engine, room(ME, OTHER), 6)
    assert both[int(0.6 * 720), int(0.07 * 1280)] > 0.9
    assert Bright.ran == 7  # the whole picture's matte is the one that is shown
    for index in range(7, 7 + CALM + 5):
        both = shown(engine, room(ME, OTHER), index)
        assert both[int(0.6 * 720), int(0.07 * 1280)] > 0.9
    assert Bright.ran == index + 1


def test_a_thing_that_moves_costs_one_more_look_in_eight_frames(engine):
    for index in range(6):
        shown(engine, room(ME), index)
    dim = room(ME)
    for index in range(6, 6 + 2 * AGAIN):
        image = dim.copy()
        image[300:600, 20 + index % 2 * 60 : 160] = 95  # too dark for a person here
        alpha = shown(engine, image, index)
        assert not alpha[:, :200].any()
    assert Bright.ran == 6 + 2 * AGAIN + 2


def test_it_can_be_turned_off_and_starts_afresh_after_a_reset(engine):
    for index in range(6):
        shown(engine, room(ME), index)
    engine.reset()
    assert engine._windows.now == engine._windows.whole
    engine._narrows = False
    for index in range(6):
        shown(engine, room(ME), index)
    assert engine._windows.now == engine._windows.whole


def test_nobody_waits_for_the_network_of_another_window_in_a_call(engine, monkeypatch):
    """While OpenVINO compiles it in another thread, the whole picture is looked at."""
    go_on, threads = threading.Event(), []

    def opened(_, shape):
        threads.append(threading.current_thread())
        assert go_on.wait(60)
        return Bright(shape)

    monkeypatch.setattr(RvmOnnx, "_open", opened)
    engine.provider = PROVIDER
    for index in range(6):
        shown(engine, room(ME), index)
    assert engine._windows.now != engine._windows.whole
    assert engine._seen == engine._windows.whole
    go_on.set()
    engine._coming[1].result(60)
    shown(engine, room(ME), 6)
    assert engine._seen == engine._windows.now != engine._windows.whole
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()
    engine.close()


@pytest.mark.parametrize("provider", [PROVIDER, "CPUExecutionProvider"])
def test_where_no_network_can_be_made_for_windows_the_whole_picture_goes_on(
    engine, monkeypatch, caplog, provider
):
    refused = []

    def refuse(_, shape):
        refused.append(shape)
        raise ModelError("no memory for it")

    monkeypatch.setattr(RvmOnnx, "_open", refuse)
    engine.provider = provider
    truth = alpha_of(ME, size=PICTURE)
    index = 0
    while not caplog.messages or index < 12:
        assert np.abs(shown(engine, room(ME), index) - truth).mean() < 0.02
        index += 1
    assert caplog.messages == ["windows are not used: no memory for it"]
    assert len(refused) == 1
    assert engine._seen == engine._windows.now == engine._windows.whole
    engine.close()


@pytest.mark.parametrize("window", [False, True])
def test_the_built_in_network_looks_at_the_person(window):
    """And says where the edge is more exactly for it."""
    source = demo.DemoSource("", SourceSettings(spec="demo", size=(640, 360)), False)
    settings = EngineSettings(name="embedded", device="cpu", quality="fast", window=window)
    engine = Embedded(settings, source.size, Stats())
    for index in range(12):
        matte = engine.matte(Frame(source.image(index), index, index / 30))
    truth = source.alpha(11)
    assert iou(resize(matte.alpha, source.size), truth) > 0.95
    assert (engine._seen != engine._windows.whole) is window
    assert matte.guide.shape[:2] == matte.alpha.shape
    assert (matte.alpha.shape == (144, 256)) is not window
    assert matte.foreground is None
    engine.close()
