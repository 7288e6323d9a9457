"""The capture step by step, without a thread of its own and by a clock that is given: how long a
source may be silent, and what the watchdog then does."""

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

SECRET = "rtsp://me:secret@camera/stream"


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


def test_the_times_are_these():
    assert (module.STALLED, module.OPENING, module.MAX_ABANDONED_THREADS) == (2.0, 15.0, 10)
    assert module.REOPEN_PAUSES == (1.0, 1.0, 2.0, 5.0)
    assert (module.RESTING_PERIOD, module.LAST_PICTURE_SECONDS) == (0.05, 0.5)


@pytest.mark.parametrize(
    ("source", "flags", "size", "fps"),
    [
        (Fake(fps=12.0), {"source__size": "640x480", "source__fps": 5.0}, (4, 2), 12.0),
        (None, {"source__size": "640x480", "source__fps": 5.0}, (640, 480), 5.0),
        (None, {}, (1280, 720), 30.0),
    ],
)
def test_before_the_first_frame_the_size_is_that_of_the_source_or_of_the_settings(
    make, source, flags, size, fps
):
    capture = make(source, **flags).capture
    assert (capture.size, capture.fps) == (size, fps)
    assert capture.source is source
    assert (capture.problem, capture.abandoned_threads) == ("", 0)


# Patience


@pytest.mark.parametrize(
    ("source", "opening", "stall", "expected"),
    [
        (None, False, 5.0, 5.0),
        (None, True, 5.0, 15.0),
        (None, True, 20.0, 20.0),
        (Fake(fps=30.0), False, 5.0, 5.0),
        (Fake(fps=0.25), False, 5.0, 12.0),  # three intervals
        (Fake(fps=0.1), True, 5.0, 30.0),
        (Fake(waiting=True), False, 5.0, 15.0),
        (Fake(waiting=True), False, 20.0, 20.0),
    ],
)
def test_how_long_a_source_may_be_silent(source, opening, stall, expected):
    thread = CaptureThread()
    thread.opening = opening
    assert thread.patience(source, stall) == expected


@pytest.mark.parametrize(("waiting", "expected"), [(True, 130.0), (False, 100.0)])
def test_an_attempt_of_a_waiting_source_is_progress(waiting, expected):
    thread = CaptureThread()
    thread.active_at = 100.0
    thread.patience(Fake(waiting=waiting, tried=130.0), 5.0)
    assert thread.active_at == expected
    thread.patience(Fake(waiting=waiting, tried=90.0), 5.0)
    assert thread.active_at == expected  # it never goes back


# The watchdog


def test_a_silent_source_is_interrupted_after_its_time_and_no_sooner(make, caplog):
    source = Fake()
    rig = make(source, source__spec=SECRET, source__stall=5.0)
    rig.now = 104.99
    rig.capture.supervise()
    assert source.closes == 0
    rig.now = 105.0
    rig.capture.supervise()
    assert source.closes == 1
    assert rig.capture.problem == "it sends no frames"
    assert rig.stats.current_notice() == "the camera has stalled"
    (text,) = caplog.messages
    assert text.endswith("has sent no frames for 5 s; reopening it")
    assert "secret" not in text
    assert rig.thread.interrupted_at == 105.0
    rig.now = 107.0
    rig.capture.supervise()  # it has two seconds to end
    assert (source.closes, rig.started) == (2, []) or source.closes == 1
    assert rig.capture.abandoned_threads == 0
    rig.now = 107.01
    rig.capture.supervise()
    assert rig.capture.abandoned_threads == 1
    assert rig.started == ["capture"]
    assert rig.capture.source is None
    assert not rig.capture._interrupted
    assert caplog.messages[-1].endswith("hangs in its driver and is abandoned")
    assert "secret" not in caplog.text


def test_only_the_time_since_the_process_runs_counts(make):
    source = Fake()
    rig = make(source, source__stall=5.0)
    rig.now = 200.0
    rig.capture.supervise(running_since=196.0)
    assert source.closes == 0
    rig.capture.supervise(running_since=195.0)
    assert source.closes == 1
    rig.now = 300.0
    rig.capture.supervise(running_since=299.0)
    assert rig.capture.abandoned_threads == 0
    rig.capture.supervise(running_since=294.0)
    assert rig.capture.abandoned_threads == 1


@pytest.mark.parametrize("why", ["resting", "finished"])
def test_a_source_that_need_not_send_is_left_alone_and_has_its_time_later(make, why):
    source = Fake()
    rig = make(source, source__stall=5.0)
    rig.resting = why == "resting"
    if why == "finished":
        rig.run.finished.set()
    rig.now, rig.capture._last_frame_at = 500.0, 499.0
    rig.capture.supervise()
    assert source.closes == 0
    assert rig.thread.active_at == 500.0
    assert rig.capture.problem == ""


@pytest.mark.parametrize("why", ["resting", "another"])
@pytest.mark.parametrize(("silent", "closed"), [(2.0, 0), (2.01, 1)])
def test_a_silent_source_that_is_no_longer_wanted_is_interrupted_soon(make, why, silent, closed):
    source = Fake()
    rig = make(source)
    if why == "resting":
        rig.resting = True
    else:
        rig.live.update(source__spec="camera:3")
    rig.now = 100.0 + silent
    rig.capture.supervise()
    assert source.closes == closed
    assert rig.capture._interrupted is bool(closed)


def test_a_wanted_source_that_is_silent_for_two_seconds_is_left_alone(make):
    source = Fake()
    rig = make(source)
    rig.now = 103.0
    rig.capture.supervise()
    assert source.closes == 0


def test_more_than_ten_threads_that_hang_end_the_run(make):
    rig = make(Fake(), source__spec=SECRET)
    for _ in range(10):
        rig.capture._abandon_thread()
    assert not rig.run.stopping.given
    assert len(rig.started) == 10
    rig.capture._abandon_thread()
    assert rig.run.stopping.given
    assert isinstance(rig.run.error, SourceError)
    assert str(rig.run.error).endswith("its driver hangs")
    assert "secret" not in str(rig.run.error)
    assert len(rig.started) == 10


def test_reopening_without_a_source_changes_nothing(make):
    rig = make()
    rig.capture.reopen()
    assert not rig.capture._interrupted


def test_the_end_of_the_run_closes_the_source(make):
    source = Fake()
    rig = make(source)
    rig.run.stop()
    assert source.closes == 1


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


def test_a_source_that_is_back_after_a_problem_is_told_louder(make, caplog):
    rig = make()
    rig.capture.problem = "it sends no frames"
    rig.opens = [Fake()]
    rig.reopened()
    assert [(one.levelname, one.message) for one in caplog.records] == [("WARNING", "fake, 4x2")]


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
