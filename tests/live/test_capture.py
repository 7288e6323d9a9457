"""The capture thread by itself: it opens, hands on, reopens, rests, and is watched over."""

import threading
import time

import numpy as np
import pytest
from helpers.daemons import until

from realtime_bg.errors import SourceError
from realtime_bg.frames import Frame
from realtime_bg.live import capture as module
from realtime_bg.live.capture import Capture
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats


class Scripted(Source):
    """Gives ``count`` frames, then ends, hangs or fails, as it was told."""

    size, fps, description = (4, 2), 100.0, "scripted, 4x2"

    def __init__(self, count=3, then="end"):
        self.count, self.then, self.closed = count, then, threading.Event()

    def __iter__(self):
        for index in range(self.count):
            yield Frame(np.zeros((2, 4, 3), np.uint8), index, time.monotonic())
        if self.then == "fail":
            raise SourceError("it broke")
        if self.then == "hang":
            self.closed.wait(10)

    def close(self):
        self.closed.set()


class Rig:
    """A capture with its surroundings; ``sources`` are opened one after the other."""

    def __init__(self, *sources, persistent=False, first=None):
        self.live = Live(load(flags={"source.spec": "demo"}))
        self.run, self.frames, self.resting = Lifecycle(), [], False
        self.waiting = list(sources)
        self.opened = []
        self.capture = Capture(
            self.live,
            Stats(),
            self.run,
            first,
            self.open,
            self.frames.append,
            lambda: self.resting,
            persistent,
        )

    def open(self, settings):
        source = self.waiting.pop(0)
        self.opened.append(settings.spec)
        if isinstance(source, Exception):
            raise source
        return source

    def stop(self):
        self.run.stop()
        assert self.run.join("capture", time.monotonic() + 60)


@pytest.fixture
def rig(monkeypatch):
    monkeypatch.setattr(module, "REOPEN_PAUSES", (0.01,))
    made = []

    def make(*sources, **options):
        made.append(Rig(*sources, **options))
        made[-1].capture.start()
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_frames_are_handed_on_until_the_source_ends_and_then_the_run(rig):
    source = Scripted()
    used = rig(first=source)
    until(used.run.stopping.is_set)
    assert [frame.index for frame in used.frames] == [0, 1, 2]
    assert used.run.finished.is_set()
    assert source.closed.is_set()
    assert used.run.error is None


def test_a_source_that_fails_ends_the_run_unless_it_is_persistent(rig):
    used = rig(first=Scripted(1, "fail"))
    until(used.run.stopping.is_set)
    assert "it broke" in str(used.run.error)
    used = rig(
        Scripted(1, "fail"),
        SourceError("busy"),
        SourceError("busy"),
        Scripted(2, "hang"),
        persistent=True,
    )
    until(lambda: len(used.frames) == 3)
    assert len(used.opened) == 4
    assert used.capture.problem == ""
    assert [frame.epoch for frame in used.frames] == [0, 1, 1]


def test_a_change_of_the_source_opens_it_and_a_bad_one_keeps_the_old(rig):
    old = Scripted(10**6)
    used = rig(SourceError("no such camera"), Scripted(1, "hang"), first=old)
    until(lambda: used.frames)
    used.live.update(source__spec="camera:7")
    until(lambda: used.live.now.source.spec == "demo")
    assert used.live.refusals == {"source.spec": "no such camera"}
    assert not old.closed.is_set()
    used.live.update(source__spec="camera:8")
    until(old.closed.is_set)
    assert used.live.wait_for_answer("source.spec", 5) == ""
    assert used.capture.source_settings.spec == "camera:8"


def test_while_it_rests_the_source_is_closed(rig):
    first = Scripted(10**6)
    used = rig(Scripted(1, "hang"), first=first)
    until(lambda: used.frames)
    used.resting = True
    until(lambda: used.capture.source is None)
    assert first.closed.is_set()
    count = len(used.frames)
    used.resting = False
    until(lambda: len(used.frames) > count)
    assert used.frames[-1].epoch == 1  # another source: history is void


def test_a_source_that_stalls_is_interrupted_and_opened_again(rig, monkeypatch):
    monkeypatch.setattr(module.CaptureThread, "patience", lambda *_: 0.1)
    stalled = Scripted(1, "hang")
    used = rig(Scripted(1, "hang"), first=stalled)

    def supervised():
        used.capture.supervise()
        return len(used.frames) >= 2

    until(supervised)
    assert stalled.closed.is_set()
    assert used.capture.abandoned_threads == 0


def test_a_thread_that_hangs_in_its_driver_is_left_behind(rig, monkeypatch):
    monkeypatch.setattr(module.CaptureThread, "patience", lambda *_: 0.1)
    monkeypatch.setattr(module, "STALLED", 0.1)
    deaf = Scripted(1, "hang")
    deaf.close = lambda: None  # its driver does not even hear that it is to end
    used = rig(Scripted(10**6), first=deaf)

    def supervised():
        used.capture.supervise()
        return used.capture.abandoned_threads

    until(supervised)
    until(lambda: len(used.frames) > 1)
    deaf.closed.set()  # it comes back late, and hands nothing on


def test_what_was_opened_is_told_to_all(rig):
    used = rig(Scripted(1, "hang"), first=Scripted(10**6))
    until(lambda: used.frames)
    before = used.live.now.resets
    used.live.update(source__spec="camera:3")
    until(lambda: used.live.now.resets > before)
    assert used.live.now.resets == before + 1  # history of the old source is void
    assert used.capture.size == (4, 2)


def test_a_bad_source_is_not_tried_again_and_again_while_the_old_one_runs(rig):
    used = rig(SourceError("no such camera"), first=Scripted(10**6))
    until(lambda: used.frames)
    used.live.update(source__spec="camera:7")
    until(lambda: used.live.now.source.spec == "demo")
    count = len(used.frames)
    until(lambda: len(used.frames) > count + 50)
    assert used.opened == ["camera:7"]
    assert used.capture.problem == ""  # frames arrive


def test_a_source_that_is_asked_to_reopen_is_opened_without_a_pause(rig, monkeypatch):
    monkeypatch.setattr(module, "REOPEN_PAUSES", (60.0,))
    used = rig(Scripted(1, "hang"), first=Scripted(1, "hang"))
    until(lambda: len(used.frames) == 1)
    used.capture.reopen()
    until(lambda: len(used.frames) == 2)
    assert not used.run.stopping.is_set()
    assert not used.capture._interrupted


def test_a_persistent_run_opens_a_source_that_ended(rig):
    used = rig(Scripted(2), Scripted(1, "hang"), persistent=True, first=Scripted(1))
    until(lambda: len(used.frames) == 4)
    assert [frame.epoch for frame in used.frames] == [0, 1, 1, 2]
    assert not used.run.finished.is_set()


def test_a_source_that_cannot_be_opened_at_all_is_tried_again(rig):
    used = rig(SourceError("busy"), SourceError("busy"), Scripted(1, "hang"))
    until(lambda: used.frames)
    assert used.opened == ["demo"] * 3
    assert used.run.error is None


class Deaf(Scripted):
    """Hangs in its driver until it is released, and then fails or goes on."""

    def __init__(self, then):
        super().__init__(1, then)
        self.release, self.closes = threading.Event(), 0

    def __iter__(self):
        yield Frame(np.zeros((2, 4, 3), np.uint8), 0, time.monotonic())
        self.release.wait(10)
        if self.then == "fail":
            raise SourceError("the driver has crashed")
        yield Frame(np.zeros((2, 4, 3), np.uint8), 99, time.monotonic())

    def close(self):
        self.closes += 1


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("then", ["fail", "go on"])
def test_an_abandoned_thread_that_comes_back_disturbs_nobody(rig, monkeypatch, then, persistent):
    monkeypatch.setattr(module.CaptureThread, "patience", lambda *_: 0.05)
    monkeypatch.setattr(module, "STALLED", 0.05)
    deaf, later = Deaf(then), Scripted(1, "hang")
    used = rig(later, first=deaf, persistent=persistent)
    until(lambda: used.frames)
    old = used.run._threads["capture"]

    def supervised():
        used.capture.supervise()
        return used.capture.abandoned_threads

    until(supervised)
    until(lambda: len(used.frames) == 2)
    closes = deaf.closes
    deaf.release.set()
    old.join(60)
    assert not old.is_alive()
    assert used.run.error is None
    assert used.capture.source is later
    assert not later.closed.is_set()
    assert used.capture.problem == ""
    assert [frame.index for frame in used.frames] == [0, 0]
    if then == "go on":
        assert deaf.closes > closes  # its device is released at last


def test_pauses_begin_anew_after_every_frame(rig, monkeypatch):
    monkeypatch.setattr(module, "REOPEN_PAUSES", (0.01, 60.0))
    failing = [Scripted(1, "fail") for _ in range(3)]
    used = rig(*failing, Scripted(1, "hang"), persistent=True, first=Scripted(1, "fail"))
    until(lambda: len(used.frames) == 5)
