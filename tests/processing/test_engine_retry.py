"""Engines that were given up are tried again in the background, with growing pauses."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg import engines
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Matte
from realtime_bg.processing import given_up
from realtime_bg.processing.given_up import described
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

state = SimpleNamespace()


class Network(Engine):
    """Fails on command."""

    description = "test"

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        state.opened.append(settings.name)
        if state.fault.get(settings.name) == "missing":
            raise EngineError("no weights")
        self.work_size = size

    def matte(self, frame):
        fault = state.fault.get(self.settings.name)
        if fault == "raising":
            raise RuntimeError("bad weights")
        if fault == "hanging":
            state.entered.set()
            state.healed.wait(30)
        alpha = np.zeros(frame.image.shape[:2], np.float32)
        return Matte(frame, alpha * (np.nan if fault == "lying" else 1))

    def close(self):
        state.closed.append(self.settings.name)


@pytest.fixture
def stream(monkeypatch):
    """Mattes frames as inference does; nothing is tried again until ``pause`` is lowered."""
    state.__dict__.update(fault={}, opened=[], closed=[])
    state.entered, state.healed = threading.Event(), threading.Event()
    for name in ("room", "embedded", "grabcut"):
        monkeypatch.setitem(engines.ENGINES, name, f"{__name__}:Network")
    live = Live(
        Settings.model_validate(
            {"engine": {"name": "room", "retries": 0, "hang": 0.05, "gate": False}}
        )
    )
    made = Stream(live, monkeypatch)
    made.pauses(3600.0)
    yield made
    state.healed.set()
    made.matting.close()


class Stream:
    def __init__(self, live, monkeypatch):
        self.live, self.stats, self._patch = live, Stats(), monkeypatch
        self.matting = None
        self.size = (64, 36)

    def pauses(self, *seconds):
        self._patch.setattr(given_up, "PAUSES", seconds)

    def start(self):
        self.matting = Matting(self.live, self.stats, in_time=True)
        return self.frame()

    def frame(self):
        image = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        self.matting.matte(Frame(image, 0, time.monotonic()))
        return self.stats.engine

    def until(self, condition):
        until(lambda: (self.frame(), condition())[1])


@pytest.mark.parametrize("fault", ["raising", "lying"])
def test_an_engine_that_works_again_takes_over(stream, fault):
    stream.pauses(0.01)
    state.fault["room"] = fault
    assert stream.start() == "embedded"
    assert "tried again" in described(stream.stats)["room"]
    state.fault.clear()
    stream.until(lambda: stream.stats.engine == "room")
    assert described(stream.stats) == {}
    assert state.closed.count("embedded") == 1


def test_the_reason_and_the_time_of_the_next_attempt_are_known(stream):
    state.fault["room"] = "raising"
    stream.start()
    assert described(stream.stats)["room"] in (
        "RuntimeError: bad weights; tried again in 3600 s",
        "RuntimeError: bad weights; tried again in 3599 s",
    )


def test_no_frame_is_without_a_matte_while_the_engine_is_tried(stream):
    stream.pauses(0.001)
    state.fault["room"] = "raising"
    stream.start()
    for _ in range(3):
        opened = state.opened.count("room")
        stream.until(lambda opened=opened: state.opened.count("room") > opened)
        assert stream.frame() == "embedded"
    assert stream.stats.failures == 1  # failed attempts in the background are not failed frames
    assert state.opened.count("embedded") == 1


def test_an_attempt_that_cannot_be_opened_is_a_failed_one(stream, caplog):
    stream.pauses(0.001, 3600.0)
    state.fault["room"] = "raising"
    stream.start()
    state.fault["room"] = "missing"
    stream.until(lambda: "no weights" in described(stream.stats)["room"])
    assert "engine room still fails: EngineError: no weights" in caplog.text


def test_an_attempt_that_hangs_is_left_behind_and_no_other_one_joins_it(stream):
    stream.pauses(0.001)
    state.fault["room"] = "raising"
    stream.start()
    state.fault["room"] = "hanging"
    stream.until(lambda: "has returned nothing for 0.05 s" in described(stream.stats)["room"])
    opened = state.opened.count("room")
    time.sleep(0.01)  # the pause is over
    for _ in range(20):
        stream.frame()
    assert state.opened.count("room") == opened
    state.fault.clear()
    state.healed.set()
    stream.until(lambda: stream.stats.engine == "room")


def test_an_engine_that_hung_is_tried_again(stream):
    stream.pauses(0.01)
    state.fault["room"] = "hanging"
    stream.matting = Matting(stream.live, stream.stats, in_time=True)
    old = stream.matting
    raised = []

    def hang():
        try:
            old.matte(Frame(np.zeros((36, 64, 3), np.uint8), 0, 0.0))
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    assert state.entered.wait(PATIENCE)
    stream.matting = old.abandoned("has returned nothing for 10 s")
    assert "has returned nothing for 10 s" in described(stream.stats)["room"]
    state.fault.clear()
    assert stream.frame() == "embedded"
    stream.until(lambda: stream.stats.engine == "room")
    state.fault["room"] = "raising"
    state.healed.set()
    thread.join(60)
    old.close()
    assert stream.stats.engine == "room"


def test_an_abandoned_thread_does_not_choose_another_engine(stream):
    state.fault["room"] = "raising"
    stream.matting = Matting(stream.live, stream.stats, in_time=True)
    old, stream.matting = stream.matting, stream.matting.abandoned("hangs")
    with pytest.raises(RuntimeError, match="bad weights"):
        old.matte(Frame(np.zeros((36, 64, 3), np.uint8), 0, 0.0))
    assert state.opened == ["room"]
    old.close()


def test_a_change_of_the_engine_settings_tries_it_at_once(stream):
    state.fault["room"] = "raising"
    assert stream.start() == "embedded"
    state.fault.clear()
    stream.live.update(engine__retries=1)
    assert stream.frame() == "room"
    assert stream.stats.given_up == {}


def test_a_change_that_is_refused_does_not_forget_it(stream):
    stream.pauses(0.01)
    state.fault["room"] = "raising"
    assert stream.start() == "embedded"
    state.fault.clear()
    stream.live.update(engine__name="nonsense")
    assert stream.frame() == "embedded"
    assert "room" in stream.stats.given_up
    stream.until(lambda: stream.stats.engine == "room")


def test_another_resolution_ends_an_attempt_and_begins_a_new_one(stream):
    stream.pauses(0.001)
    state.fault["room"] = "raising"
    stream.start()
    state.fault["room"] = "hanging"
    stream.until(state.entered.is_set)
    stream.size = (32, 18)
    assert stream.frame() == "embedded"
    state.fault.clear()
    state.healed.set()
    stream.until(lambda: stream.stats.engine == "room")
    assert stream.matting.engine.size == (32, 18)


def test_closing_ends_an_attempt(stream):
    stream.pauses(0.001)
    state.fault["room"] = "raising"
    stream.start()
    state.fault["room"] = "hanging"
    stream.until(state.entered.is_set)
    stream.matting.close()
    closed = state.closed.count("room")
    state.healed.set()
    until(lambda: state.closed.count("room") > closed)


def test_the_better_of_two_fallbacks_takes_over_too(stream):
    stream.pauses(0.01)
    state.fault.update(room="raising", embedded="raising")
    assert stream.start() == "grabcut"
    assert list(stream.stats.given_up) == ["room", "embedded"]
    state.fault.pop("embedded")
    stream.until(lambda: stream.stats.engine == "embedded")
    state.fault.clear()
    stream.until(lambda: stream.stats.engine == "room")
    assert stream.stats.given_up == {}


def test_files_are_converted_without_retries(stream, caplog):
    stream.pauses(0.0)
    state.fault["room"] = "raising"
    stream.matting = Matting(stream.live, stream.stats)
    stream.frame()
    state.fault.clear()
    assert [stream.frame() for _ in range(3)] == ["embedded"] * 3
    assert "engine room is given up" in caplog.text
    assert "tried again" not in caplog.text
