"""What becomes of an output that fails, case by case, without its thread."""

from types import SimpleNamespace

import numpy as np
import pytest

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite
from realtime_bg.live import outlets as module
from realtime_bg.live.outlets import Outlets
from realtime_bg.live.slot import Slot
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats
from realtime_bg.system import backoff

PICTURE = Composite(np.zeros((4, 6, 3), np.uint8), 0, 0.0)


class Fake:
    """Stands for an outlet; it is alive until a test ends it."""

    made: list["Fake"]

    def __init__(self, spec, opener=None, fps=0.0, failed=None, after=None):
        self.spec, self.opener, self.fps, self.failed, self.after = spec, opener, fps, failed, after
        self.slot, self.worked, self.busy_since = Slot(), False, None
        self.closed, self.ended, self.joined, self.viewers = 0, False, [], False
        Fake.made.append(self)

    def has_viewers(self):
        return self.viewers

    def close(self):
        self.closed += 1

    def join(self, seconds):
        self.joined.append(seconds)
        return self.ended


class Rig:
    def __init__(self, *sinks, camera=False, record=False, folder=None, **options):
        flags = {"output.sinks": sinks, "output.virtualcam": camera, "output.record": record}
        flags |= {} if folder is None else {"output.folder": str(folder)}
        self.live, self.stats, self.stops = Live(load(flags=flags)), Stats(), []
        self.outlets = Outlets(self.live, self.stats, 25.0, self.stops.append, **options)
        self.now = 100.0

    def send(self):
        self.outlets.send(PICTURE)

    def fail(self, spec, text="it is gone", worked=True):
        outlet = self.outlets._open[spec]
        outlet.worked = worked
        self.outlets._sink_failed(outlet, SinkError(text))
        return outlet

    def open(self):
        return sorted(self.outlets._open)


@pytest.fixture
def make(monkeypatch):
    monkeypatch.setattr(Fake, "made", [], raising=False)
    monkeypatch.setattr(module, "Outlet", Fake)

    def make(*sinks, **options):
        rig = Rig(*sinks, **options)
        for each in (module, backoff):
            monkeypatch.setattr(each, "time", SimpleNamespace(monotonic=lambda: rig.now))
        return rig

    return make


def test_a_virtual_camera_is_what_the_settings_call_so_and_no_additional_output(make):
    rig = make(extra={"virtualcam": lambda size, fps: None, "page": lambda size, fps: None})
    assert not rig.outlets._is_camera("virtualcam")
    assert not rig.outlets._is_camera("page")
    assert make().outlets._is_camera("virtualcam")
    assert not make().outlets._is_camera("null")
    assert not make().outlets._is_camera("talk.mp4")


def test_an_additional_output_of_that_name_is_not_waited_for(make):
    rig = make("null", extra={"virtualcam": lambda size, fps: None})
    rig.send()
    rig.fail("virtualcam")
    assert rig.outlets.problems == {}
    assert rig.stats.current_notice() == "it is gone"
    assert rig.live.now.output.sinks == ("null",)
    assert rig.stops == []


@pytest.mark.parametrize(
    ("busy", "since", "left"),
    [
        (None, 0.0, False),
        (90.0, 0.0, False),
        (89.9, 0.0, True),
        (50.0, 90.0, False),
        (50.0, 89.0, True),
    ],
)
def test_a_camera_may_be_busy_for_ten_seconds_of_running(make, busy, since, left):
    rig = make(camera=True, persistent=True)
    rig.send()
    (outlet,) = Fake.made
    outlet.busy_since, rig.outlets.running_since = busy, since
    rig.send()
    assert outlet.closed == left
    problem = {"virtualcam": "output virtualcam takes no pictures"}
    assert rig.outlets.problems == (problem if left else {})
    assert module.BLOCKED == 10.0


def test_another_output_may_be_busy_for_ever(make):
    rig = make("talk.mp4")
    rig.send()
    Fake.made[0].busy_since = 0.0
    rig.send()
    assert Fake.made[0].closed == 0


@pytest.mark.parametrize(
    ("persistent", "worked", "waited"),
    [(False, False, False), (True, False, True), (False, True, True), (True, True, True)],
)
def test_which_cameras_are_waited_for(make, persistent, worked, waited):
    rig = make(camera=True, persistent=persistent)
    rig.send()
    rig.fail("virtualcam", worked=worked)
    assert bool(rig.outlets.problems) is waited
    assert rig.live.now.output.virtualcam is waited
    assert rig.open() == []
    assert rig.stops == []


def test_a_camera_that_is_waited_for_may_fail_to_open_again_and_again(make, caplog):
    """With growing pauses, which begin anew once it has worked; each problem is told once."""
    rig = make(camera=True)
    rig.send()
    rig.fail("virtualcam")
    pauses = []
    for text, worked in (("busy", False), ("busy", False), ("gone", True), ("gone", False)):
        due = rig.outlets._retries["virtualcam"].due
        pauses.append(due - rig.now)
        rig.now = due - 0.01
        rig.send()
        assert rig.open() == []  # not before its time
        rig.now = due
        rig.send()
        assert rig.open() == ["virtualcam"]
        rig.fail("virtualcam", text, worked=worked)
    assert pauses == [0.5, 1.0, 2.0, 0.5]
    told = [text for text in caplog.messages if "waiting" in text]
    assert told == [f"{text}; waiting for it" for text in ("it is gone", "busy", "gone")]
    assert rig.stats.current_notice() == "gone; waiting for it"


def test_a_camera_that_works_again_is_told_and_forgotten(make, caplog):
    rig = make(camera=True)
    rig.send()
    rig.fail("virtualcam")
    rig.now += 1
    assert rig.outlets._due()
    rig.send()
    assert not rig.outlets._due()  # it is being opened
    assert rig.outlets.problems == {"virtualcam": "it is gone"}  # it has not worked yet
    assert "is back" not in caplog.text
    rig.outlets._open["virtualcam"].worked = True
    rig.send()
    assert rig.outlets.problems == {}
    assert caplog.messages[-1] == "output virtualcam is back"


@pytest.mark.parametrize(
    ("sinks", "window", "persistent", "stops"),
    [
        (("null",), False, False, True),
        (("null",), True, False, False),
        (("null",), False, True, False),
        (("null", "talk.mp4"), False, False, False),
    ],
)
def test_the_run_ends_with_the_last_output_that_was_listed(make, sinks, window, persistent, stops):
    rig = make(*sinks, persistent=persistent)
    rig.outlets.window = Slot() if window else None
    rig.send()
    rig.fail("null")
    assert [str(error) for error in rig.stops] == (["it is gone"] if stops else [])
    # Where it goes on, the output is taken from the list, so that it is not opened again
    assert rig.live.now.output.sinks == (sinks if stops else sinks[1:])
    assert rig.stats.current_notice() == ("" if stops else "it is gone")


def test_an_output_that_is_not_listed_does_not_end_the_run(make):
    rig = make(extra={"page": lambda size, fps: None})
    rig.send()
    rig.fail("page")
    assert rig.stops == []
    assert rig.stats.current_notice() == "it is gone"


def test_an_output_that_was_replaced_or_is_closing_changes_nothing(make):
    rig = make("null", camera=True, persistent=True)
    rig.send()
    for spec in ("null", "virtualcam"):
        rig.outlets._sink_failed(Fake(spec), SinkError("it is full"))
    assert rig.open() == ["null", "virtualcam"]
    assert rig.outlets.problems == {}
    assert rig.stops == []
    assert rig.live.now.output.sinks == ("null",)
    assert rig.live.now.output.virtualcam
    assert rig.stats.current_notice() == "it is full"


def test_the_last_output_that_was_replaced_does_not_end_the_run(make):
    rig = make("null")
    rig.outlets._sink_failed(Fake("null"), SinkError("it is full"))
    assert rig.stops == []
    assert rig.live.now.output.sinks == ("null",)
    assert rig.stats.current_notice() == "it is full"


def test_a_recording_that_fails_is_switched_off_and_nothing_else(make, tmp_path):
    rig = make("null", record=True, folder=tmp_path)
    rig.send()
    (file,) = (spec for spec in rig.open() if spec != "null")
    assert file.endswith(".mp4")
    rig.fail(file, "the disk is full")
    assert rig.live.now.output.record is False
    assert rig.live.now.output.sinks == ("null",)
    assert rig.stats.recording_since is None
    assert rig.stats.current_notice() == "the disk is full"
    rig.send()
    assert rig.open() == ["null"]


def test_a_device_that_is_reopened_waits_for_its_earlier_outlet(make):
    rig = make("null")
    rig.send()
    (first,) = Fake.made
    assert (first.spec, first.fps, first.after) == ("null", 25.0, None)
    assert first.failed == rig.outlets._sink_failed
    rig.live.update(output__sinks=())
    rig.send()
    assert first.closed == 1
    rig.live.update(output__sinks=("null",))
    rig.send()
    assert Fake.made[-1] is not first
    assert Fake.made[-1].after is first
    first.ended = True
    rig.live.update(output__mirror=True)
    rig.send()
    assert rig.outlets._closing == []
    rig.live.update(output__sinks=())
    rig.send()
    assert rig.outlets._closing == [Fake.made[-1]]


def test_only_outputs_that_have_taken_a_picture_are_named_as_open(make):
    rig = make("null", "talk.mp4")
    rig.send()
    assert rig.outlets.specs() == []
    rig.outlets._open["talk.mp4"].worked = True
    assert rig.outlets.specs() == ["talk.mp4"]


@pytest.mark.parametrize("viewers", [(), ("null",), ("talk.mp4",)])
def test_one_viewer_is_enough(make, viewers):
    rig = make("null", "talk.mp4")
    rig.send()
    for outlet in Fake.made:
        outlet.viewers = outlet.spec in viewers
    assert rig.outlets.has_viewers() is bool(viewers)
    rig.outlets.window = Slot()
    assert rig.outlets.has_viewers()


def test_every_output_and_the_window_get_the_picture(make):
    rig = make("null", "talk.mp4")
    rig.outlets.window = Slot()
    rig.send()
    for slot in (*(outlet.slot for outlet in Fake.made), rig.outlets.window):
        assert slot.take(0) is PICTURE


def test_the_end_closes_all_first_and_then_waits_until_its_time(make, caplog):
    rig = make("null", "talk.mp4")
    rig.stats.recording_since = 1.0
    rig.send()
    late, early = Fake.made
    early.ended = True
    late.join = lambda seconds: late.joined.append((seconds, early.closed)) or False
    rig.outlets.close(101.5)
    assert late.joined == [(1.5, 1)]
    assert early.joined == [1.5]
    assert caplog.messages == [f"output {late.spec} does not respond and is abandoned"]
    assert rig.open() == []
    assert rig.stats.recording_since is None
    rig.live.update(output__sinks=("null",))
    rig.send()
    rig.outlets._follow(rig.live.now.output)  # by a thread that comes late
    assert len(Fake.made) == 2


def test_without_a_retry_nothing_is_due(make):
    rig = make("null")
    assert rig.outlets._due() is False


def test_an_output_is_written_over_unless_it_is_to_be_kept(make, monkeypatch, place):
    (place / "talk.mp4").touch()
    opened = []
    monkeypatch.setattr(module, "open_sink", lambda *given: opened.append(given[0]))
    for options in ({}, {"keep": False}, {"keep": True}):
        make(**options).outlets._opener("talk.mp4")((6, 4), 25.0)
    assert opened == ["talk.mp4", "talk.mp4", "talk-2.mp4"]


def test_the_opener_is_that_of_the_additional_output_or_of_the_registry(make, monkeypatch):
    def page(size, fps):
        raise AssertionError

    opened = []
    monkeypatch.setattr(module, "open_sink", lambda *given: opened.append(given))
    rig = make("null", extra={"page": page})
    assert rig.outlets._opener("page") is page
    rig.outlets._opener("null")((6, 4), 25.0)
    assert opened == [("null", (6, 4), 25.0)]
