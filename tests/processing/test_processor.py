"""Both halves together: what is confirmed, what is taken back, what a failing device leads to."""

import numpy as np
import pytest

from realtime_bg import engines
from realtime_bg.engines.base import Engine
from realtime_bg.frames import Composite, DeviceMatte, Frame, Matte
from realtime_bg.processing.compositor import fitted
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = WIDTH, HEIGHT = 32, 18
GREEN = (0, 255, 0)


class Broken(DeviceMatte):
    """Cannot be blended on its device."""

    def downloaded(self):
        raise RuntimeError("the device is lost")

    over = downloaded


class Solid(Engine):
    """All of it is a person; on a device that fails ``failing`` times."""

    failing = 0

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size = size

    def matte(self, frame):
        if Solid.failing:
            Solid.failing -= 1
            return Broken(frame)
        return Matte(frame, np.ones(frame.image.shape[:2], np.float32))


@pytest.fixture
def make(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "solid", f"{__name__}:Solid")
    monkeypatch.setattr(Solid, "failing", 0)
    made = []

    def make(wait=True, **flags):
        flags = {"engine.name": "solid", "background.current": "#00ff00"} | flags
        made.append(Processor(Live(load(flags=flags)), Stats(), wait))
        return made[-1]

    yield make
    for one in made:
        one.close()


def frame(index=0):
    return Frame(np.full((HEIGHT, WIDTH, 3), 77, np.uint8), index, index / 30)


@pytest.mark.parametrize("wait", [True, False])
def test_the_background_of_the_start_is_confirmed(make, wait):
    assert make(wait).live.wait_for_answer("background.current", 0) == ""


@pytest.mark.parametrize("wait", [True, False])
def test_a_background_is_confirmed_when_it_is_open(make, wait):
    processor = make(wait)
    processor.live.update(background__current="#0000ff")
    assert processor.live.wait_for_answer("background.current", 0) is None
    processor.process(frame())
    assert processor.live.wait_for_answer("background.current", 20) == ""
    assert (processor.without_camera(SIZE, 0).image == (255, 0, 0)).all()


@pytest.mark.parametrize("wait", [True, False])
def test_a_background_that_cannot_be_opened_is_taken_back_with_its_reason(make, tmp_path, wait):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    processor = make(wait)
    processor.live.update(background__current=str(tmp_path / "bad.png"))
    processor.process(frame())
    assert "bad.png" in processor.live.wait_for_answer("background.current", 20)
    assert processor.live.now.background.current == "#00ff00"
    assert (processor.without_camera(SIZE, 0).image == GREEN).all()


def test_a_frame_goes_through_both_halves(make):
    made = make().process(frame(6))
    assert (made.image == 77).all()
    assert (made.index, made.time) == (6, 0.2)


def test_another_matting_may_be_used_for_the_first_half(make):
    processor = make()
    other = Matting(processor.live, processor.stats)
    processor.matte(frame(), other)
    assert processor.matting.engine is None
    assert other.engine is not None
    other.close()


def test_in_a_file_a_frame_is_matted_again_if_its_device_fails(make):
    processor = make(**{"engine.retries": 5})
    Solid.failing = 2
    assert (processor.process(frame()).image == 77).all()
    assert processor.stats.failures == 2


def test_live_a_frame_whose_device_fails_is_shown_without_the_person(make):
    processor = make(wait=False)
    Solid.failing = 1
    shown = processor.compose(processor.matte(frame(3)))
    assert (shown.image == GREEN).all()
    assert (shown.index, shown.time) == (3, 0.1)
    assert processor.stats.failures == 0  # it counts with the next frame
    processor.compose(processor.matte(frame(4)))
    assert processor.stats.failures == 1


def test_other_errors_of_composing_are_not_hidden(make, monkeypatch):
    processor = make()

    def fail(*_):
        raise ValueError("a mistake")

    monkeypatch.setattr(processor.compositor, "compose", fail)
    with pytest.raises(ValueError, match="a mistake"):
        processor.process(frame())


@pytest.mark.parametrize(("wait", "held"), [(True, 0), (False, 1)])
def test_only_live_a_still_picture_keeps_its_matte(make, wait, held):
    processor = make(wait)
    processor.process(frame(0))
    processor.process(frame(1))
    assert processor.stats.held == held


def test_previews_are_made_where_a_window_wants_them():
    for previews in (True, False):
        flags = {"background.current": "#00ff00", "view.stats": True}
        processor = Processor(Live(load(flags=flags)), Stats(), True, previews)
        assert (processor.without_camera(SIZE, 0).preview is not None) is previews
        processor.close()


def test_a_composite_of_another_size_is_fitted_and_loses_its_preview():
    image = np.full((18, 32, 3), 90, np.uint8)
    made = Composite(image, 4, 1.5, image)  # as after a change of the camera's size
    assert fitted(made, (32, 18)) is made
    small = fitted(made, (16, 16))
    assert (small.index, small.time, small.preview) == (4, 1.5, None)
    assert small.image.shape == (16, 16, 3)
    assert (small.image[0] == 0).all()  # all of it is shown, between black bars
    assert (small.image[8] == 90).all()
