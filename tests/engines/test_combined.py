"""Two engines as one: gates and additions, and what happens when the second sees nothing."""

import numpy as np
import pytest

from realtime_bg.engines import open_engine
from realtime_bg.engines.base import Engine
from realtime_bg.engines.classical.threshold import Threshold
from realtime_bg.engines.combined import Combined
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Matte, check_matte
from realtime_bg.settings import CombineSettings, EngineSettings
from realtime_bg.stats import Stats

SIZE = (80, 40)
FRAME = Frame(np.full((40, 80, 3), 100, np.uint8), 0, 0.0)


class Columns(Engine):
    """Sees a person in some columns."""

    def __init__(self, start, stop, size=SIZE, colour=None, lost=False, people=None):
        super().__init__(EngineSettings(), size, Stats())
        self.work_size, self.start, self.stop = size, start, stop
        self.colour, self.lost, self.calls, self.closed, self.resets = colour, lost, 0, 0, 0
        self.people = people  # the first column of the second person

    def matte(self, frame):
        self.calls += 1
        alpha = np.zeros(self.work_size[::-1], np.float32)
        alpha[:, self.start : self.stop] = 1
        colour = None
        if self.colour is not None:
            colour = np.full((*alpha.shape, 3), self.colour, np.uint8)
        guide = np.full((*alpha.shape, 3), 100, np.uint8)
        people = None
        if self.people is not None:
            people = alpha.astype(np.uint8)
            people[:, self.people : self.stop] = 2
        return Matte(frame, alpha, colour, guide, self.lost, people)

    def reset(self):
        self.resets += 1

    def close(self):
        self.closed += 1


def combined(main, second, **combine):
    settings = EngineSettings(combine=CombineSettings(engine="x", **combine))
    return Combined(main, second, settings, SIZE, Stats())


def columns(alpha):
    return set(np.flatnonzero(alpha[20] > 0.5).tolist())


def test_a_gate_keeps_what_both_see():
    engine = combined(Columns(10, 70), Columns(30, 50), how="gate", margin=0)
    assert columns(check_matte(engine.matte(FRAME)).alpha) == set(range(30, 50))


def test_the_engine_that_takes_a_plate_says_so_whichever_it_is():
    stats = Stats()
    settings = EngineSettings(name="motion", offline=True, combine=CombineSettings(engine="plate"))
    engine = open_engine(settings, SIZE, stats)
    engine.take_plate()
    engine.matte(FRAME)
    assert "clean plate in" in stats.current_notice()
    neither = combined(Columns(0, 1), Columns(0, 1))
    neither.take_plate()
    assert "needs no clean plate" in neither.stats.current_notice()


def test_a_gate_reaches_around_a_coarse_mask():
    engine = combined(Columns(10, 70), Columns(3, 5, size=(8, 4)), how="gate", margin=0.1)
    kept = columns(engine.matte(FRAME).alpha)
    assert set(range(28, 52)) <= kept <= set(range(18, 62))


def test_an_addition_keeps_what_either_sees_with_its_own_colour():
    engine = combined(Columns(10, 30, colour=7), Columns(50, 60), how="add")
    matte = check_matte(engine.matte(FRAME))
    assert columns(matte.alpha) == {*range(10, 30), *range(50, 60)}
    assert (matte.foreground[20, 15] == 7).all()
    assert (matte.foreground[20, 55] == 100).all()


def test_a_gate_that_sees_nobody_hides_everything():
    matte = combined(Columns(10, 70), Columns(0, 0, lost=True), how="gate").matte(FRAME)
    assert matte.lost
    assert matte.alpha.max() == 0


def test_an_addition_without_a_thing_is_the_main_matte():
    matte = combined(Columns(10, 70), Columns(0, 0, lost=True), how="add").matte(FRAME)
    assert columns(matte.alpha) == set(range(10, 70))


def test_a_gate_tells_people_apart_as_its_second_engine_does_or_else_the_first():
    coarse = Columns(3, 6, size=(8, 4), people=5)
    matte = check_matte(combined(Columns(10, 70, people=20), coarse).matte(FRAME))
    assert matte.people[20].tolist() == [0] * 30 + [1] * 20 + [2] * 10 + [0] * 20
    matte = check_matte(combined(Columns(10, 70, people=20), Columns(30, 50)).matte_photo(FRAME, 1))
    assert matte.people[20].tolist() == [0] * 10 + [1] * 10 + [2] * 50 + [0] * 10


def test_people_of_an_earlier_frame_are_told_of_no_other():
    engine = combined(Columns(10, 70), Columns(30, 50, people=40), every=2)
    told = [engine.matte(FRAME).people is not None for _ in range(4)]
    assert told == [True, False, True, False]


def test_an_addition_tells_no_people_apart():
    matte = combined(Columns(10, 30, people=20), Columns(50, 60, people=55), how="add").matte(FRAME)
    assert matte.people is None


def test_the_second_engine_runs_as_often_as_it_should():
    second = Columns(30, 50)
    engine = combined(Columns(10, 70), second, every=4)
    for _ in range(9):
        engine.matte(FRAME)
    assert second.calls == 3


def test_reset_and_close_reach_both():
    main, second = Columns(0, 1), Columns(0, 1)
    engine = combined(main, second)
    engine.reset()
    engine.close()
    assert main.closed == second.closed == 1
    assert main.resets == second.resets == 2


@pytest.mark.parametrize("how", ["gate", "add"])
def test_it_opens_from_the_settings(how, tmp_path, portrait):
    from helpers import graphs

    detector = graphs.whole_picture_detector(tmp_path / "detector.onnx")
    settings = EngineSettings(
        name="grabcut",
        device="cpu",
        combine=CombineSettings(engine="instance", how=how, model=detector),
    )
    engine = open_engine(settings, portrait.size, Stats())
    matte = check_matte(engine.matte(portrait))
    assert matte.alpha.shape == engine.work_size[::-1]
    engine.close()


def test_the_first_engine_is_closed_if_the_second_cannot_be_opened(monkeypatch):
    closed = []
    monkeypatch.setattr(Threshold, "close", lambda _: closed.append("first"), raising=False)
    settings = EngineSettings(name="threshold", combine=CombineSettings(engine="nobody"))
    with pytest.raises(EngineError, match="unknown engine 'nobody'"):
        open_engine(settings, SIZE, Stats())
    assert closed == ["first"]
