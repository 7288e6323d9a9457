"""The live pipeline under faults: nothing raw ever reaches a sink, and it always ends in time.

Every second column of these sources' frames has a colour that no background contains, and the
good engine calls all of it room: a single such pixel in a sink is a leak. (Blurred, the columns mix
with the black ones between them.)
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from helpers.waiting import PATIENCE, PROMPT, until

from realtime_bg import engines
from realtime_bg.engines.base import Engine
from realtime_bg.errors import SinkError, SourceError
from realtime_bg.frames import Frame, Matte
from realtime_bg.live import outlets
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.processing import engine_choice
from realtime_bg.processing.cards import card
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.sinks.base import Sink
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats

RAW = (255, 0, 255)
SIZE = (64, 36)


def is_raw(image):
    """Whether any pixel is the camera's own."""
    return (image == RAW).all(axis=2).any()


def last_is(colour):
    """Whether the newest picture is all of one BGR colour."""
    return (Seen.images[-1] == colour).all()


class RawSource(Source):
    """Raw frames at 100 per second until closed, or until told to die or end."""

    live = True
    opened = 0

    def __init__(self, settings=None, size=SIZE):
        self.size, self.fps, self.description = size, 100.0, "raw"
        self.closed, self.die, self.end = threading.Event(), False, False
        self.released = self.gone = False
        RawSource.opened += 1

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        try:
            while not self.closed.wait(0.01):
                if self.gone:  # waits for a device that vanished
                    continue
                if self.die:
                    raise SourceError("the camera caught fire")
                if self.end:
                    return
                image = np.zeros((self.size[1], self.size[0], 3), np.uint8)
                image[:, ::2] = RAW
                yield Frame(image, index, time.monotonic())
                index += 1
        finally:
            self.released = True

    def close(self):
        self.closed.set()


class RoomEngine(Engine):
    """Everything is room."""

    description = "test"

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size = size

    def matte(self, frame):
        return Matte(frame, np.zeros(frame.image.shape[:2], np.float32))


class FlakyEngine(RoomEngine):
    """Raises on every third frame, in many ways."""

    opened = calls = 0

    def __init__(self, *args):
        super().__init__(*args)
        FlakyEngine.opened += 1

    def matte(self, frame):
        FlakyEngine.calls += 1
        if FlakyEngine.calls % 3 == 0:
            raise (ZeroDivisionError, MemoryError, OSError)[FlakyEngine.calls % 9 // 3]("bad")
        return super().matte(frame)


class BrokenEngine(RoomEngine):
    """Opens, and never mattes."""

    opened = 0

    def __init__(self, *args):
        super().__init__(*args)
        BrokenEngine.opened += 1

    def matte(self, frame):
        raise RuntimeError("out of memory")


class LyingEngine(RoomEngine):
    """Says NaN, which would let anything through a blend."""

    def matte(self, frame):
        return Matte(frame, np.full(frame.image.shape[:2], np.nan, np.float32))


class HangingEngine(RoomEngine):
    """Sees a person, all in white, and never answers its fifth frame."""

    release = threading.Event()
    calls = 0

    def matte(self, frame):
        HangingEngine.calls += 1
        if HangingEngine.calls >= 5:
            HangingEngine.release.wait(30)
        person = np.ones(frame.image.shape[:2], np.float32)
        return Matte(frame, person, np.full_like(frame.image, 255))


class SlowEngine(RoomEngine):
    """Sees nobody, at a tenth of the camera's rate, and never answers its last frame."""

    last = 10

    def matte(self, frame):
        HangingEngine.calls += 1
        HangingEngine.release.wait(30 if HangingEngine.calls >= self.last else 0.1)
        return Matte(frame, np.zeros((18, 32), np.float32), guide=frame.image[::2, ::2].copy())


class LosingEngine(RoomEngine):
    """Never knows where the person is: what it says beside, all white, is nothing to go by."""

    def matte(self, frame):
        person = np.ones(frame.image.shape[:2], np.float32)
        return Matte(frame, person, np.full_like(frame.image, 255), lost=True)


class LateEngine(RoomEngine):
    """Sees a person, all in white, 1.6 s late, and then never answers."""

    def matte(self, frame):
        HangingEngine.calls += 1
        HangingEngine.release.wait(1.6 if HangingEngine.calls == 1 else 30)
        person = np.ones(frame.image.shape[:2], np.float32)
        return Matte(frame, person, np.full_like(frame.image, 255))


class Unresettable(RoomEngine):
    """Cannot forget."""

    def reset(self):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


class SlowToLoad(RoomEngine):
    """Takes its time to load."""

    release = threading.Event()

    def __init__(self, *args):
        SlowToLoad.release.wait(30)
        super().__init__(*args)


class Seen(Sink):
    """Remembers what it was given."""

    images: ClassVar[list] = []
    frames: ClassVar[set] = set()
    times: ClassVar[list] = []  # of each picture: when it was captured, and when it came
    closed = 0

    def send(self, composite):
        Seen.times.append((composite.time, time.monotonic()))
        Seen.images.append(composite.image)
        Seen.frames.add(composite.index)

    def close(self, complete=True):
        Seen.closed += 1


class BlockedSink(Sink):
    """Takes one picture and never comes back."""

    entered, release = threading.Event(), threading.Event()

    def send(self, composite):
        self.entered.set()
        self.release.wait(30)

    def close(self, complete=True):
        pass


class FailingSink(Sink):
    """Fails on its third picture."""

    def __init__(self, *args):
        super().__init__(*args)
        self.count = 0

    def send(self, composite):
        self.count += 1
        if self.count == 3:
            raise SinkError("disk full; free some space")

    def close(self, complete=True):
        pass


SINKS = {"null": Seen, "blocked.mp4": BlockedSink, "failing.mp4": FailingSink}


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    names = {
        "room": RoomEngine,
        "embedded": RoomEngine,
        "grabcut": RoomEngine,
        "flaky": FlakyEngine,
        "broken": BrokenEngine,
        "lying": LyingEngine,
        "hanging": HangingEngine,
        "slow": SlowToLoad,
        "losing": LosingEngine,
        "late": LateEngine,
        "slowly": SlowEngine,
        "unresettable": Unresettable,
    }
    for name, cls in names.items():
        monkeypatch.setitem(engines.ENGINES, name, f"{__name__}:{cls.__name__}")
    monkeypatch.setattr(outlets, "open_sink", lambda spec, size, fps: SINKS[spec]("", size, fps))
    Seen.images, Seen.frames, Seen.times, Seen.closed, RawSource.opened = [], set(), [], 0, 0
    FlakyEngine.opened = FlakyEngine.calls = BrokenEngine.opened = HangingEngine.calls = 0
    for event in (
        HangingEngine.release,
        SlowToLoad.release,
        BlockedSink.entered,
        BlockedSink.release,
    ):
        event.clear()
    yield
    for event in (HangingEngine.release, SlowToLoad.release, BlockedSink.release):
        event.set()
    for image in Seen.images:
        assert not is_raw(image), "a raw pixel reached a sink"


@pytest.fixture
def start():
    """Start a pipeline on a thread of its own; `finish` stops and checks it."""
    running = []

    def start(
        engine="room",
        background="#00ff00",
        sinks=("null",),
        source=None,
        sync="locked",
        stall=5.0,
        **engine_changes,
    ):
        settings = Settings.model_validate(
            {
                "source": {"stall": stall},
                "engine": {"name": engine, "gate": False, **engine_changes},
                "background": {"current": background},
                "output": {"sinks": sinks, "sync": sync},
                "privacy": {"max_age": 0.2},
            }
        )
        live, stats = Live(settings), Stats()
        source = source or RawSource()
        processor = Processor(live, stats, wait=False)
        pipeline = Pipeline(live, stats, processor, source, RawSource)
        pipeline.live, pipeline.stats, pipeline.source = live, stats, source
        pipeline.raised = None

        def run():
            try:
                pipeline.run()
            except Exception as error:
                pipeline.raised = error

        pipeline.thread = threading.Thread(target=run, name="pipeline")
        pipeline.thread.start()
        running.append(pipeline)
        return pipeline

    yield start
    for pipeline in running:
        pipeline.stop()
        pipeline.thread.join(60)
        assert not pipeline.thread.is_alive()


def finish(pipeline):
    """Stop it and check that it took no longer than "at once"."""
    begin = time.monotonic()
    pipeline.stop()
    pipeline.thread.join(60)
    assert time.monotonic() - begin < PROMPT
    assert pipeline.source.released or not pipeline.source.closed.is_set()
    return pipeline.raised


def test_frames_flow_and_everything_is_released(start):
    pipeline = start()
    until(lambda: len(Seen.images) > 20)
    assert pipeline.stats.fps > 0
    assert finish(pipeline) is None
    assert Seen.closed == 1
    assert pipeline.source.released
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"capture", "inference", "compositor", "sink-null"}


def test_background_alone_while_the_engine_loads(start):
    pipeline = start("slow")
    until(lambda: len(Seen.images) > 3)
    assert pipeline.stats.engine == "loading"
    assert last_is((0, 255, 0))
    SlowToLoad.release.set()
    until(lambda: pipeline.stats.engine == "slow")
    assert finish(pipeline) is None


@pytest.mark.parametrize("background", ["#00ff00", "blur:100", "beach"])
def test_an_engine_that_raises_now_and_then_is_reopened(start, background):
    pipeline = start("flaky", background)
    until(lambda: FlakyEngine.opened >= 3)
    assert pipeline.stats.failures >= 2
    assert finish(pipeline) is None


def test_an_engine_that_keeps_raising_falls_back_and_says_so(start, caplog):
    pipeline = start("broken", retries=2)
    until(lambda: pipeline.stats.engine == "embedded")
    assert BrokenEngine.opened == 3
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 5)
    assert "engine broken failed: RuntimeError: out of memory" in caplog.text
    assert "falling back to engine embedded" in caplog.text
    assert finish(pipeline) is None


def test_an_engine_that_says_nan_is_a_failing_engine(start):
    pipeline = start("lying", retries=0)
    until(lambda: pipeline.stats.engine == "embedded")
    assert finish(pipeline) is None


def test_a_fallback_does_not_get_the_weights_that_were_named(start, monkeypatch, tmp_path):
    """`--model rvm.onnx` with the engine left at auto."""
    opened = []

    class Noting(RoomEngine):
        def __init__(self, settings, size, stats):
            super().__init__(settings, size, stats)
            opened.append((settings.name, settings.model))

        def matte(self, frame):
            if self.settings.name == "rvm":
                raise RuntimeError("bad")
            return super().matte(frame)

    monkeypatch.setattr(engine_choice, "open_engine", lambda *args: Noting(*args[:3]))
    pipeline = start("auto", model=str(tmp_path / "rvm.onnx"))
    until(lambda: pipeline.stats.engine == "embedded")
    assert opened[-1] == ("embedded", None)
    assert ("rvm", tmp_path / "rvm.onnx") in opened
    assert finish(pipeline) is None


def test_where_the_last_resort_fails_too_the_next_one_takes_over(start, monkeypatch, caplog):
    monkeypatch.setitem(engines.ENGINES, "embedded", f"{__name__}:BrokenEngine")
    pipeline = start("broken", retries=0)
    until(lambda: pipeline.stats.engine == "grabcut")
    assert "falling back to engine embedded" in caplog.text
    assert "falling back to engine grabcut" in caplog.text
    assert finish(pipeline) is None


def test_no_engine_left_ends_with_its_reason(start, monkeypatch):
    for last_resort in ("embedded", "grabcut"):
        monkeypatch.setitem(engines.ENGINES, last_resort, f"{__name__}:BrokenEngine")
    pipeline = start("broken", retries=0)
    pipeline.thread.join(PATIENCE)
    assert "keeps failing" in str(pipeline.raised)


@pytest.mark.parametrize("background", ["#00ff00", "blur:100"])
def test_a_hanging_engine_hides_the_person_within_max_age(start, background):
    pipeline = start("hanging", background, hang=30)
    until(lambda: HangingEngine.calls >= 5)
    assert any((image == 255).all() for image in Seen.images)
    until(lambda: not (Seen.images[-1] == 255).all(axis=2).any())
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 5)  # the output goes on without it
    assert not (Seen.images[-1] == 255).all(axis=2).any()
    last = max(n for n, image in enumerate(Seen.images) if (image == 255).all())
    captured, hidden = Seen.times[last][0], Seen.times[last + 1][1]
    assert hidden - captured < pipeline.live.now.privacy.max_age + 0.4  # the machine's noise
    assert finish(pipeline) is None  # and stopping does not wait for it


@pytest.mark.parametrize(
    ("sync", "least", "most"), [("locked", 0.5, 1.2), ("lowest-latency", 3, 20)]
)
def test_the_newest_frame_may_be_shown_with_an_earlier_matte(start, sync, least, most):
    """Many frames for each matte; none once the engine hangs: a matte is not carried for ever."""
    pipeline = start("slowly", hang=30, sync=sync)
    until(lambda: HangingEngine.calls >= 10)
    assert least <= len(Seen.frames) / 9 <= most
    time.sleep(0.4)  # longer than a matte may be carried
    count = len(Seen.frames)
    time.sleep(0.2)  # in which no frame is shown
    assert len(Seen.frames) == count
    assert finish(pipeline) is None


def test_the_way_of_showing_changes_live(start, monkeypatch):
    """Many frames for each matte, one, and many again."""
    monkeypatch.setattr(SlowEngine, "last", 1000)
    pipeline = start("slowly", hang=30, sync="lowest-latency")
    for sync, least, most in (("lowest-latency", 3, 20), ("locked", 0.5, 1.5)) * 2:
        pipeline.live.update(output__sync=sync)
        mattes(2)
        count = len(Seen.frames)
        mattes(6)
        assert least <= (len(Seen.frames) - count) / 6 <= most
    assert finish(pipeline) is None


def mattes(number):
    """Wait for so many more of the engine that hangs."""
    count = HangingEngine.calls
    until(lambda: HangingEngine.calls >= count + number)


def test_a_hanging_engine_is_given_up(start, caplog):
    pipeline = start("hanging", hang=0.3)
    until(lambda: pipeline.stats.engine == "embedded")
    assert "has returned nothing for 0.3 s" in caplog.text
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 20)
    HangingEngine.release.set()  # the old thread comes back: it must not interfere
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 20)
    assert pipeline.stats.engine == "embedded"
    assert finish(pipeline) is None


@pytest.mark.parametrize(
    ("chosen", "expected"), [({}, "embedded"), ({"engine__retries": 9}, "room")]
)
def test_a_choice_between_giving_up_and_the_next_frame_counts(chosen, expected):
    live = Live(Settings.model_validate({"engine": {"name": "room", "gate": False}}))
    matting = Matting(live, Stats())
    frame = Frame(np.zeros((36, 64, 3), np.uint8), 0, 0.0)
    matting.matte(frame)
    successor = matting.abandoned("hangs")
    live.update(**chosen)
    successor.matte(replace(frame, index=1))
    assert successor.stats.engine == expected


def test_loading_is_no_hang(start):
    pipeline = start("slow", hang=0.2)
    until(lambda: len(Seen.images) > 8)
    SlowToLoad.release.set()
    until(lambda: pipeline.stats.engine == "slow")
    assert finish(pipeline) is None


def test_a_source_that_dies_ends_the_program_with_its_reason(start):
    pipeline = start()
    until(lambda: len(Seen.images) > 3)
    pipeline.source.die = True
    pipeline.thread.join(PATIENCE)
    assert str(pipeline.raised) == "the camera caught fire"
    assert Seen.closed == 1


def test_a_source_that_ends_ends_the_program(start):
    pipeline = start()
    until(lambda: len(Seen.images) > 3)
    pipeline.source.end = True
    pipeline.thread.join(PATIENCE)
    assert pipeline.raised is None
    assert Seen.closed == 1


def test_a_blocked_sink_delays_nobody_and_stopping_leaves_it_behind(start):
    pipeline = start(sinks=("null", "blocked.mp4"))
    until(BlockedSink.entered.is_set)
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 20)
    assert finish(pipeline) is None
    assert Seen.closed == 1


def test_a_sink_that_fails_is_dropped_while_others_live(start, caplog):
    pipeline = start(sinks=("null", "failing.mp4"))
    until(lambda: "disk full" in caplog.text)
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 5)
    assert pipeline.live.now.output.sinks == ("null",)
    assert finish(pipeline) is None


def test_the_last_sink_that_fails_ends_the_program(start):
    pipeline = start(sinks=("failing.mp4",))
    pipeline.thread.join(PATIENCE)
    assert isinstance(pipeline.raised, SinkError)


def test_pause_shows_a_card_and_releases_the_camera(start):
    pipeline = start(background="#00ff00")
    until(lambda: len(Seen.images) > 3)
    pipeline.live.update(paused=True)
    until(lambda: pipeline.source.released)
    until(lambda: not last_is((0, 255, 0)))
    opened = RawSource.opened
    pipeline.live.update(paused=False)
    until(lambda: RawSource.opened == opened + 1)
    until(lambda: last_is((0, 255, 0)))
    assert finish(pipeline) is None


def test_pausing_while_the_camera_is_shown_hides_it(start):
    pipeline = start(background="none")
    until(lambda: any(is_raw(image) for image in Seen.images))
    pipeline.live.update(paused=True)
    until(lambda: not is_raw(Seen.images[-1]))
    Seen.images.clear()  # raw pixels were what the user asked for until here
    until(lambda: len(Seen.images) > 2)
    assert finish(pipeline) is None


def test_leaving_none_never_lets_a_late_frame_through(start):
    pipeline = start(background="none")
    until(lambda: len(Seen.images) > 5)
    pipeline.live.update(background__current="#00ff00")
    until(lambda: last_is((0, 255, 0)))
    Seen.images.clear()
    until(lambda: len(Seen.images) > 10)
    assert finish(pipeline) is None


def test_leaving_none_for_what_cannot_be_opened_does_not_show_the_camera_again(
    start, tmp_path, caplog
):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    pipeline = start(background="none")
    until(lambda: any(is_raw(image) for image in Seen.images))
    pipeline.live.update(background__current=str(tmp_path / "bad.jpg"))
    until(lambda: not is_raw(Seen.images[-1]))
    Seen.images.clear()
    until(lambda: pipeline.live.now.background.current == "blur")
    assert "bad.jpg" in caplog.text
    assert "blur is used instead" in caplog.text
    until(lambda: len(Seen.images) > 20)
    assert finish(pipeline) is None


@pytest.mark.parametrize("sync", ["locked", "lowest-latency"])
@pytest.mark.parametrize("background", ["none", "#00ff00"])
def test_pausing_hides_the_last_picture_at_once_however_old_it_may_get(start, background, sync):
    pipeline = start(background=background, sync=sync)
    pipeline.live.update(privacy__max_age=60.0)
    until(lambda: len(Seen.images) > 5)
    shown = Seen.images[-1]
    begin = time.monotonic()
    pipeline.live.update(paused=True)
    until(lambda: Seen.images[-1].shape == shown.shape and (Seen.images[-1] != shown).any())
    until(lambda: not is_raw(Seen.images[-1]))
    assert time.monotonic() - begin < PROMPT
    Seen.images.clear()
    assert finish(pipeline) is None


def test_a_camera_that_stops_is_hidden_after_max_age_also_at_lowest_latency(start):
    source = RawSource()
    pipeline = start(source=source, background="none", sync="lowest-latency")
    pipeline.live.update(privacy__max_age=1.0)
    until(lambda: any(is_raw(image) for image in Seen.images))
    source.gone, begin = True, time.monotonic()
    until(lambda: not is_raw(Seen.images[-1]))
    assert time.monotonic() - begin < PROMPT
    Seen.images.clear()
    assert finish(pipeline) is None


def refuse(pipeline, which):
    """Its opener hangs where ``which(settings)`` says so, and then finds the camera busy. The
    events that it hangs and that it may go on."""
    opening, go_on, real = threading.Event(), threading.Event(), pipeline.capture.opener

    def opener(settings):
        if which(settings):
            opening.set()
            go_on.wait(10)
            raise SourceError(f"{settings.spec} is busy")
        return real()

    pipeline.capture.opener = opener
    return opening, go_on


def test_what_was_chosen_while_a_source_was_tried_stays(start):
    """A is open, B cannot be; meanwhile C was chosen."""
    pipeline = start()
    opening, go_on = refuse(pipeline, lambda settings: settings.spec == "camera:1")
    pipeline.live.update(source__spec="camera:1")
    until(opening.is_set)
    pipeline.live.update(source__spec="camera:2")
    go_on.set()
    until(lambda: pipeline.capture.source_settings.spec == "camera:2")
    assert pipeline.live.now.source.spec == "camera:2"
    pipeline.live.update(source__spec="camera:1")
    until(lambda: pipeline.live.now.source.spec == "camera:2")  # and without: as it was
    assert pipeline.live.refusals.keys() == {"source.spec"}
    assert finish(pipeline) is None


def test_a_thread_that_was_given_up_while_opening_leaves_the_new_one_alone(start, monkeypatch):
    monkeypatch.setattr("realtime_bg.live.capture.OPENING", 0.3)
    monkeypatch.setattr("realtime_bg.live.capture.STALLED", 0.3)
    tries = []
    pipeline = start()
    until(lambda: len(Seen.frames) > 3)
    pipeline.live.update(source__stall=1.0)

    def first(settings):
        tries.append(settings.spec)
        return len(tries) == 1

    _, go_on = refuse(pipeline, first)
    pipeline.live.update(source__spec="camera:2")
    until(lambda: len(tries) > 1 and pipeline.capture.source is not None)
    until(lambda: pipeline.capture.source_settings.spec == "camera:2")
    source = pipeline.capture.source
    go_on.set()
    count = len(Seen.frames)
    until(lambda: len(Seen.frames) > count + 40)
    assert pipeline.capture.source is source
    assert not source.closed.is_set()
    assert finish(pipeline) is None


def test_freeze_holds_the_picture(start):
    pipeline = start(background="#00ff00")
    until(lambda: len(Seen.images) > 3)
    pipeline.live.update(frozen=True)
    until(lambda: Seen.images[-1] is Seen.images[-2])
    pipeline.live.update(background__current="#0000ff")
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 5)
    assert last_is((0, 255, 0))
    pipeline.live.update(frozen=False)
    until(lambda: last_is((255, 0, 0)))
    assert finish(pipeline) is None


def test_a_card_is_not_held_when_frozen(start):
    """Frozen from the start, and through a pause: a picture of now is held, not the card."""
    pipeline = start("slow", background="blur")
    pipeline.live.update(frozen=True)
    until(lambda: len(Seen.images) > 3)
    card = Seen.images[-1]
    assert not pipeline.composing.holding
    SlowToLoad.release.set()
    until(lambda: pipeline.composing.holding)
    assert (Seen.images[-1] != card).any()
    pipeline.live.update(paused=True)
    until(lambda: not pipeline.composing.holding)
    pipeline.live.update(paused=False)
    until(lambda: pipeline.composing.holding)
    assert (Seen.images[-1] != card).any()
    assert finish(pipeline) is None


def test_epochs_grow_from_source_to_source(start):
    """What is known of a room is void where the next camera may see another."""
    source, epochs = RawSource(), []
    pipeline = start(source=source)
    compose = pipeline._processor.compose
    pipeline._processor.compose = lambda item: epochs.append(item.frame.epoch) or compose(item)
    until(lambda: epochs)
    for number in (1, 2):
        pipeline.live.update(source__spec=f"camera:{number}")
        until(lambda number=number: epochs and epochs[-1] == number)
    assert epochs == sorted(epochs)
    assert finish(pipeline) is None


def test_leaving_none_while_frozen_hides_the_camera(start):
    pipeline = start(background="none")
    until(lambda: any(is_raw(image) for image in Seen.images))
    pipeline.live.update(frozen=True)
    until(lambda: pipeline.state == "frozen")
    pipeline.live.update(background__current="#00ff00")
    until(lambda: not is_raw(Seen.images[-1]))
    Seen.images.clear()
    until(lambda: len(Seen.images) > 5)
    assert finish(pipeline) is None


def test_nothing_is_matted_while_frozen(start):
    pipeline = start()
    until(lambda: len(Seen.images) > 3)
    pipeline.live.update(frozen=True)
    until(lambda: pipeline.state == "frozen")
    count, shown = len(pipeline.stats.milliseconds("composite")), len(Seen.images)
    until(lambda: len(Seen.images) > shown + 8)
    assert len(pipeline.stats.milliseconds("composite")) == count
    assert finish(pipeline) is None


@pytest.mark.parametrize("background", ["#00ff00", "blur:100"])
def test_an_engine_that_lost_the_person_hides_everything(start, background):
    pipeline = start("losing", background)
    until(lambda: len(Seen.frames) > 10)
    assert finish(pipeline) is None
    blurred = card(SIZE, "One moment")  # there is no blurred room without what is in it
    hidden = blurred if background.startswith("blur") else np.full_like(blurred, (0, 255, 0))
    assert all(np.array_equal(image, hidden) for image in Seen.images)


def test_the_age_of_a_picture_counts_from_its_capture(start):
    """A late answer and then none: max_age must not begin anew with the answer."""
    pipeline = start("late", hang=30)
    pipeline.live.update(privacy__max_age=2.0)
    until(lambda: any((image == 255).all() for image in Seen.images))
    answered = time.monotonic()
    until(lambda: not (Seen.images[-1] == 255).all())
    assert time.monotonic() - answered < 1.5  # the answer was 1.6 s late: 0.4 s are left
    assert finish(pipeline) is None


def test_an_engine_whose_reset_raises_is_reopened(start, caplog):
    pipeline = start("unresettable")
    until(lambda: pipeline.stats.engine == "unresettable")
    pipeline.live.modify(lambda s: {"resets": s.resets + 1})
    until(lambda: "CUDA error" in caplog.text)
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 5)
    assert finish(pipeline) is None


def test_pausing_while_the_camera_is_gone_stops_looking_for_it(start):
    source = RawSource()
    pipeline = start(source=source)
    until(lambda: len(Seen.images) > 3)
    source.gone = True
    pipeline.live.update(paused=True)
    until(source.closed.is_set)
    until(lambda: source.released)
    pipeline.live.update(paused=False)
    until(lambda: last_is((0, 255, 0)))
    assert finish(pipeline) is None


def test_falling_asleep_ends_the_wait_for_a_camera_that_is_gone(start):
    source = RawSource()
    pipeline = start(source=source)
    until(lambda: len(Seen.images) > 3)
    source.gone = True
    pipeline._demand = SimpleNamespace(awake=False, update=lambda watched: False)
    until(lambda: source.released)
    assert not pipeline.camera_open
    assert RawSource.opened == 1
    assert finish(pipeline) is None


def test_a_driver_that_hangs_while_its_camera_is_waited_for_is_left_behind(start, monkeypatch):
    monkeypatch.setattr("realtime_bg.live.capture.OPENING", 0.3)
    monkeypatch.setattr("realtime_bg.live.capture.STALLED", 0.3)
    hung = threading.Event()

    class Returning(RawSource):
        """Vanishes at once; tries for half a second, then hangs until the end of the test."""

        def __iter__(self):
            self.waiting = True
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                self.tried = time.monotonic()
                time.sleep(0.05)  # a driver that tries
            hung.wait(30)
            self.released = True
            yield from ()

    pipeline = start(source=Returning(), stall=1.0)
    until(lambda: Seen.frames and pipeline.capture.abandoned_threads)
    until(lambda: RawSource.opened == 2)
    hung.set()
    until(lambda: pipeline.source.released)
    assert finish(pipeline) is None


def test_recording_again_within_a_second_makes_another_file(start, tmp_path, monkeypatch):
    monkeypatch.setattr(outlets, "open_sink", lambda spec, size, fps: Seen("", size, fps))
    pipeline = start()
    pipeline.live.update(output__folder=tmp_path)
    names = set()
    for _ in range(3):
        pipeline.live.update(output__record=True)
        until(lambda: pipeline.outlets.recordings.file)
        names.add(pipeline.outlets.recordings.file)
        pipeline.live.update(output__record=False)
        until(lambda: not pipeline.outlets.recordings.file)
    assert len(names) == 3
    assert finish(pipeline) is None


def test_a_folder_that_cannot_be_made_does_not_end_the_call(start, tmp_path, caplog):
    (tmp_path / "file").touch()
    pipeline = start()
    pipeline.live.update(output__folder=tmp_path / "file" / "x", output__record=True)
    until(lambda: "cannot record" in caplog.text)
    pipeline.live.modify(lambda s: {"snapshots": s.snapshots + 1})
    until(lambda: "snapshot could not be saved" in caplog.text)
    assert not pipeline.live.now.output.record
    assert finish(pipeline) is None


def test_a_background_that_cannot_be_opened_is_taken_back(start):
    pipeline = start(background="none")
    until(lambda: len(Seen.images) > 3)
    pipeline.live.update(background__current="#00ff00")
    until(lambda: last_is((0, 255, 0)))
    kept = pipeline._processor.compositor.background._open
    pipeline.live.update(background__current="nowhere.jpg")
    until(lambda: pipeline.live.now.background.current == "#00ff00")
    pipeline.live.update(paused=True)  # it is refused then, too
    until(lambda: not last_is((0, 255, 0)))
    pipeline.live.update(background__current="nowhere.jpg")
    until(lambda: pipeline.live.now.background.current == "#00ff00")
    pipeline.live.update(paused=False)
    until(lambda: last_is((0, 255, 0)))
    assert pipeline._processor.compositor.background._open is kept  # a clip would begin again
    Seen.images.clear()
    assert finish(pipeline) is None


def test_switching_to_an_engine_that_cannot_be_opened_keeps_the_old_one(start, caplog):
    pipeline = start("room")
    until(lambda: pipeline.stats.engine == "room")
    pipeline.live.update(engine__name="rvm", engine__offline=True)
    until(lambda: pipeline.live.now.engine.name == "room")
    assert "room stays in use" in caplog.text
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 5)
    assert finish(pipeline) is None


def test_auto_without_weights_takes_the_offline_engine_and_says_why(start, caplog):
    pipeline = start("auto", offline=True)
    until(lambda: pipeline.stats.engine == "embedded")
    assert "rvm is not available, using embedded" in caplog.text
    assert "--offline" in caplog.text
    assert finish(pipeline) is None


def test_a_camera_that_changes_its_size_goes_on(start):
    pipeline = start()
    until(lambda: len(Seen.images) > 3)
    pipeline.source.size = (100, 50)
    until(lambda: pipeline.capture.size == (100, 50))
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 5)
    assert Seen.images[-1].shape == (36, 64, 3)  # sinks keep the size they were opened with
    assert finish(pipeline) is None


def test_recording_and_snapshots(start, tmp_path, monkeypatch):
    from realtime_bg.sinks import open_sink

    monkeypatch.setitem(SINKS, "null", Seen)
    monkeypatch.setattr(
        outlets,
        "open_sink",
        lambda spec, size, fps: (
            SINKS[spec]("", size, fps) if spec in SINKS else open_sink(spec, size, fps)
        ),
    )
    pipeline = start()
    pipeline.live.update(output__folder=tmp_path / "media")
    pipeline.live.modify(lambda s: {"snapshots": s.snapshots + 1})
    until(lambda: list(tmp_path.glob("media/*.png")))
    pipeline.live.update(output__record=True)
    until(lambda: list(tmp_path.glob("media/*.part.mp4")))
    count = len(Seen.images)
    until(lambda: len(Seen.images) > count + 10)
    pipeline.live.update(output__record=False)
    until(lambda: [p for p in tmp_path.glob("media/*.mp4") if ".part" not in p.name])
    import av
    import cv2

    assert (cv2.imread(str(next(tmp_path.glob("media/*.png")))) == (0, 255, 0)).all()
    with av.open(str(next(tmp_path.glob("media/*.mp4")))) as clip:
        assert sum(1 for _ in clip.decode(video=0)) >= 5
    assert finish(pipeline) is None


def test_duration_ends_it(start):
    live, stats = (
        Live(
            Settings(
                output={"sinks": ("null",)},
                engine={"name": "room"},
                background={"current": "#00ff00"},
            )
        ),
        Stats(),
    )
    pipeline = Pipeline(live, stats, Processor(live, stats, wait=False), RawSource(), RawSource)
    pipeline.run(duration=0.3)
    assert Seen.images
