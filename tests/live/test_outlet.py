"""One output with its thread: it waits for the one before it, and says whether anybody looks."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.waiting import until

from realtime_bg.frames import Composite
from realtime_bg.live import outlet as module
from realtime_bg.live.outlet import Outlet
from realtime_bg.sinks.base import Sink


class Told(Sink):
    """Notes what it is sent."""

    def __init__(self, target, size, fps):
        super().__init__(target, size, fps)
        self.seen, self.closed = [], []

    def send(self, composite):
        self.seen.append(composite)

    def close(self, complete=True):
        self.closed.append(complete)


def composite():
    return Composite(np.zeros((4, 6, 3), np.uint8), 0, 0.0)


def test_an_outlet_waits_for_the_one_before_it():
    """Both are of one device, which can be opened once."""
    release, opened, failed = threading.Event(), [], []
    first = Outlet("a", lambda size, fps: Told("a", size, fps), 25.0, lambda *e: failed.append(e))
    first.slot.put(composite())
    until(lambda: first.worked)
    first.sink.close = lambda: release.wait(10)
    first.close()

    def opener(size, fps):
        opened.append(first.join(0))
        return Told("a", size, fps)

    second = Outlet("a", opener, 25.0, lambda *e: failed.append(e), after=first)
    second.slot.put(composite())
    assert not first.join(0.05)
    assert opened == []
    release.set()
    until(lambda: opened)
    assert opened == [True]
    assert first.join(60)
    assert not second.join(0)
    second.close()
    assert second.join(60)
    assert failed == []


def test_an_outlet_that_is_not_open_yet_has_no_viewer():
    outlet = Outlet("a", lambda size, fps: Told("a", size, fps), 25.0, lambda *_: None)
    assert outlet.has_viewers() is False
    assert outlet.worked is False
    outlet.slot.put(composite())
    until(lambda: outlet.worked)
    assert outlet.busy_since is None
    assert outlet.has_viewers() is True
    outlet.sink.has_viewers = lambda: 1 / 0  # it was closed in the meantime
    assert outlet.has_viewers() is True
    outlet.close()
    assert outlet.join(60)


def test_a_sink_that_fails_is_closed_as_incomplete_and_told():
    failed = []
    outlet = Outlet("a", lambda size, fps: Told("a", size, fps), 25.0, lambda *e: failed.append(e))
    outlet.slot.put(composite())
    until(lambda: outlet.worked)
    sink = outlet.sink
    assert (sink.size, sink.fps) == ((6, 4), 25.0)
    sink.send = lambda _: 1 / 0
    outlet.slot.put(composite())
    assert outlet.join(60)
    ((given, error),) = failed
    assert given is outlet
    assert isinstance(error, ZeroDivisionError)
    assert sink.closed == [False]


def test_a_sink_that_ends_is_complete():
    outlet = Outlet("a", lambda size, fps: Told("a", size, fps), 25.0, lambda *_: None)
    outlet.slot.put(composite())
    until(lambda: outlet.worked)
    outlet.close()
    assert outlet.join(60)
    assert outlet.sink.closed == [True]


def test_an_outlet_that_has_no_time_left_is_not_waited_for():
    outlet, waits = Outlet("a", lambda size, fps: None, 25.0, lambda *_: None), []
    thread, outlet._thread = (
        outlet._thread,
        SimpleNamespace(join=waits.append, is_alive=lambda: True),
    )
    for seconds in (-3.0, 0.0, 1.5):
        assert outlet.join(seconds) is False
    assert waits == [0.0, 0.0, 1.5]
    outlet.close()
    thread.join(60)
    assert not thread.is_alive()


def test_an_outlet_is_busy_only_while_its_sink_takes_a_picture(monkeypatch):
    release, seen = threading.Event(), []
    monkeypatch.setattr(Told, "send", lambda *_: seen.append(1) or release.wait(10))
    outlet = Outlet("a", lambda size, fps: Told("a", size, fps), 25.0, lambda *_: None)
    assert outlet.busy_since is None
    outlet.slot.put(composite())
    until(lambda: seen)
    assert outlet.busy_since is not None
    assert outlet.worked is False
    release.set()
    until(lambda: outlet.worked)
    assert outlet.busy_since is None
    outlet.close()
    assert outlet.join(60)


@pytest.mark.parametrize(("answer", "viewed"), [(None, True), (True, True), (False, False)])
def test_who_does_not_know_whether_anybody_looks_counts_as_watched(answer, viewed):
    outlet = Outlet("a", lambda size, fps: Told("a", size, fps), 25.0, lambda *_: None)
    outlet.sink = SimpleNamespace(has_viewers=lambda: answer)
    assert outlet.has_viewers() is viewed
    outlet.close()
    assert outlet.join(60)


def test_a_sink_that_cannot_be_opened_is_told_and_closed_by_nobody(caplog):
    failed = []
    outlet = Outlet("a", lambda size, fps: 1 / 0, 25.0, lambda *told: failed.append(told))
    outlet.slot.put(composite())
    assert outlet.join(60)
    ((given, error),) = failed
    assert given is outlet
    assert isinstance(error, ZeroDivisionError)
    assert outlet.sink is None
    assert not outlet.worked


def test_how_long_a_device_may_take_to_be_released():
    assert module.RELEASE_SECONDS == 5.0
