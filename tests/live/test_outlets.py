"""The outputs by themselves: opened and closed by the settings, reopened or given up on failure."""

import threading
import time
from typing import ClassVar

import numpy as np
import pytest
from helpers.waiting import until

from realtime_bg import sinks
from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite
from realtime_bg.live import outlets as module
from realtime_bg.live.outlets import RETRY_PAUSES, Outlets
from realtime_bg.live.slot import Slot
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sinks.base import Sink
from realtime_bg.sinks.cameras import CameraSink
from realtime_bg.stats import Stats
from realtime_bg.system.backoff import Retry

IMAGE = np.full((4, 6, 3), 7, np.uint8)


def composite(index=0, image=IMAGE):
    return Composite(image, index, 0.0)


class Told(Sink):
    """A sink that does what the test says, and tells what it was told."""

    takes_target = True
    made: ClassVar = []
    broken: ClassVar = set()  # "open", "send", "close"
    viewers: ClassVar = None

    def __init__(self, target, size, fps):
        super().__init__(target, size, fps)
        if "open" in Told.broken:
            raise SinkError("it is busy")
        self.seen, self.closed, self.description = [], [], f"told {target}"
        Told.made.append(self)

    def send(self, composite):
        if "send" in Told.broken:
            raise SinkError("it is gone")
        self.seen.append(composite)

    def close(self, complete=True):
        self.closed.append(complete)
        if "close" in Told.broken:
            raise SinkError("it is full")

    def has_viewers(self):
        return Told.viewers


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """`null` and the virtual camera are `Told`."""
    monkeypatch.setattr(Told, "made", [])
    monkeypatch.setattr(Told, "broken", set())
    monkeypatch.setattr(Told, "viewers", None)
    for name in ("null", "virtualcam"):
        monkeypatch.setitem(sinks.SINKS, name, f"{__name__}:Told")


@pytest.fixture
def rig():
    made = []

    def make(*specs, camera=False, **options):
        flags = {"output.sinks": specs, "output.virtualcam": camera}
        made.append(Rig(Live(load(flags=flags)), **options))
        return made[-1]

    yield make
    for one in made:
        one.outlets.close(time.monotonic() + 5)


class Rig:
    def __init__(self, live, **options):
        self.live, self.stats, self.errors = live, Stats(), []
        self.outlets = Outlets(live, self.stats, 25.0, self.errors.append, **options)

    def send(self, index=0):
        self.outlets.send(composite(index))

    def sent(self, count=1):
        """Send until ``count`` outputs have taken a picture."""

        def all_have():
            self.send()
            return len(self.outlets.specs()) == count

        until(all_have)


def test_pauses_before_an_output_is_reopened():
    retry, now = Retry(*RETRY_PAUSES), time.monotonic()
    assert (retry.due, retry.problem) == (0.0, "")
    dues = []
    for problem, new in (("a", True), ("a", False), ("b", True), ("b", False), ("a", True)):
        assert retry.failed(problem) is new
        dues.append(retry.due - now)
    assert dues == pytest.approx([0.5, 1, 2, 5, 5], abs=0.2)
    assert RETRY_PAUSES == (0.5, 1.0, 2.0, 5.0)


def test_outputs_are_opened_with_the_first_picture_and_its_size(rig):
    used = rig("null")
    assert used.outlets.specs() == []
    used.sent()
    (sink,) = Told.made
    assert (sink.size, sink.fps) == ((6, 4), 25.0)
    assert used.outlets.specs() == ["null"]
    assert used.outlets.problems == {}


def test_a_picture_of_another_size_is_fitted(rig):
    used = rig("null")
    used.sent()
    (sink,) = Told.made
    used.outlets.send(composite(9, np.full((8, 12, 3), 7, np.uint8)))
    until(lambda: sink.seen[-1].index == 9)
    np.testing.assert_array_equal(sink.seen[-1].image, IMAGE)


def test_a_change_of_the_settings_closes_and_opens(rig):
    used = rig("null")
    used.sent()
    first = Told.made[0]
    used.live.update(output__virtualcam=True)
    used.sent(2)
    assert set(used.outlets.specs()) == {"null", "virtualcam"}
    used.live.update(output__sinks=("virtualcam",))
    used.send()
    until(lambda: first.closed == [True])
    assert used.outlets.specs() == ["virtualcam"]
    assert len(Told.made) == 2  # what stays is not opened anew


def test_cameras_for_other_programs_say_what_they_are(rig):
    class Camera(CameraSink):
        description = "a camera"

        def hand_over(self, planes):
            assert planes.shape == (IMAGE.shape[0] * 3 // 2, IMAGE.shape[1])

        def close(self, complete=True):
            pass

    used = rig("null", extra={"page": lambda size, fps: Camera("", size, fps)})
    used.sent(2)
    assert used.outlets.cameras() == {"page": "a camera"}


def test_settings_are_followed_only_when_they_have_changed(rig, monkeypatch):
    used, usual, asked = rig("null"), module.wanted_sinks, []
    monkeypatch.setattr(module, "wanted_sinks", lambda s: asked.append(s) or usual(s))
    for _ in range(5):
        used.send()
    assert len(asked) == 1
    used.live.update(output__mirror=True)
    used.send()
    assert len(asked) == 2


def test_additional_outputs_are_always_there(rig):
    opened = []

    def opener(size, fps):
        opened.append((size, fps))
        return Told("page", size, fps)

    used = rig("null", extra={"page": opener})
    used.sent(2)
    assert opened == [((6, 4), 25.0)]
    assert set(used.outlets.specs()) == {"null", "page"}


def test_whether_anybody_looks(rig):
    used = rig("null")
    assert not used.outlets.has_viewers()
    used.sent()
    for answer, expected in ((None, True), (True, True), (False, False)):
        Told.viewers = answer
        assert used.outlets.has_viewers() is expected
    used.outlets.window = Slot()
    assert used.outlets.has_viewers()


def test_the_window_gets_every_picture(rig):
    used = rig()
    used.outlets.window = Slot()
    used.send(5)
    assert used.outlets.window.take(0).index == 5


def test_after_the_end_nothing_is_opened(rig):
    used = rig("null")
    used.sent()
    used.stats.recording_since = 1.0
    used.outlets.close(time.monotonic() + 5)
    assert Told.made[0].closed == [True]
    assert used.stats.recording_since is None
    used.outlets.window = Slot()
    used.send()
    assert used.outlets.window.take(0) is None
    assert len(Told.made) == 1
    assert used.outlets.specs() == []


def test_an_output_that_does_not_end_is_left_behind(rig, caplog):
    release = threading.Event()
    used = rig("null")
    used.sent()
    Told.made[0].close = lambda: release.wait(10)
    used.outlets.close(time.monotonic() + 0.05)
    assert "output null does not respond and is abandoned" in caplog.text
    release.set()


def test_the_end_waits_for_an_output_that_was_closed_before(rig, caplog):
    release = threading.Event()
    used = rig("null:one", camera=True)
    used.sent(2)
    next(sink for sink in Told.made if sink.target == "one").close = lambda: release.wait(10)
    used.live.update(output__sinks=())
    used.send()
    used.outlets.close(time.monotonic() + 0.05)
    release.set()
    assert "output null:one does not respond and is abandoned" in caplog.text


# Failures


def test_the_last_listed_output_that_fails_ends_the_run(rig):
    Told.broken = {"open"}
    used = rig("null")
    used.send()
    until(lambda: used.errors)
    assert [str(error) for error in used.errors] == ["it is busy"]
    assert used.live.now.output.sinks == ("null",)


def test_while_another_is_open_it_is_taken_from_the_list(rig, caplog):
    used = rig("null", extra={"page": lambda size, fps: Told("page", size, fps)})
    used.sent(2)
    Told.broken = {"send"}
    keep = next(sink for sink in Told.made if sink.target == "page")
    keep.send = lambda _: None
    used.send()
    until(lambda: used.live.now.output.sinks == ())
    assert used.errors == []
    assert used.stats.current_notice() == "it is gone"
    assert "it is gone" in caplog.text
    gone = next(sink for sink in Told.made if sink is not keep)
    until(lambda: gone.closed == [False])  # an older file keeps its name
    assert used.outlets.specs() == ["page"]


def test_a_window_counts_as_another(rig):
    Told.broken = {"open"}
    used = rig("null")
    used.outlets.window = Slot()
    used.send()
    until(lambda: used.live.now.output.sinks == ())
    assert used.errors == []


def test_a_persistent_run_does_not_end_with_its_outputs(rig):
    Told.broken = {"open"}
    used = rig("null", persistent=True)
    used.send()
    until(lambda: used.live.now.output.sinks == ())
    assert used.errors == []


def test_errors_that_are_not_ours_are_named_with_their_output(rig):
    used = rig("null", persistent=True)
    used.sent()
    Told.made[0].send = lambda _: 1 / 0
    used.send()
    until(used.stats.current_notice)
    assert used.stats.current_notice().startswith("null: ZeroDivisionError(")


def test_an_output_that_fails_while_it_closes_is_told_and_no_more(rig):
    used = rig("null", camera=True)
    used.sent(2)
    Told.broken = {"close"}
    used.live.update(output__sinks=())
    used.send()
    until(lambda: used.stats.current_notice() == "it is full")
    assert used.errors == []
    assert used.outlets.specs() == ["virtualcam"]


# Virtual cameras


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(module, "RETRY_PAUSES", (0.01,))


def test_a_camera_that_never_worked_is_switched_off(rig):
    Told.broken = {"open"}
    used = rig(camera=True)
    used.send()
    until(lambda: not used.live.now.output.virtualcam)
    assert used.outlets.problems == {}
    assert used.stats.current_notice() == "it is busy"


@pytest.mark.parametrize("persistent", [False, True])
def test_a_camera_that_disappears_is_waited_for(rig, soon, caplog, persistent):
    used = rig(camera=True, persistent=persistent)
    used.sent()
    Told.broken = {"send"}
    used.send()
    until(lambda: used.outlets.problems == {"virtualcam": "it is gone"})
    assert used.outlets.specs() == []
    assert used.stats.current_notice() == "it is gone; waiting for it"
    assert used.live.now.output.virtualcam
    Told.broken = {"open"}

    def tried():
        used.send()
        return used.outlets.problems == {"virtualcam": "it is busy"}

    until(tried)
    assert caplog.text.count("it is gone; waiting for it") == 1
    Told.broken = set()

    def back():
        used.send()
        return not used.outlets.problems

    until(back)
    assert "output virtualcam is back" in caplog.text
    assert used.outlets.specs() == ["virtualcam"]


def test_a_persistent_run_waits_for_a_camera_that_was_never_there(rig, soon):
    Told.broken = {"open"}
    used = rig(camera=True, persistent=True)
    used.send()
    until(lambda: used.outlets.problems == {"virtualcam": "it is busy"})
    assert used.live.now.output.virtualcam
    used.live.update(output__virtualcam=False)
    used.send()
    assert used.outlets.problems == {}  # nobody waits for it any more


def test_it_is_not_tried_before_its_time(rig, monkeypatch):
    monkeypatch.setattr(module, "RETRY_PAUSES", (60.0,))
    Told.broken = {"open"}
    used = rig(camera=True, persistent=True)
    used.send()
    until(lambda: used.outlets.problems)
    Told.broken = set()
    for _ in range(5):
        used.send()
    used.live.update(output__mirror=True)  # nor by other changes of the outputs
    used.send()
    assert used.outlets._open == {}
    assert Told.made == []


def test_a_camera_that_blocks_is_replaced(rig, soon, monkeypatch, caplog):
    release = threading.Event()
    used = rig(camera=True)
    used.sent()
    first = Told.made[0]
    first.send = lambda _: release.wait(10)
    used.send()
    (outlet,) = used.outlets._open.values()
    until(lambda: outlet.busy_since is not None)
    used.send()
    assert used.outlets._open == {"virtualcam": outlet}  # it has time
    monkeypatch.setattr(module, "BLOCKED", 0.0)
    used.outlets.running_since = time.monotonic() + 60  # the whole process stood still
    used.send()
    assert used.outlets._open == {"virtualcam": outlet}
    used.outlets.running_since = 0.0

    def replaced():
        used.send()
        monkeypatch.setattr(module, "BLOCKED", 10.0)
        return len(Told.made) == 2 and Told.made[1].seen

    until(replaced)
    assert "output virtualcam takes no pictures" in caplog.text
    release.set()


def test_another_output_may_block_as_long_as_it_likes(rig, monkeypatch):
    release = threading.Event()
    used = rig("null")
    used.sent()
    Told.made[0].send = lambda _: release.wait(10)
    used.send()
    (outlet,) = used.outlets._open.values()
    until(lambda: outlet.busy_since is not None)
    monkeypatch.setattr(module, "BLOCKED", 0.0)
    used.send()
    assert used.outlets._open == {"null": outlet}
    release.set()


def test_an_existing_video_is_kept_where_it_is_asked_for(rig, tmp_path, monkeypatch):
    (tmp_path / "talk.mp4").touch()
    monkeypatch.setitem(sinks.SINKS, "video", f"{__name__}:Told")
    for keep, name in ((True, "talk-2.mp4"), (False, "talk.mp4")):
        Told.made.clear()
        used = rig(str(tmp_path / "talk.mp4"), keep=keep)
        used.sent()
        assert Told.made[0].target == str(tmp_path / name)
