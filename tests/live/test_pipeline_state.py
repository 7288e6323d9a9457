"""What the pipeline says of itself, and how it passes things on, without any thread."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.waiting import until

from realtime_bg.frames import Composite, Frame
from realtime_bg.live import pipeline
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.live.slot import Slot
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats


class Source:
    size, fps, waiting, tried = (8, 4), 30.0, False, 0.0

    def close(self):
        pass


class Window:
    """Shows nothing, and types what it is told to."""

    def __init__(self):
        self.keys, self.clicks, self.open = "", [], True
        self.titles, self.sent = [], []

    def send(self, composite):
        self.sent.append(composite)

    def title(self, text):
        self.titles.append(text)

    def typed(self):
        return list(self.keys)

    def clicked(self):
        return self.clicks

    def is_open(self):
        return self.open


class Rig:
    def __init__(self, source=True, awake=None, **flags):
        flags = {"background.current": "red", "engine.name": "chroma"} | flags
        self.live, self.stats = Live(load(flags=flags)), Stats()
        self.source = Source() if source else None
        self.demand = None
        if awake is not None:
            self.demand = SimpleNamespace(awake=awake, update=self.update)
        self.watched = []
        self.pipeline = Pipeline(
            self.live,
            self.stats,
            SimpleNamespace(matting=SimpleNamespace(busy_since=None)),
            self.source,
            lambda _: None,
            demand=self.demand,
        )
        self.window = Window()
        self.pipeline.outlets.window = Slot()

    def update(self, watched):
        self.watched.append(watched)
        return self.demand.awake

    def show(self):
        return self.pipeline._show(self.window)


def frame(index):
    return Frame(np.zeros((4, 8, 3), np.uint8), index, 0.0)


def test_its_state_in_a_few_words():
    rig = Rig()
    assert rig.pipeline.state == "starting"
    until(lambda: rig.stats.tick() or rig.stats.fps)
    assert rig.pipeline.state == "running"
    rig.source.waiting = True
    assert rig.pipeline.state == "waiting for the camera"
    rig.pipeline.capture.problem = "it was unplugged"
    assert rig.pipeline.state == "waiting for the camera: it was unplugged"
    rig.pipeline.composing.holding = True
    assert rig.pipeline.state == "frozen"
    rig.live.update(paused=True)
    assert rig.pipeline.state == "paused"
    assert Rig(source=False).pipeline.state == "waiting for the camera"


@pytest.mark.parametrize(
    ("awake", "paused", "state", "resting"),
    [
        (None, False, "starting", False),
        (True, False, "starting", False),
        (False, False, "idle: no viewers", True),
        (False, True, "paused", True),
        (True, True, "paused", True),
        (None, True, "paused", True),
    ],
)
def test_it_rests_while_paused_or_without_a_viewer(awake, paused, state, resting):
    rig = Rig(awake=awake)
    rig.live.update(paused=paused)
    assert rig.pipeline.state == state
    assert rig.pipeline.asleep is (awake is False)
    assert rig.pipeline._resting() is resting


def test_whether_the_camera_is_open():
    assert Rig().pipeline.camera_open
    assert not Rig(source=False).pipeline.camera_open


def test_a_frame_goes_to_the_engine_and_with_the_least_latency_also_to_the_compositor():
    rig = Rig()
    rig.pipeline._hand_on(frame(1))
    assert rig.pipeline._frames.take(0).index == 1
    assert rig.pipeline._newest.take(0) is None
    rig.live.update(output__sync="lowest-latency")
    rig.pipeline._hand_on(frame(2))
    assert rig.pipeline._frames.take(0).index == 2
    assert rig.pipeline._newest.take(0).index == 2


def test_what_was_dropped_is_counted_before_and_after_the_engine():
    rig = Rig()
    for index in range(4):
        rig.pipeline._hand_on(frame(index))
    assert rig.stats.dropped == 3
    for index in range(3):
        rig.pipeline._items.put(frame(index))
    rig.pipeline._hand_on(frame(5))
    assert rig.stats.dropped == 3 + 1 + 2


def test_a_duration_and_a_stop_end_it():
    rig = Rig()
    assert not rig.pipeline._done(None)
    assert not rig.pipeline._done(time.monotonic() + 60)
    assert rig.pipeline._done(time.monotonic() - 1)
    rig.pipeline.stop()
    assert rig.pipeline._done(None)


@pytest.mark.parametrize(
    ("on_demand", "window", "expected"),
    [(True, True, True), (True, False, False), (False, False, True)],
)
def test_without_on_demand_there_is_always_a_viewer(on_demand, window, expected):
    rig = Rig(awake=True, **{"output.on_demand": on_demand})
    if not window:
        rig.pipeline.outlets.window = None
    rig.pipeline._supervise()
    assert rig.watched == [expected]


def test_the_watchdog_says_when_viewers_come_and_go(caplog):
    caplog.set_level("INFO")
    rig = Rig(awake=True)
    rig.pipeline._supervise()
    assert "viewer" not in caplog.text

    def change(watched):
        rig.demand.awake = not rig.demand.awake
        return rig.demand.awake

    rig.demand.update = change
    rig.pipeline._supervise()
    assert "no viewers: the camera is closed" in caplog.text
    rig.pipeline._supervise()
    assert "an output has a viewer" in caplog.text


def test_after_a_standstill_nothing_is_late():
    rig = Rig()
    rig.pipeline.composing.composed_at = 0.0
    rig.pipeline._supervise()
    assert rig.pipeline.composing.composed_at == 0.0
    rig.pipeline._standstill._last -= 60
    rig.pipeline._supervise()
    assert rig.pipeline.composing.composed_at > 0
    assert rig.pipeline.outlets.running_since == rig.pipeline._standstill.since


def test_the_window_shows_what_there_is_and_its_title_says_so():
    rig = Rig()
    assert rig.show()
    assert (rig.window.sent, rig.window.titles) == ([], [])
    picture = Composite(np.zeros((4, 8, 3), np.uint8), 3, 0.0)
    rig.pipeline.outlets.window.put(picture)
    assert rig.show()
    assert rig.window.sent == [picture]
    assert rig.window.titles == ["realtime-bg - 0 fps - red"]
    rig.stats.recording_since = 1.0
    rig.pipeline.outlets.window.put(picture)
    rig.show()
    assert rig.window.titles[-1] == "realtime-bg - 0 fps - red - REC"


def test_keys_and_clicks_are_obeyed_and_q_ends_it():
    rig = Rig()
    rig.window.keys, rig.window.clicks = "mc", [(0.25, 0.5)]
    assert rig.show()
    assert rig.live.now.output.mirror
    assert rig.live.now.view.split
    assert rig.live.now.engine.chroma.pick == (0.75, 0.5)
    rig.window.keys = "q"
    assert not rig.show()
    rig.window.keys, rig.window.open = "", False
    assert not rig.show()


def test_a_key_that_cannot_work_says_why(caplog):
    rig = Rig(**{"background.items": ("red", "/gone.jpg")})
    rig.window.keys = "b"
    assert rig.show()
    assert "/gone.jpg" in rig.stats.current_notice()
    assert "/gone.jpg" in caplog.text
    assert rig.live.now.background.current == "red"


@pytest.mark.parametrize("hangs", ["", "capture", "inference"])
def test_at_the_end_all_have_their_time_and_what_hangs_is_left_behind(monkeypatch, caplog, hangs):
    """Less than two seconds in total, most of it for outputs, which finish files."""
    rig, calls = Rig(), []
    monkeypatch.setattr(pipeline.time, "monotonic", lambda: 100.0)

    def join(name, deadline):
        calls.append((name, round(deadline, 3)))
        return name != hangs

    rig.pipeline._run.join = join
    rig.pipeline.outlets.close = lambda deadline: calls.append(("outputs", round(deadline, 3)))
    rig.window.close = lambda: calls.append(("window", 0))
    rig.pipeline._processor.close = lambda: calls.append(("processor", 0))
    rig.pipeline._join(rig.window)
    expected = [("compositor", 100.4), ("outputs", 101.4), ("window", 0)]
    expected += [("capture", 101.8), ("inference", 101.8)]
    # An engine that hangs is still used by its thread
    assert calls == expected + [("processor", 0)] * (hangs != "inference")
    told = [f"the {hangs} thread does not respond and is abandoned"] if hangs else []
    assert caplog.messages == told
