"""The main thread of a run: what it starts, how often it looks, and how it ends."""

from types import SimpleNamespace

import pytest

from realtime_bg.live import pipeline as module
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.live.slot import Slot
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats


class Rig:
    """A pipeline whose parts only note that they are called, by a clock that is given."""

    def __init__(self, awake=None):
        self.now, self.calls, self.waits, self.shown = 100.0, [], [], []
        self.demand = None if awake is None else SimpleNamespace(awake=awake)
        source = SimpleNamespace(size=(8, 4), fps=30.0, waiting=False, close=lambda: None)
        made = self.pipeline = Pipeline(
            Live(load(flags={"background.current": "red"})),
            Stats(),
            SimpleNamespace(matting=SimpleNamespace(busy_since=None)),
            source,
            lambda _: None,
            demand=self.demand,
        )
        made.capture.start = lambda: self.calls.append("capture")
        made._inference.start = lambda warm_up: self.calls.append(("inference", warm_up))
        made.composing.start = lambda: self.calls.append("compositor")
        made._supervise = lambda: self.calls.append("watchdog")
        made._join = lambda window: self.calls.append(("join", window))
        made._show = self.show
        made._run.stopping.wait = self.wait

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def show(self, window):
        self.now += 0.03
        return self.shown.pop(0)


@pytest.fixture
def make(monkeypatch):
    def make(**options):
        rig = Rig(**options)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: rig.now))
        return rig

    return make


STARTED = ["capture", ("inference", None), "compositor"]


def test_it_runs_for_a_duration_and_is_watched_ten_times_a_second(make):
    rig, ticks = make(), []
    rig.pipeline.run(duration=0.45, tick=lambda: ticks.append(rig.now))
    assert rig.calls == [*STARTED, *["watchdog"] * 5, ("join", None)]
    assert rig.waits == [0.1] * 5
    assert ticks == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])
    assert rig.pipeline._run.stopping.is_set()
    assert rig.pipeline.outlets.window is None


def test_it_runs_until_it_is_stopped(make):
    rig = make()

    def tick():
        if rig.calls.count("watchdog") == 3:
            rig.pipeline.stop()

    rig.pipeline.run(tick=tick)
    assert rig.calls == [*STARTED, *["watchdog"] * 3, ("join", None)]


def test_with_a_window_it_runs_until_the_user_closes_it(make):
    rig, window = make(), object()
    rig.shown = [True, True, False]
    rig.pipeline.run(window)
    assert rig.calls == [*STARTED, *["watchdog"] * 3, ("join", window)]
    assert rig.waits == []  # showing waits for the next picture
    assert isinstance(rig.pipeline.outlets.window, Slot)
    assert rig.pipeline._run.stopping.is_set()


@pytest.mark.parametrize(("awake", "warm_up"), [(None, None), (True, None), (False, (8, 4))])
def test_the_engine_is_loaded_in_advance_where_no_viewer_waits(make, awake, warm_up):
    rig = make(awake=awake)
    rig.pipeline.run(duration=0.0)
    assert rig.calls == ["capture", ("inference", warm_up), "compositor", ("join", None)]


def test_the_error_of_a_thread_is_raised_at_the_end(make):
    rig = make()
    with pytest.raises(OSError, match="gone"):
        rig.pipeline.run(tick=lambda: rig.pipeline.stop(OSError("gone")))
    assert rig.calls[-1] == ("join", None)


def test_an_error_of_the_main_thread_ends_everything_as_well(make):
    rig = make()
    with pytest.raises(ZeroDivisionError):
        rig.pipeline.run(tick=lambda: 1 / 0)
    assert rig.calls[-1] == ("join", None)
    assert rig.pipeline._run.stopping.is_set()


def test_its_times_are_these():
    assert (module.STOP_SECONDS, module.SINK_SECONDS) == (1.8, 1.4)
    assert (module.WATCH_PERIOD, module.PREVIEW_SECONDS) == (0.1, 0.03)


def test_the_end_of_the_run_wakes_all_who_wait():
    rig = Rig()
    rig.pipeline.stop()
    for slot in (rig.pipeline._frames, rig.pipeline._items, rig.pipeline._newest):
        assert slot._closed
