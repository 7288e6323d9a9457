"""Live use: capture, inference, composition and every sink on a thread of its own.

    source -> [slot] -> engine -> [slot] -> compositor -> [slot] -> sink, one per sink

Each slot holds the newest item only, so nothing queues up. The main thread runs the preview
window, if there is one, and the watchdog. Stopping is one call, from anywhere: `Pipeline.stop`.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np

from realtime_bg.errors import RealtimeBgError, SourceError
from realtime_bg.frames import Composite, Frame, Item, Matte, Size
from realtime_bg.imaging.flow import Flow, carried
from realtime_bg.live.demand import Demand
from realtime_bg.live.outlets import Outlets
from realtime_bg.live.slot import Closed, Slot
from realtime_bg.processing.compositor import shows_camera
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, SourceSettings
from realtime_bg.settings.live import Live
from realtime_bg.sinks.window import WindowSink
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats
from realtime_bg.steering.keys import click, press

log = logging.getLogger(__name__)

# For all threads together, so that the whole stop stays under two seconds; files come first.
STOP_SECONDS = 1.8
SINK_SECONDS = 1.4
STALLED = 2.0  # seconds without a frame after which a source no longer wanted is interrupted
CLOSED_PERIOD = 0.1  # seconds between pictures while there is no person to show
LOOK = 0.1  # seconds after which a wait for a picture looks whether the last one may stay
PAUSED_PERIOD = 0.2
ASLEEP_PERIOD = 0.08  # a reader gets its first picture as soon
CARRIED = 0.25  # seconds for which a matte may be moved along with the picture
REOPEN_PAUSES = (1.0, 1.0, 2.0, 5.0)  # seconds between attempts to open a source; the last repeats
OPENING = 15.0  # seconds the opening of a source may take before its thread is given up
HANDS = 10  # so many threads that hang in a driver may be given up; a new process is better then
UNKNOWN_SIZE: Size = (1280, 720)  # of outputs that are opened before the source is
UNKNOWN_FPS = 30.0

OpenSource = Callable[[SourceSettings], Source]


class _Hand:
    """What one capture thread knows of itself; the watchdog reads it."""

    def __init__(self) -> None:
        self.moved = time.monotonic()  # when it last was seen to do something
        self.opening = False
        self.told = 0.0  # when its source was asked to end because it had stalled


class Pipeline:
    """Runs one source through one processor into the settings' sinks until it is stopped."""

    def __init__(
        self,
        live: Live,
        stats: Stats,
        processor: Processor,
        source: Source | None,
        opener: OpenSource,
        *,
        demand: Demand | None = None,
        persistent: bool = False,
        keep: bool = False,
        extra_sinks: tuple[str, ...] = (),
    ) -> None:
        """``source`` is open already, or None: then ``opener``, which also opens it again after a
        pause or a change, does so when it is needed. ``demand``: whether somebody looks; None:
        always. ``persistent``: a source or an output that fails never ends it. ``keep``: no
        video file that is there is written over. ``extra_sinks``: outputs besides those of the
        settings."""
        self._live, self._stats, self._processor = live, stats, processor
        self._source: Source | None = source
        self._source_settings = live.now.source
        self._opener, self._demand, self._persistent = opener, demand, persistent
        self._size = source.size if source else live.now.source.size or UNKNOWN_SIZE
        fps = source.fps if source else live.now.source.fps or UNKNOWN_FPS
        self._frames: Slot[Frame] = Slot()
        self._items: Slot[Item] = Slot()
        self._newest: Slot[Frame] = Slot()  # what is shown with an earlier matte, if so wished
        self._matte: Matte | None = None
        self._flow = Flow()
        self._outlets = Outlets(live, stats, fps, self.stop, persistent, extra_sinks, keep)
        self._stopping = threading.Event()
        self._finished = threading.Event()
        self._error: Exception | None = None
        self._threads: dict[str, threading.Thread] = {}
        self._asked_to_stop = self._interrupted = self._holding = False
        self._last_frame = self.composed = time.monotonic()
        self._hand = _Hand()
        self._given_up = self._attempts = 0
        self._epoch = -1  # of the last frame
        self._epochs = 0  # of the sources before this one, each of which counts from 0
        self._problem = ""

    @property
    def asleep(self) -> bool:
        """Whether the camera is closed because nobody looks."""
        return self._demand is not None and not self._demand.awake

    @property
    def state(self) -> str:
        """What it is doing, in a few words."""
        if self._live.now.paused:
            return "paused"
        if self.asleep:
            return "asleep: nobody looks"
        if self._holding:
            return "frozen"
        if self._source is None or self._source.waiting or not self._stats.fps:
            waiting = self._source is None or self._source.waiting
            why = f": {self._problem}" if self._problem else ""
            return f"waiting for the camera{why}" if waiting else "starting"
        return "running"

    @property
    def camera_open(self) -> bool:
        """Whether the source is, or is about to be, in use."""
        return self._source is not None

    @property
    def outlets(self) -> Outlets:
        """Where its pictures go."""
        return self._outlets

    def run(
        self,
        window: WindowSink | None = None,
        duration: float | None = None,
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Run until the source ends, ``duration`` seconds passed, a key or a signal stops it.

        Call it on the main thread, which calls ``tick`` about ten times a second. Re-raises the
        first error of any thread.
        """
        end = None if duration is None else time.monotonic() + duration
        if window is not None:
            self._outlets.window = Slot()
        self._start_capture()
        self._start_inference()
        self._start(self._compose, "compositor")
        try:
            while not self._done(end):
                self._watch()
                if tick is not None:
                    tick()
                if window is None:
                    self._stopping.wait(0.1)
                elif not self._show(window):
                    break
        finally:
            self.stop()
            self._join(window)
        if self._error is not None:
            raise self._error

    def ask_to_stop(self) -> None:
        """For signal handlers: only sets a flag, because a handler may interrupt any lock."""
        self._asked_to_stop = True

    def _done(self, end: float | None) -> bool:
        late = end is not None and time.monotonic() >= end
        return late or self._asked_to_stop or self._stopping.is_set()

    def stop(self, error: Exception | None = None) -> None:
        """End everything, from any thread. Idempotent; the first error wins."""
        if error is not None and self._error is None:
            self._error = error
        self._stopping.set()
        for slot in (self._frames, self._items, self._newest):
            slot.close()
        source = self._source
        if source is not None:
            source.close()

    def reopen_source(self) -> None:
        """Close the source and open it anew, as after a computer slept. From any thread."""
        source = self._source
        if source is not None:
            self._interrupted = True
            source.close()

    def _join(self, window: WindowSink | None) -> None:
        begin = time.monotonic()
        # The compositor first: it feeds the outlets. They get most of the time, since files are
        # finished there, while a hung engine or camera would only use it up.
        self._threads.pop("compositor").join(STOP_SECONDS - SINK_SECONDS)
        self._outlets.close(begin + SINK_SECONDS)
        if window is not None:
            window.close()
        for name, thread in self._threads.items():
            thread.join(max(0.0, begin + STOP_SECONDS - time.monotonic()))
            if thread.is_alive():
                log.warning("the %s thread does not answer and is left behind", name)
        if not self._threads["inference"].is_alive():
            self._processor.close()

    def _start(self, target: Callable[[], None], name: str) -> None:
        def run() -> None:
            try:
                target()
            except Closed:
                pass
            except Exception as error:
                if not isinstance(error, RealtimeBgError):
                    log.debug("in %s", name, exc_info=True)
                self.stop(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads[name] = thread
        thread.start()

    # capture

    def _start_capture(self) -> None:
        hand = self._hand = _Hand()
        self._start(lambda: self._capture(hand), "capture")

    def _capture(self, hand: _Hand) -> None:
        try:
            while not self._stopping.is_set() and hand is self._hand:
                hand.moved, hand.told = time.monotonic(), 0.0
                if self._resting():
                    self._release()
                    self._stopping.wait(0.05)
                elif self._reopened(hand):
                    self._pump_on(hand)
        finally:
            if hand is self._hand:
                self._release()

    def _resting(self) -> bool:
        return self._live.now.paused or self.asleep

    def _pump_on(self, hand: _Hand) -> None:
        """`_pump`; where the program is to go on whatever happens, a source that fails is opened
        again."""
        try:
            self._pump(hand)
        except Exception as error:
            if hand is not self._hand:
                raise Closed from error
            if not self._persistent:
                raise
            self._complain(error)
            self._release()
            self._pause()

    def _pump(self, hand: _Hand) -> None:
        """Hand frames on until the source ends, or the settings ask for another or none."""
        source = self._source
        assert source is not None
        with closing(iter(source)) as frames:
            while True:
                with self._stats.stage("capture"):
                    frame = next(frames, None)
                if hand is not self._hand:  # given up while it hung
                    source.close()
                    raise Closed
                unwanted = self._live.now.source != self._source_settings
                if self._stopping.is_set() or self._resting() or unwanted:
                    return
                if frame is None:
                    self._finish()
                    return
                if self._epochs:
                    frame = replace(frame, epoch=self._epochs + frame.epoch)
                self._epoch = frame.epoch
                self._last_frame = hand.moved = time.monotonic()
                self._size, self._attempts, self._problem = frame.size, 0, ""
                self._frames.put(frame)
                if self._live.now.output.sync == "lowest-latency":
                    self._newest.put(frame)
                self._stats.dropped = self._frames.dropped + self._items.dropped

    def _finish(self) -> None:
        """The source ended by itself: let the last frame be seen, then stop."""
        if self._interrupted or self._persistent:
            pause = not self._interrupted
            self._release()
            if pause:
                self._pause()
            return
        self._finished.set()
        self._stopping.wait(0.5)
        self.stop()

    def _release(self) -> None:
        self._interrupted = False
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _complain(self, error: Exception) -> None:
        """Say why there is no camera, once for each reason."""
        text = str(error) if isinstance(error, RealtimeBgError) else repr(error)
        if text != self._problem:
            log.warning("%s", text)
        self._problem = text
        self._stats.notice("the camera cannot be opened")

    def _pause(self) -> None:
        self._attempts += 1
        self._stopping.wait(REOPEN_PAUSES[min(self._attempts, len(REOPEN_PAUSES)) - 1])

    def _reopened(self, hand: _Hand) -> bool:
        """Make the open source the one the settings ask for; a bad change keeps the old one."""
        wanted = self._live.now.source
        if self._source is not None and wanted == self._source_settings:
            return True
        hand.opening = True
        try:
            source = self._opener(wanted)
        except RealtimeBgError as error:
            if hand is not self._hand:
                raise Closed from None
            self._complain(error)
            if self._source is not None:
                self._live.take_back(
                    {"source": wanted.model_dump()}, {"source": self._source_settings.model_dump()}
                )
                return True
            self._pause()
            return False
        finally:
            hand.opening = False
        if hand is not self._hand:
            source.close()
            raise Closed
        self._release()
        log.log(logging.WARNING if self._problem else logging.INFO, "%s", source.description)
        self._source, self._source_settings = source, wanted
        self._epochs = self._epoch + 1
        hand.moved = time.monotonic()
        self._live.modify(lambda s: {"resets": s.resets + 1})
        if self._stopping.is_set():
            self._release()
        return self._source is not None

    # inference

    def _start_inference(self) -> None:
        matting = self._processor.matting
        self._start(lambda: self._infer(matting), "inference")

    def _infer(self, matting: Matting) -> None:
        if self.asleep:
            self._warm_up(matting)
        while True:
            frame = self._frames.take()
            assert frame is not None
            if self._holding:
                continue
            try:
                item = self._processor.matte(frame, matting)
            finally:
                if matting is not self._processor.matting:  # given up while it hung
                    matting.close()
                    raise Closed
            self._items.put(item)

    def _warm_up(self, matting: Matting) -> None:
        """Load the engine before the first reader comes; what it says of nothing goes nowhere."""
        width, height = self._size
        nothing = Frame(np.zeros((height, width, 3), np.uint8), 0, time.monotonic(), epoch=-1)
        self._processor.matte(nothing, matting)

    def _watch(self) -> None:
        """What no thread can do for itself: leave an engine that hangs (a thread cannot be
        killed) and interrupt a wait for a source that is no longer wanted."""
        now, matting = self._live.now, self._processor.matting
        since, hang = matting.busy_since, now.engine.hang
        if since is not None and time.monotonic() - since > hang:
            self._processor.matting = matting.abandoned(f"has not answered for {hang:g} s")
            self._start_inference()
        source = self._source
        unwanted = self._resting() or now.source != self._source_settings
        if source is not None and unwanted and time.monotonic() - self._last_frame > STALLED:
            self._interrupted = True
            source.close()
        self._watch_capture(time.monotonic())
        if self._demand is not None:
            before = self._demand.awake
            if self._demand.update(not now.output.on_demand or self._outlets.watched()) != before:
                log.info("nobody looks: the camera is closed" if before else "somebody looks")

    def _watch_capture(self, now: float) -> None:
        """Interrupt a source that has stalled; leave it, and its thread, when that is no use."""
        hand, source = self._hand, self._source
        if self._resting() or self._finished.is_set():
            hand.moved = now
            return
        stall, waiting = self._live.now.source.stall, False
        if source is not None:
            stall, waiting = max(stall, 3.0 / source.fps), source.waiting
            if waiting:
                hand.moved = max(hand.moved, source.tried)
        if hand.opening or waiting:
            stall = max(stall, OPENING)
        if now - hand.moved < stall:
            return
        if not hand.told:
            hand.told, self._problem = now, "it sends nothing"
            log.warning(
                "%s has sent nothing for %g s; opening it again", self._source_settings.spec, stall
            )
            self._stats.notice("the camera has stalled")
            self.reopen_source()
        elif now - hand.told > STALLED:
            self._given_up += 1
            if self._given_up > HANDS:
                self.stop(SourceError(f"{self._source_settings.spec}: its driver hangs"))
                return
            log.error("%s hangs in its driver and is left behind", self._source_settings.spec)
            self._source, self._interrupted = None, False
            self._start_capture()

    # composition

    def _compose(self) -> None:
        last: Composite | None = None
        whole = False  # whether `last` is more than a card, and may be held
        camera_shown = False  # whether `last` is the camera's own picture, as the user chose
        index, good_until = 0, 0.0
        while True:
            now = self._live.now
            waits = max(0.0, good_until - time.monotonic())
            period = PAUSED_PERIOD if now.paused else max(waits, CLOSED_PERIOD)
            period = ASLEEP_PERIOD if self.asleep else period
            item = self._awaited(now, period)
            now = self._live.now
            leaves_camera = camera_shown and not shows_camera(now)
            resting = now.paused or self.asleep
            self._holding = now.frozen and whole and not resting and not leaves_camera
            if resting:
                text = "Camera paused" if now.paused else "One moment"
                last, whole, camera_shown = self._closed(index, text), False, False
            elif self._holding and last is not None:
                last = self._processor.compositor.again(last, now)
            elif item is not None and self._age(item) <= now.privacy.max_age:
                last, whole = self._processor.compose(item), True
                # The setting may have changed in between: either way counts as shown.
                camera_shown = shows_camera(now) or shows_camera(self._live.now)
                index = last.index
                good_until = last.time + now.privacy.max_age
                self._stats.tick()
                self._stats.add("latency", time.monotonic() - last.time)
            elif not self._finished.is_set():
                last, whole, camera_shown = self._closed(index), False, False
            self.composed = time.monotonic()
            with self._stats.stage("hand-over"):
                if last is not None:
                    self._outlets.send(last)

    def _awaited(self, before: Settings, seconds: float) -> Item | None:
        """What to compose next; None after ``seconds``, or soon after the last picture must not
        stay: the user has paused, or leaves the camera's own picture."""
        locked = before.output.sync == "locked" or before.paused or self.asleep
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            item = (self._items.take if locked else self._at_once)(max(0.0, min(left, LOOK)))
            now = self._live.now
            hides = (now.paused and not before.paused) or shows_camera(before) > shows_camera(now)
            if item is not None or left <= LOOK or hides:
                return item

    def _at_once(self, waits: float) -> Item | None:
        """The newest frame with the newest matte, moved along while that makes sense; then, like
        `locked`, the next matte or, after ``waits`` seconds, None."""
        end = time.monotonic() + waits
        frame = self._newest.take(waits)
        waits = max(0.0, end - time.monotonic())
        item, matte = self._next_item(0), self._matte
        if frame is None or matte is None or matte.lost or matte.frame.epoch != frame.epoch:
            return item or self._next_item(waits)
        # Always from a matte of the engine's own: one that hangs cannot be carried on for ever.
        if 0 < frame.time - matte.frame.time < CARRIED:
            return carried(matte, frame, self._flow)
        return item or self._next_item(waits)

    def _next_item(self, waits: float) -> Item | None:
        """What inference hands over next; a matte that can be moved along is remembered."""
        item = self._items.take(waits)
        if item is not None:
            self._matte = item if isinstance(item, Matte) and item.guide is not None else None
        return item

    def _closed(self, index: int, text: str = "") -> Composite:
        return self._processor.closed(self._size, index, text)

    @staticmethod
    def _age(item: Item) -> float:
        frame = item if isinstance(item, Frame) else item.frame
        return time.monotonic() - frame.time

    # the window, on the main thread

    def _show(self, window: WindowSink) -> bool:
        """Show the newest picture and obey keys and clicks; False when the user is done."""
        assert self._outlets.window is not None
        composite = self._outlets.window.take(0.03)
        if composite is not None:
            window.send(composite)
            background = self._live.now.background.current
            recording = " - REC" if self._stats.recording_since else ""
            window.title(f"realtime-bg - {self._stats.fps:.0f} fps - {background}{recording}")
        goes_on = all(press(self._live, key) for key in window.typed())
        for point in window.clicked():
            click(self._live, point)
        return goes_on and window.is_open()
