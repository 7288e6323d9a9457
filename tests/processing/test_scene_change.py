"""Cuts, still pictures, and a network that is too slow: what matting does about them."""

import time

import cv2
import numpy as np
import pytest
from helpers import graphs

from realtime_bg import engines
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Matte
from realtime_bg.imaging.scene_change import MOST_HELD, SceneChangeDetector
from realtime_bg.processing.matting import Matting
from realtime_bg.registry import load_class
from realtime_bg.runtimes.input_size import PATIENCE, SCALES, WINDOW, WorkloadController
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = (640, 360)


def room(seed, noise=0.0, gain=1.0, shot=0):
    """A room, the same for the same seed, with the noise of one shot."""
    picture = np.random.default_rng(seed).uniform(20, 200, (9, 16, 3)).astype(np.float32)
    picture = cv2.resize(picture, SIZE, interpolation=cv2.INTER_CUBIC) * gain
    picture += np.random.default_rng([seed, shot]).normal(0, noise, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def frame(image, index, epoch=0, rate=30):
    return Frame(image, index, index / rate, epoch)


def test_another_scene_is_a_cut_and_another_light_is_none():
    detector = SceneChangeDetector()
    cuts = []
    for index, image in enumerate(
        [room(1), room(1, gain=0.6), room(1, gain=1.2), room(2), room(2)]
    ):
        cuts.append(detector.update(frame(image, index)).cut)
    assert cuts == [False, False, False, True, False]
    assert detector.update(frame(room(2), 5, epoch=1)).cut  # the source says so itself
    assert not SceneChangeDetector().update(frame(np.zeros((2, 2, 3), np.uint8), 0)).cut


def test_noise_is_still_and_a_finger_is_not():
    detector = SceneChangeDetector()
    still = [
        detector.update(frame(room(1, noise=3, shot=index), index)).still for index in range(13)
    ]
    assert still == [False, *([True] * MOST_HELD), False, *([True] * MOST_HELD), False]
    image = room(1, noise=3, shot=20)
    cv2.rectangle(image, (300, 200), (312, 240), (140, 170, 220), -1)
    assert not detector.update(frame(image, 20)).still


def test_what_moves_slowly_is_seen_in_the_end():
    """Compared is the last frame that was matted: small steps add up."""
    detector = SceneChangeDetector()
    texture = room(1)
    still = []
    for index in range(12):
        image = texture.copy()
        cv2.circle(image, (300 + index, 200), 60, (10, 10, 10), -1)
        still.append(detector.update(frame(image, index)).still)
    assert sum(still) < 9
    assert not all(still[1:MOST_HELD])


class Counting(Engine):
    """Counts what it is shown; as slow as its picture is large."""

    seen, resets, per_pixel = 0, 0, 0.0

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size = settings.work_size or (64, 36)

    def matte(self, frame):
        Counting.seen += 1
        width, height = self.work_size
        time.sleep(self.per_pixel * width * height)  # as slow as it says
        return Matte(frame, np.zeros((height, width), np.float32))

    def reset(self):
        Counting.resets += 1


@pytest.fixture
def matting(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "counting", f"{__name__}:Counting")
    monkeypatch.setattr(Counting, "seen", 0)
    monkeypatch.setattr(Counting, "resets", 0)

    def make(**flags):
        in_time = flags.pop("in_time", True)
        return Matting(Live(load(flags=flags | {"engine.name": "counting"})), Stats(), in_time)

    return make


@pytest.mark.parametrize(
    ("flags", "seen"), [({}, 2), ({"engine.gate": False}, 12), ({"in_time": False}, 12)]
)
def test_a_still_picture_is_matted_now_and_then(matting, flags, seen):
    used = matting(**flags)
    for index in range(12):
        shown = frame(room(1, noise=2, shot=index), index)
        assert used.matte(shown).frame is shown
    assert Counting.seen == seen
    assert used.stats.held == 12 - seen


def test_engines_that_learn_in_time_see_every_frame(matting, monkeypatch):
    monkeypatch.setattr(Counting, "waits", False)
    used = matting()
    for index in range(4):
        used.matte(frame(room(1), index))
    assert Counting.seen == 4


def test_a_cut_makes_the_engine_forget(matting):
    used = matting()
    for index, seed in enumerate([1, 1, 2, 2, 1]):
        used.matte(frame(room(seed, noise=9, shot=index), index))
    assert Counting.resets == 2


def moving(count):
    picture = room(1)
    for index in range(count):
        yield frame(np.roll(picture, 7 * index, axis=1), index, rate=1000)


def test_a_network_that_is_too_slow_sees_less(matting, monkeypatch, caplog):
    """4 ms at full size where there is 1 ms: two steps down help, the third is not needed."""
    caplog.set_level("INFO")
    monkeypatch.setattr(Counting, "per_pixel", 0.0022 / (64 * 36))
    used = matting()
    for shown in moving(3 * WINDOW + 20):
        used.matte(shown)
    assert used.stats.work_size[0] < 64
    assert "to maintain the frame rate" in caplog.text
    for flags in ({"engine.work_size": "64x36"}, {"in_time": False}):
        pinned = matting(**flags)
        for shown in moving(2 * WINDOW):
            pinned.matte(shown)
        assert pinned.stats.work_size == (64, 36)


def test_a_second_engine_keeps_its_size_and_one_that_has_learned_is_not_opened_anew(
    matting, monkeypatch
):
    opened = []

    class Second(Counting):
        least_scale = 0.5

        def __init__(self, settings, size, stats):
            super().__init__(settings, size, stats)
            opened.append(settings.work_size)

    monkeypatch.setattr(f"{__name__}.Second", Second, raising=False)
    monkeypatch.setitem(engines.ENGINES, "second", f"{__name__}:Second")
    monkeypatch.setattr(Counting, "per_pixel", 0.003 / (64 * 36))  # at 1000 frames a second
    flags = {"engine.combine.engine": "second", "engine.gate": False}
    used = matting(**flags)
    for shown in moving(3 * WINDOW):
        used.matte(shown)
    assert used.engine.work_size[0] < 64
    assert len(opened) > 1
    assert set(opened) == {None}
    monkeypatch.setattr(Second, "least_scale", 1.0)
    opened.clear()
    used = matting(**flags)
    for shown in moving(3 * WINDOW):
        used.matte(shown)
    assert len(opened) == 1
    for name in ("motion", "plate"):
        assert load_class(engines.ENGINES, name, "engine", EngineError).least_scale == 1.0


def climb(controller, seconds, windows):
    """Rungs after each of some windows, for an engine of ``seconds`` at the largest picture."""
    rungs = []
    for _ in range(windows):
        for _ in range(WINDOW):
            climb.index += 1
            controller.update(
                frame(np.zeros((4, 4, 3), np.uint8), climb.index), seconds * controller.scale**2
            )
        rungs.append(controller.step)
    return rungs


climb.index = 0


def test_the_ladder_goes_down_at_once_and_up_with_patience():
    controller = WorkloadController()
    assert climb(controller, 0.02, 3) == [0, 0, 0]
    assert climb(controller, 0.05, 3) == [1, 1, 1]  # 50 ms x 0.56 fit into 33
    assert climb(controller, 0.02, PATIENCE + 1)[-2:] == [0, 0]
    assert climb(controller, 0.05, 1) == [1]
    assert climb(controller, 0.02, PATIENCE) == [1] * PATIENCE  # more patience after a failure
    assert climb(controller, 0.02, PATIENCE + 1)[-1] == 0
    assert climb(controller, 9.0, 9)[-1] == len(SCALES) - 1  # never off its end


def test_an_engine_may_say_how_little_it_can_see():
    controller = WorkloadController(smallest_scale=0.75)
    assert climb(controller, 9.0, 4) == [1, 1, 1, 1]


def test_dropped_frames_are_no_slower_camera():
    controller = WorkloadController()
    for index in range(0, 4 * WINDOW, 2):  # every other one was dropped
        controller.update(frame(np.zeros((4, 4, 3), np.uint8), index), 0.04 * controller.scale**2)
    assert controller.step == 1


def test_a_step_of_the_ladder_keeps_the_networks_stride(tmp_path, monkeypatch):
    """A deep network cannot be fed sides that it cannot halve evenly."""
    monkeypatch.setattr(
        WorkloadController, "update", lambda self, *_: self.step == 0 and self._change_to(1)
    )
    path = graphs.person_map(tmp_path / "net.onnx")
    flags = {"engine.name": "semantic", "engine.model": str(path), "engine.gate": False}
    flags |= {"engine.threads": 1, "engine.every": 1}
    matting = Matting(Live(load(flags=flags)), Stats(), in_time=True)
    sizes = set()
    for index in range(3):
        matting.matte(frame(np.zeros((720, 1280, 3), np.uint8), index))
        sizes.add(matting.stats.work_size)
    matting.close()
    assert len(sizes) == 2
    assert all(side % 32 == 0 for size in sizes for side in size)
