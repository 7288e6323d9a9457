"""One run ends once, with its first error, and wakes whoever waits."""

import threading
import time
from types import SimpleNamespace

import pytest

from realtime_bg.errors import SinkError
from realtime_bg.live import lifecycle as module
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.slot import Closed, Slot


def join(run, name):
    return run.join(name, time.monotonic() + 60)


def test_stopping_wakes_those_who_wait_and_the_first_error_wins():
    run, slot = Lifecycle(), Slot()
    run.at_stop(slot.close)
    run.start(slot.take, "waiting")
    assert not run.join("waiting", time.monotonic() + 0.05)
    first = ValueError("first")
    run.stop(first)
    run.stop(ValueError("second"))
    run.stop()
    assert join(run, "waiting")
    assert run.stopping.is_set()
    assert run.error is first


def test_what_a_thread_raises_ends_the_run():
    run, error = Lifecycle(), OSError("gone")

    def fail():
        raise error

    run.start(fail, "failing")
    assert join(run, "failing")
    assert run.stopping.is_set()
    assert run.error is error


@pytest.mark.parametrize(("error", "traced"), [(OSError("gone"), True), (SinkError("full"), False)])
def test_only_what_nobody_foresaw_is_traced(caplog, error, traced):
    caplog.set_level("DEBUG")
    run = Lifecycle()

    def fail():
        raise error

    run.start(fail, "failing")
    assert join(run, "failing")
    assert ("in failing" in caplog.messages) is traced


def test_a_closed_slot_is_no_error():
    run = Lifecycle()

    def closed():
        raise Closed

    run.start(closed, "closed")
    assert join(run, "closed")
    assert run.error is None
    assert not run.stopping.is_set()


def test_a_second_thread_of_a_name_takes_the_place_of_the_first():
    run, release = Lifecycle(), threading.Event()
    run.start(release.wait, "capture")
    run.start(lambda: None, "capture")
    assert join(run, "capture")
    release.set()


def test_a_thread_that_was_never_started_cannot_be_joined():
    with pytest.raises(KeyError):
        join(Lifecycle(), "nobody")


def test_a_deadline_that_has_passed_is_not_waited_for(monkeypatch):
    run, waits = Lifecycle(), []
    thread = SimpleNamespace(join=waits.append, is_alive=lambda: True)
    monkeypatch.setitem(run._threads, "capture", thread)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 100.0))
    for deadline in (90.0, 100.0, 101.5):
        assert run.join("capture", deadline) is False
    assert waits == [0.0, 0.0, 1.5]


def test_all_that_wait_are_woken_in_order_each_time_it_is_stopped():
    run, woken = Lifecycle(), []
    run.at_stop(lambda: woken.append("frames"), lambda: woken.append("items"))
    run.at_stop(lambda: woken.append("source"))
    run.stop()
    run.stop()
    assert woken == ["frames", "items", "source"] * 2
    assert run.error is None
    assert not run.finished.is_set()
