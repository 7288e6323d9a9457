"""The capture step by step, without a thread of its own and by a clock that is given: how a source
is opened, what it passes on, and how it ends."""

from types import SimpleNamespace

import numpy as np
import pytest

from realtime_bg.errors import SourceError
from realtime_bg.frames import Frame
from realtime_bg.live import capture as module
from realtime_bg.live.capture import Capture, CaptureThread
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.slot import Closed
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats


class Fake(Source):
    """Notes when it is closed; gives the frames it is told to."""

    def __init__(self, *frames, fps=30.0, waiting=False, tried=0.0, size=(4, 2)):
        self.size, self.fps, self.description = size, fps, "fake, 4x2"
        self.waiting, self.tried, self.frames, self.closes = waiting, tried, frames, 0

    def __iter__(self):
        for one in self.frames:
            if isinstance(one, Exception):
                raise one
            yield one

    def close(self):
        self.closes += 1


class Stopping:
    """The event that ends the run; notes how long it was waited for."""

    def __init__(self):
        self.given, self.waits = False, []

    def is_set(self):
        return self.given

    def set(self):
        self.given = True

    def wait(self, seconds):
        self.waits.append(seconds)
        return self.given


class Rig:
    def __init__(self, source=None, persistent=False, **flags):
        self.now, self.resting, self.frames, self.started = 100.0, False, [], []
        flags = {"source.spec": "demo"} | {
            key.replace("__", "."): value for key, value in flags.items()
        }
        self.live, self.stats, self.run = Live(load(flags=flags)), Stats(), Lifecycle()
        self.run.stopping = Stopping()
        self.run.start = lambda target, name: self.started.append(name)
        self.opens = []  # what the next attempts to open give
        self.capture = Capture(
            self.live,
            self.stats,
            self.run,
            source,
            self.open,
            self.frames.append,
            lambda: self.resting,
            persistent,
        )

    @property
    def thread(self):
        return self.capture._thread

    def open(self, settings):
        self.opening = self.thread.opening
        made = self.opens.pop(0)
        if isinstance(made, Exception):
            raise made
        return made

    def reopened(self):
        return self.capture._reopened(self.thread)


@pytest.fixture
def make(monkeypatch):
    def make(*arguments, **options):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: made[0].now))
        made = [SimpleNamespace(now=100.0)]
        made[0] = Rig(*arguments, **options)
        return made[0]

    return make


def frame(index=0, epoch=0, size=(4, 2)):
    return Frame(np.zeros((size[1], size[0], 3), np.uint8), index, 0.0, epoch)


# Opening


def test_an_open_source_that_is_wanted_is_not_opened_again(make):
    rig = make(Fake())
    assert rig.reopened() is True


def test_a_source_is_opened_as_the_settings_say(make, caplog):
    caplog.set_level("INFO")
    old, new = Fake(), Fake()
    rig = make(old)
    rig.live.update(source__spec="camera:3")
    rig.opens, rig.now = [new], 104.0
    assert rig.reopened() is True
    assert rig.opening is True
    assert rig.thread.opening is False
    assert (old.closes, new.closes) == (1, 0)
    assert rig.capture.source is new
    assert rig.capture.source_settings.spec == "camera:3"
    assert rig.thread.active_at == 104.0
    assert rig.live.now.resets == 1
    assert rig.live.wait_for_answer("source.spec", 0) == ""
    assert [(one.levelname, one.message) for one in caplog.records] == [("INFO", "fake, 4x2")]


def test_a_source_that_cannot_be_opened_is_waited_for_with_growing_pauses(make, caplog):
    rig = make()
    rig.opens = [SourceError("it is busy")] * 2 + [SourceError("it is gone")] * 3
    assert [rig.reopened() for _ in range(5)] == [False] * 5
    assert rig.run.stopping.waits == [1.0, 1.0, 2.0, 5.0, 5.0]
    assert caplog.messages == ["it is busy", "it is gone"]  # once per reason
    assert rig.capture.problem == "it is gone"
    assert rig.stats.current_notice() == "it is gone"
    assert not rig.thread.opening
    assert rig.live.now.resets == 0


def test_a_bad_change_keeps_the_open_source_and_is_taken_back(make):
    old = Fake()
    rig = make(old)
    rig.live.update(source__spec="camera:3", source__fps=15.0)
    rig.opens = [SourceError("no such camera")]
    assert rig.reopened() is True
    assert rig.capture.source is old
    assert old.closes == 0
    assert rig.live.now.source.spec == "demo"
    assert rig.live.now.source.fps is None
    assert rig.live.refusals["source.spec"] == "no such camera"
    assert rig.run.stopping.waits == []


def test_what_is_not_foreseen_is_not_hidden_while_opening(make):
    rig = make()
    rig.opens = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        rig.reopened()
    assert not rig.thread.opening


def test_a_source_that_opens_after_the_end_is_closed(make):
    rig, source = make(), Fake()
    rig.opens = [source]
    rig.run.stopping.given = True
    assert rig.reopened() is False
    assert source.closes == 1
    assert rig.capture.source is None


@pytest.mark.parametrize("opened", [True, False])
def test_an_abandoned_thread_keeps_nothing_that_it_opens(make, opened):
    rig = make()
    rig.opens = [Fake() if opened else SourceError("late")]
    source = rig.opens[0]
    with pytest.raises(Closed):
        rig.capture._reopened(CaptureThread())
    assert rig.capture.source is None
    assert rig.capture.problem == ""
    assert rig.run.stopping.waits == []
    if opened:
        assert source.closes == 1


# Passing frames on


def pump(rig, thread=None):
    rig.capture._pump_on(thread or rig.thread)


def test_frames_are_passed_on_with_an_epoch_of_their_own_for_each_source(make):
    rig = make(Fake(frame(0), frame(1, epoch=2)))
    rig.now, rig.capture._interrupted = 103.0, True
    pump(rig)
    rig.opens = [Fake(frame(0), frame(1, epoch=1, size=(8, 6)))]
    rig.capture.problem = "gone"
    assert rig.reopened()
    pump(rig)
    assert [one.epoch for one in rig.frames] == [0, 2, 3, 4]
    assert [one.index for one in rig.frames] == [0, 1, 0, 1]
    assert rig.capture.size == (8, 6)
    assert rig.capture.problem == ""
    assert rig.thread.active_at == rig.capture._last_frame_at == 103.0
    assert len(rig.stats.milliseconds("capture")) == 6  # including the two ends


@pytest.mark.parametrize("why", ["resting", "another", "stopping"])
def test_nothing_is_passed_on_from_a_source_that_is_not_wanted(make, why):
    rig = make(Fake(frame(0), frame(1)))
    if why == "resting":
        rig.resting = True
    elif why == "another":
        rig.live.update(source__spec="camera:3")
    else:
        rig.run.stopping.given = True
    pump(rig)
    assert rig.frames == []
    assert not rig.run.finished.is_set()


def test_a_source_that_ends_shows_its_last_picture_for_a_moment(make):
    rig = make(Fake(frame(0)))
    pump(rig)
    assert rig.run.finished.is_set()
    assert rig.run.stopping.waits == [0.5]
    assert rig.run.stopping.given


@pytest.mark.parametrize(
    ("persistent", "interrupted", "waits"),
    [(True, False, [1.0]), (True, True, []), (False, True, [])],
)
def test_a_source_that_is_to_go_on_is_released_when_it_ends(make, persistent, interrupted, waits):
    source = Fake()
    rig = make(source, persistent=persistent)
    rig.capture._interrupted = interrupted
    pump(rig)
    assert source.closes == 1
    assert rig.capture.source is None
    assert not rig.capture._interrupted
    assert rig.run.stopping.waits == waits
    assert not rig.run.finished.is_set()
    assert not rig.run.stopping.given


def test_a_failure_ends_a_run_that_is_not_persistent(make):
    rig = make(Fake(frame(0), SourceError("it broke")))
    with pytest.raises(SourceError, match="it broke"):
        pump(rig)
    assert len(rig.frames) == 1


@pytest.mark.parametrize(
    ("error", "text"),
    [(SourceError("it broke"), "it broke"), (ValueError("bad JPEG"), "ValueError('bad JPEG')")],
)
def test_a_failure_of_a_persistent_run_is_told_and_followed_by_a_pause(make, caplog, error, text):
    source = Fake(frame(0), error)
    rig = make(source, persistent=True)
    pump(rig)
    assert rig.capture.problem == text
    assert rig.stats.current_notice() == text
    assert caplog.messages == [text]
    assert source.closes == 1
    assert rig.capture.source is None
    assert rig.run.stopping.waits == [1.0]


@pytest.mark.parametrize("persistent", [False, True])
def test_an_abandoned_thread_hands_nothing_on_and_blames_nobody(make, persistent):
    other = CaptureThread()
    source = Fake(frame(0))
    rig = make(source, persistent=persistent)
    with pytest.raises(Closed):
        pump(rig, other)
    assert rig.frames == []
    assert source.closes == 1
    rig = make(Fake(SourceError("late")), persistent=persistent)
    with pytest.raises(Closed):
        pump(rig, other)
    assert rig.capture.problem == ""
    assert rig.run.stopping.waits == []


# The loop


def test_while_it_rests_the_source_is_closed_and_looked_for_twenty_times_a_second(make):
    source = Fake(frame(0))
    rig = make(source)
    rig.resting, rig.thread.interrupted_at = True, 50.0
    waits = []

    def wait(seconds):
        waits.append(seconds)
        rig.run.stopping.given = len(waits) == 3

    rig.run.stopping.wait = wait
    rig.now = 109.0
    rig.capture._capture(rig.thread)
    assert waits == [0.05] * 3
    assert source.closes == 1
    assert rig.frames == []
    assert rig.capture.source is None
    assert (rig.thread.active_at, rig.thread.interrupted_at) == (109.0, None)


def test_when_the_loop_ends_its_source_is_released_unless_another_thread_has_it(make):
    source = Fake()
    rig = make(source)
    rig.run.stopping.given = True
    rig.capture._capture(CaptureThread())
    assert (source.closes, rig.capture.source) == (0, source)
    rig.capture._capture(rig.thread)
    assert (source.closes, rig.capture.source) == (1, None)


def test_an_abandoned_loop_ends(make):
    rig = make(Fake(frame(0)))
    rig.capture._capture(CaptureThread())
    assert rig.frames == []


def test_starting_makes_the_earlier_thread_an_abandoned_one(make):
    rig = make(Fake())
    first = rig.thread
    rig.capture.start()
    assert rig.thread is not first
    assert rig.started == ["capture"]
    assert (rig.thread.opening, rig.thread.interrupted_at) == (False, None)
