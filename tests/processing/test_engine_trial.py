"""One attempt with an engine that was given up: what counts as success, and who closes it."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg.frames import DeviceMatte, Frame, Matte
from realtime_bg.processing import engine_trial as module
from realtime_bg.processing.engine_trial import FRAMES, EngineTrial, Retries
from realtime_bg.processing.given_up import GivenUp
from realtime_bg.stats import Stats

FRAME = Frame(np.zeros((4, 6, 3), np.uint8), 3, 0.1)


class Fake:
    """An engine that notes its calls; it fails or waits at a call if it is told to."""

    def __init__(self, fails_at=None, value=0.5, waits_at=None, device=False):
        self.calls, self.fails_at, self.value = [], fails_at, value
        self.waits_at, self.device = waits_at, device
        self.waiting, self.release = threading.Event(), threading.Event()

    def _call(self, name):
        self.calls.append(name)
        if len(self.calls) == self.waits_at:
            self.waiting.set()
            assert self.release.wait(PATIENCE)
        if len(self.calls) == self.fails_at:
            raise RuntimeError(f"bad at {self.fails_at}")

    def matte(self, frame):
        assert frame is FRAME
        self._call("matte")
        matte = Matte(frame, np.full((4, 6), self.value, np.float32))
        return OnDevice(matte) if self.device else matte

    def reset(self):
        self._call("reset")

    def close(self):
        self._call("close")


class OnDevice(DeviceMatte):
    """Has to be downloaded before it can be checked."""

    def __init__(self, matte):
        super().__init__(matte.frame)
        self._matte = matte

    def downloaded(self):
        return self._matte

    def over(self, background):
        raise AssertionError


def trial(engine):
    """A trial that is over."""
    made = EngineTrial("room", lambda: engine, FRAME)
    until(lambda: made.finished)
    return made


@pytest.mark.parametrize("device", [False, True])
def test_an_engine_is_ready_after_three_frames_and_has_no_history(device):
    engine = Fake(device=device)
    made = trial(engine)
    assert engine.calls == ["matte"] * 3 + ["reset"]
    assert FRAMES == 3
    assert made.name == "room"
    assert made.error is None
    assert made.take() is engine
    assert made.take() is None  # it has an owner now
    made.cancel()
    assert "close" not in engine.calls


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4])
def test_an_engine_that_fails_at_any_step_is_closed_and_not_handed_out(fails_at):
    engine = Fake(fails_at)
    made = trial(engine)
    assert str(made.error) == f"bad at {fails_at}"
    assert made.take() is None
    assert engine.calls[fails_at:] == ["close"]


@pytest.mark.parametrize("device", [False, True])
def test_a_matte_that_would_be_refused_is_a_failure(device):
    engine = Fake(value=np.nan, device=device)
    made = trial(engine)
    assert isinstance(made.error, ValueError)
    assert made.take() is None
    assert engine.calls == ["matte", "close"]


def test_an_engine_that_cannot_even_be_opened_or_closed_is_a_failure_and_no_more():
    error = OSError("no weights")

    def opened():
        raise error

    made = EngineTrial("room", opened, FRAME)
    until(lambda: made.finished)
    assert made.error is error
    assert made.take() is None
    engine = Fake(1)
    engine.close = lambda: 1 / 0
    assert str(trial(engine).error) == "bad at 1"


def test_an_engine_that_was_cancelled_is_closed_once_by_whoever_holds_it():
    engine = Fake()
    made = trial(engine)
    made.cancel()
    made.cancel()
    assert engine.calls[4:] == ["close"]
    assert made.take() is None
    late = Fake(waits_at=2)
    made = EngineTrial("room", lambda: late, FRAME)
    assert late.waiting.wait(PATIENCE)
    assert not made.finished
    made.cancel()
    assert "close" not in late.calls  # its thread still uses it
    late.release.set()
    until(lambda: made.finished)
    assert late.calls[-1] == "close"
    assert made.take() is None
    assert made.error is None


@pytest.fixture
def clock(monkeypatch):
    """The time of the trial, which a test moves."""
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_only_working_on_the_frame_counts_as_hanging(clock):
    engine, open_now = Fake(waits_at=1), threading.Event()
    made = EngineTrial("room", lambda: open_now.wait(20) and engine, FRAME)
    for _ in range(5):
        clock[0] += 0.5
        assert not made.hangs(1.0)  # it is loading
    open_now.set()
    assert engine.waiting.wait(PATIENCE)
    found = []
    for _ in range(4):
        clock[0] += 0.5
        found.append(made.hangs(1.0))
    assert found == [False, False, True, True]  # exactly as long as it may is no hang
    engine.release.set()
    until(lambda: made.finished)


def test_of_a_process_that_stood_still_one_second_counts_at_most(clock):
    engine = Fake(waits_at=1)
    made = EngineTrial("room", lambda: engine, FRAME)
    assert engine.waiting.wait(PATIENCE)
    clock[0] += 3600.0
    assert not made.hangs(1.0)
    assert made.hangs(0.9)
    clock[0] += 0.25
    assert not made.hangs(1.25)
    assert made.hangs(1.2)
    engine.release.set()
    until(lambda: made.finished)


# Retries


class Rig:
    """Retries with a record whose pauses are over as soon as the clock moves by ten seconds."""

    def __init__(self):
        self.now, self.stats = 0.0, Stats()
        self.given_up = GivenUp(self.stats, True, (10.0,), lambda: self.now)
        self.retries, self.engines, self.asked = Retries(), {}, []

    def opener(self, name):
        self.asked.append(name)
        return lambda: self.engines[name]

    def update(self, *better, hang=10.0):
        return self.retries.update(self.given_up, better, self.opener, FRAME, hang)

    def ended(self, *better):
        """Update once after the running trial has ended."""
        until(lambda: self.retries._trial.finished)
        return self.update(*better)


@pytest.fixture
def rig():
    made = Rig()
    yield made
    for engine in made.engines.values():
        engine.release.set()
    made.retries.cancel()


def test_what_is_due_is_tried_once_and_handed_over(rig):
    engine = rig.engines["room"] = Fake()
    assert rig.update("room") is None
    assert rig.asked == []  # nothing was given up
    rig.given_up.add("room", "bad")
    assert rig.update("room") is None
    assert rig.asked == []  # its pause is not over
    rig.now = 10.0
    assert rig.update("other") is None
    assert rig.asked == []  # it is not better
    assert rig.update("room") is None
    assert rig.asked == ["room"]
    assert rig.ended("room") == ("room", engine)
    assert rig.retries._trial is None
    assert "close" not in engine.calls


def test_while_one_is_tried_no_other_is(rig):
    rig.engines = {"room": Fake(waits_at=1), "other": Fake(waits_at=1)}
    rig.given_up.add("room", "bad")
    rig.given_up.add("other", "bad")
    rig.now = 10.0
    assert rig.update("room", "other") is None
    first = rig.asked[0]
    for _ in range(3):
        assert rig.update("room", "other") is None
    assert rig.asked == [first]


def test_a_failure_is_told_and_begins_the_next_pause(rig, caplog):
    rig.engines["room"] = Fake(2)
    rig.given_up.add("room", "bad")
    rig.now = 10.0
    rig.update("room")
    caplog.clear()
    assert rig.ended("room") is None
    assert caplog.messages[0] == "engine room still fails: RuntimeError: bad at 2"
    assert rig.stats.given_up == {"room": ("RuntimeError: bad at 2", 20.0)}
    assert rig.update("room") is None
    assert rig.asked == ["room"]
    rig.now = 20.0
    rig.engines["room"] = working = Fake()
    assert rig.update("room") is None
    assert rig.ended("room") == ("room", working)


def test_one_that_hangs_bars_all_others_until_it_returns(rig, clock, caplog):
    hanging = rig.engines["room"] = Fake(waits_at=1)
    rig.given_up.add("room", "bad")
    rig.now = 10.0
    rig.update("room", hang=0.5)
    assert hanging.waiting.wait(PATIENCE)
    clock[0] += 0.5
    assert rig.update("room", hang=0.5) is None
    assert rig.stats.given_up["room"] == ("bad", 10.0)  # it has time
    clock[0] += 0.25
    caplog.clear()
    assert rig.update("room", hang=0.5) is None
    assert caplog.messages[0] == "engine room still fails: has returned nothing for 0.5 s"
    assert rig.stats.given_up["room"] == ("has returned nothing for 0.5 s", 20.0)
    rig.now = 20.0
    for _ in range(3):
        assert rig.update("room") is None
    assert rig.asked == ["room"]
    thread = rig.retries._hanging[0]._thread
    hanging.release.set()
    thread.join(60)
    assert hanging.calls[-1] == "close"  # it came too late
    working = rig.engines["room"] = Fake()
    assert rig.update("room") is None
    assert rig.asked == ["room", "room"]
    assert rig.ended("room") == ("room", working)


def test_a_trial_that_is_cancelled_leaves_nothing_behind(rig):
    engine = rig.engines["room"] = Fake(waits_at=3)
    rig.retries.cancel()  # nothing runs
    rig.given_up.add("room", "bad")
    rig.now = 10.0
    rig.update("room")
    assert engine.waiting.wait(PATIENCE)
    thread = rig.retries._trial._thread
    rig.retries.cancel()
    engine.release.set()
    thread.join(60)
    assert engine.calls[-1] == "close"
    working = rig.engines["room"] = Fake()
    assert rig.update("room") is None  # it is still due, and tried anew
    assert rig.ended("room") == ("room", working)
