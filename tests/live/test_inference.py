"""The inference thread by itself: the newest frame is matted; a hanging engine is left behind."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg.frames import Frame
from realtime_bg.live.inference import Inference
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.slot import Slot


def frame(index=0):
    return Frame(np.zeros((2, 4, 3), np.uint8), index, time.monotonic())


class Matting:
    """Stands for an engine that may hang."""

    def __init__(self):
        self.busy_since, self.closed, self.error = None, False, None
        self.released = threading.Event()
        self.released.set()
        self.successor = None

    def abandoned(self, reason):
        self.successor = Matting()
        self.reason = reason
        return self.successor

    def close(self):
        self.closed = True


class Processor:
    def __init__(self):
        self.matting, self.seen = Matting(), []

    def matte(self, frame, matting):
        matting.busy_since = time.monotonic()
        assert matting.released.wait(PATIENCE)
        matting.busy_since = None
        if matting.error is not None:
            raise matting.error
        self.seen.append(frame)
        return frame


@pytest.fixture
def rig():
    run, processor = Lifecycle(), Processor()
    frames, items = Slot(), Slot()
    run.at_stop(frames.close, items.close)
    state = SimpleNamespace(holding=False, asked=0)

    def holding():
        answer = state.holding
        state.asked += 1
        return answer

    inference = Inference(run, processor, frames, items, holding)
    yield SimpleNamespace(
        run=run, processor=processor, frames=frames, items=items, state=state, inference=inference
    )
    run.stop()
    assert run.join("inference", time.monotonic() + 60)


def test_what_is_matted_is_handed_on(rig):
    rig.inference.start()
    one = frame()
    rig.frames.put(one)
    assert rig.items.take(5) is one


def test_nothing_is_matted_while_the_picture_is_frozen(rig):
    rig.inference.start()
    rig.state.holding = True
    rig.frames.put(frame(1))
    until(lambda: rig.state.asked == 1)
    rig.state.holding = False
    rig.frames.put(frame(2))
    assert rig.items.take(5).index == 2
    assert [one.index for one in rig.processor.seen] == [2]


def test_the_engine_is_loaded_before_the_first_frame_where_none_is_expected(rig):
    rig.inference.start(warm_up=(6, 3))
    until(lambda: rig.processor.seen)
    assert rig.processor.seen[0].size == (6, 3)
    assert not rig.processor.seen[0].image.any()
    assert rig.items.take(0) is None  # what it says of nothing goes nowhere


def test_an_engine_that_hangs_is_left_behind_with_its_thread(rig):
    hanging = rig.processor.matting
    hanging.released.clear()
    rig.inference.start()
    rig.frames.put(frame(1))
    until(lambda: hanging.busy_since is not None)
    rig.inference.supervise(60.0)
    assert rig.processor.matting is hanging  # it has time
    until(lambda: time.monotonic() - hanging.busy_since > 0.02)
    rig.inference.supervise(0.01)
    assert rig.processor.matting is hanging.successor
    assert "has returned nothing for 0.01 s" in hanging.reason
    rig.frames.put(frame(2))
    assert rig.items.take(5).index == 2
    hanging.released.set()
    until(lambda: hanging.closed)
    assert rig.items.take(0.05) is None  # its late answer is not shown


@pytest.mark.parametrize("error", [None, RuntimeError("late")])
def test_an_engine_that_hangs_while_it_is_loaded_is_left_behind_whatever_becomes_of_it(rig, error):
    hanging = rig.processor.matting
    hanging.released.clear()
    hanging.error = error
    rig.inference.start(warm_up=(6, 3))
    until(lambda: hanging.busy_since is not None)
    until(lambda: time.monotonic() - hanging.busy_since > 0.02)
    rig.inference.supervise(0.01)
    hanging.released.set()
    until(lambda: hanging.closed)
    rig.frames.put(frame(2))  # only the successor's thread is left to take it
    assert rig.items.take(5).index == 2
    assert not rig.run.stopping.is_set()
