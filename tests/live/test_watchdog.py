"""The watchdog over the capture thread, with a clock that is given: stalls, hangs, standstills."""

from types import SimpleNamespace

import pytest

from realtime_bg.errors import SourceError
from realtime_bg.live import capture as module
from realtime_bg.live.capture import MAX_ABANDONED_THREADS, OPENING, STALLED, Capture, CaptureThread
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

STALL = 5.0  # seconds, `source.stall`


class Source:
    """As the watchdog sees it."""

    size, fps, waiting, tried = (640, 360), 30.0, False, 0.0

    def __init__(self):
        self.closed = 0

    def close(self):
        self.closed += 1


class Rig:
    """A capture whose thread is not started, and the time."""

    def __init__(self, monkeypatch, source=True, **flags):
        self.now, self.resting, self.started = 1000.0, False, []
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        spec = {"source.spec": "rtsp://me:secret@camera/1", "source.stall": STALL}
        self.live, self.stats, self.run = Live(load(flags=spec | flags)), Stats(), Lifecycle()
        self.source = Source() if source else None
        self.capture = Capture(
            self.live,
            self.stats,
            self.run,
            self.source,
            lambda _: None,
            lambda _: None,
            lambda: self.resting,
            False,
        )
        monkeypatch.setattr(self.run, "start", lambda target, name: self.started.append(name))

    def after(self, seconds, running_since=0.0):
        self.now += seconds
        self.capture.supervise(running_since)


@pytest.fixture
def rig(monkeypatch):
    return Rig(monkeypatch)


def test_a_silent_source_is_interrupted_after_its_time_and_once(rig, caplog):
    rig.after(STALL - 0.01)
    assert rig.source.closed == 0
    rig.after(0.02)
    assert rig.source.closed == 1
    assert rig.capture.problem == "it sends no frames"
    assert rig.stats.current_notice() == "the camera has stalled"
    assert "rtsp://me:***@camera/1 has sent no frames for 5 s; reopening it" in caplog.text
    assert "secret" not in caplog.text
    rig.after(STALLED - 0.1)
    assert rig.source.closed == 1
    assert rig.capture.abandoned_threads == 0


def test_the_limits_are_exact(rig):
    """At five seconds it is asked to end, and after two more it is left behind."""
    rig.after(STALL)
    assert rig.source.closed == 1
    rig.after(STALLED)
    assert rig.capture.abandoned_threads == 0
    rig.after(0.001)
    assert rig.capture.abandoned_threads == 1


def test_a_source_that_is_not_wanted_may_be_silent_for_two_seconds(rig):
    rig.resting = True
    rig.after(STALLED)
    assert rig.source.closed == 0
    rig.after(0.001)
    assert rig.source.closed == 1


def test_one_that_does_not_end_is_abandoned_with_its_thread(rig, caplog):
    rig.after(STALL + 0.01)
    rig.after(STALLED)
    assert rig.started == []
    rig.after(0.01)
    assert rig.started == ["capture"]
    assert rig.capture.abandoned_threads == 1
    assert rig.capture.source is None
    assert "rtsp://me:***@camera/1 hangs in its driver and is abandoned" in caplog.text
    assert "secret" not in caplog.text
    rig.after(0.1)  # the new thread has its own time
    assert rig.started == ["capture"]


def test_too_many_hanging_threads_end_the_run(rig):
    for number in range(MAX_ABANDONED_THREADS):
        rig.capture._abandon_thread()
        assert len(rig.started) == number + 1
    assert rig.run.error is None
    rig.capture._abandon_thread()
    assert len(rig.started) == MAX_ABANDONED_THREADS
    assert isinstance(rig.run.error, SourceError)
    assert str(rig.run.error) == "rtsp://me:***@camera/1: its driver hangs"


def test_the_time_in_which_the_process_stood_still_does_not_count(rig):
    rig.after(60, running_since=1000.0 + 58)
    assert rig.source.closed == 0
    rig.after(3.01, running_since=1058.0)
    assert rig.source.closed == 1
    rig.after(60, running_since=1000.0 + 122)
    assert rig.capture.abandoned_threads == 0


@pytest.mark.parametrize("how", ["resting", "finished"])
def test_where_no_frames_are_expected_none_are_missed(rig, how):
    if how == "resting":
        rig.resting = True
        rig.capture.source = None  # it has been closed
    else:
        rig.run.finished.set()
    for _ in range(20):
        rig.after(1.0)
    assert (rig.source.closed, rig.started) == (0, [])
    rig.resting = False
    rig.run.finished.clear()
    rig.after(STALL - 0.01)  # it begins to count now
    assert rig.capture._thread.interrupted_at is None


@pytest.mark.parametrize("why", ["resting", "changed"])
def test_a_silent_source_that_is_no_longer_wanted_is_asked_to_end_soon(rig, why):
    if why == "resting":
        rig.resting = True
    else:
        rig.live.update(source__spec="demo")
    rig.after(STALLED - 0.01)
    assert rig.source.closed == 0
    rig.after(0.02)
    assert rig.source.closed == 1
    assert rig.capture._interrupted


def test_reopening_asks_the_source_to_end_and_there_may_be_none(monkeypatch):
    rig = Rig(monkeypatch)
    rig.capture.reopen()
    assert rig.source.closed == 1
    assert rig.capture._interrupted
    none = Rig(monkeypatch, source=False)
    none.capture.reopen()
    assert not none.capture._interrupted


def test_stopping_closes_the_source(rig):
    rig.run.stop()
    assert rig.source.closed == 1


# Patience


def source(fps=30.0, waiting=False, tried=0.0):
    return SimpleNamespace(fps=fps, waiting=waiting, tried=tried)


@pytest.mark.parametrize(
    ("given", "opening", "expected"),
    [
        (None, False, STALL),
        (None, True, OPENING),
        (source(), False, STALL),
        (source(fps=0.5), False, 6.0),  # three of its frames
        (source(fps=0.1), False, 30.0),
        (source(fps=0.1), True, 30.0),
        (source(), True, OPENING),
        (source(waiting=True), False, OPENING),
    ],
)
def test_how_long_a_thread_may_be_silent(given, opening, expected):
    thread = CaptureThread()
    thread.opening = opening
    assert thread.patience(given, STALL) == expected


def test_looking_for_a_device_that_vanished_is_progress():
    thread = CaptureThread()
    thread.active_at = 100.0
    thread.patience(source(waiting=False, tried=120.0), STALL)
    assert thread.active_at == 100.0
    thread.patience(source(waiting=True, tried=120.0), STALL)
    assert thread.active_at == 120.0
    thread.patience(source(waiting=True, tried=110.0), STALL)
    assert thread.active_at == 120.0


def test_the_size_before_there_is_a_source(monkeypatch):
    opened = Rig(monkeypatch).capture
    assert (opened.size, opened.fps) == ((640, 360), 30.0)
    unknown = Rig(monkeypatch, source=False).capture
    assert (unknown.size, unknown.fps) == ((1280, 720), 30.0)
    flags = {"source.size": "800x600", "source.fps": 15}
    wished = Rig(monkeypatch, source=False, **flags).capture
    assert (wished.size, wished.fps) == ((800, 600), 15)


def test_a_problem_is_logged_once_and_shown_each_time(rig, caplog):
    for error in (SourceError("busy"), SourceError("busy"), ValueError("odd")):
        rig.capture._complain(error)
    assert [record.message for record in caplog.records] == ["busy", "ValueError('odd')"]
    assert rig.capture.problem == "ValueError('odd')"
    assert rig.stats.current_notice() == "ValueError('odd')"


# The capture thread, step by step


class Given(Source):
    """A source that can be opened."""

    description = "given, 640x360"


@pytest.fixture
def waits(rig, monkeypatch):
    """(seconds, whether the source has ended, whether the run is stopping) of each wait."""
    found, run = [], rig.run
    monkeypatch.setattr(
        run.stopping,
        "wait",
        lambda seconds: found.append((seconds, run.finished.is_set(), run.stopping.is_set())),
    )
    return found


def test_pauses_between_attempts_grow_to_five_seconds(rig, waits):
    for _ in range(5):
        rig.capture._pause()
    assert [seconds for seconds, *_ in waits] == [1.0, 1.0, 2.0, 5.0, 5.0]


def test_after_a_failure_a_persistent_run_waits_before_it_opens_the_source_again(
    rig, waits, monkeypatch
):
    def fail(_):
        raise SourceError("it broke")

    monkeypatch.setattr(rig.capture, "_persistent", True)
    monkeypatch.setattr(rig.capture, "_pump", fail)
    rig.capture._pump_on(rig.capture._thread)
    assert (rig.source.closed, rig.capture.source) == (1, None)
    assert waits == [(1.0, False, False)]


def test_the_last_picture_of_a_source_that_ended_stays_for_half_a_second(rig, waits):
    rig.capture._finish()
    assert waits == [(0.5, True, False)]
    assert rig.run.stopping.is_set()


def test_a_source_is_known_to_be_opening_while_it_is_and_no_longer(rig, waits):
    capture, seen = rig.capture, []
    rig.live.update(source__spec="demo")

    def opener(_):
        seen.append(capture._thread.opening)
        if len(seen) < 3:
            raise SourceError("busy")
        return Given()

    capture.opener = opener
    assert capture._reopened(capture._thread)  # the one that is open stays
    assert not capture._thread.opening
    capture._release()
    assert not capture._reopened(capture._thread)
    assert not capture._thread.opening
    assert capture._reopened(capture._thread)
    assert not capture._thread.opening
    assert seen == [True] * 3
    assert [seconds for seconds, *_ in waits] == [1.0]


def test_a_source_that_opens_after_a_problem_is_told_loudly(rig, caplog):
    caplog.set_level("INFO")
    rig.capture.opener = lambda _: Given()
    for problem, level in (("", "INFO"), ("it was unplugged", "WARNING")):
        rig.capture._release()
        rig.capture.problem = problem
        assert rig.capture._reopened(rig.capture._thread)
        assert (caplog.records[-1].levelname, caplog.messages[-1]) == (level, "given, 640x360")


def test_a_source_that_opens_when_all_is_over_is_closed_again(rig):
    opened = Given()

    def opener(_):
        rig.run.stop()
        return opened

    rig.capture._release()
    rig.capture.opener = opener
    assert not rig.capture._reopened(rig.capture._thread)
    assert (opened.closed, rig.capture.source) == (1, None)


def test_how_patient_the_watchdog_is():
    assert (STALLED, OPENING, MAX_ABANDONED_THREADS) == (2.0, 15.0, 10)
