"""The live pipeline: capture, inference, composing and every sink on its own thread; starting,
pausing and stopping.

    source -> [slot] -> engine -> [slot] -> compositor -> [slot] -> sink, one per sink

Each slot holds only the newest item, so nothing queues up. The main thread runs the watchdog and,
if there is one, the preview window. `Pipeline.stop` stops everything, from any thread.
"""

import logging
import time
from collections.abc import Callable, Mapping

from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Frame, Item
from realtime_bg.live.capture import Capture, OpenSource
from realtime_bg.live.composing import Composing
from realtime_bg.live.demand import Demand
from realtime_bg.live.inference import Inference
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.outlet import OpenSink
from realtime_bg.live.outlets import Outlets
from realtime_bg.live.slot import Slot
from realtime_bg.live.standstill import Standstill
from realtime_bg.processing.processor import Processor
from realtime_bg.settings.live import Live
from realtime_bg.sinks.window import WindowSink
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats
from realtime_bg.steering.keys import click, press

log = logging.getLogger(__name__)

# For all threads together, so that stopping takes less than two seconds; files come first.
STOP_SECONDS = 1.8
SINK_SECONDS = 1.4
WATCH_PERIOD = 0.1
PREVIEW_SECONDS = 0.03  # longest wait for a picture of the preview


class Pipeline:
    """Runs one source through one processor into the sinks of the settings until it is stopped."""

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
        extra_sinks: Mapping[str, OpenSink] | None = None,
    ) -> None:
        """``source`` is already open, or None: then ``opener`` opens it when it is needed.
        ``opener`` also reopens it after a pause or a change. ``demand`` decides by the viewers
        whether the camera runs; None: always. ``persistent``: a failing source or output never ends
        the run. ``keep``: existing video files are not overwritten. ``extra_sinks``: additional
        sinks by name."""
        self._live, self._stats, self._processor, self._demand = live, stats, processor, demand
        run = self._run = Lifecycle()
        self._frames: Slot[Frame] = Slot()
        self._items: Slot[Item] = Slot()
        self._newest: Slot[Frame] = Slot()
        run.at_stop(self._frames.close, self._items.close, self._newest.close)
        self.capture = Capture(
            live, stats, run, source, opener, self._hand_on, self._resting, persistent
        )
        self.outlets = Outlets(
            live, stats, self.capture.fps, self.stop, persistent, extra_sinks, keep
        )
        self.composing = Composing(
            live,
            stats,
            run,
            processor,
            self._items,
            self._newest,
            self.outlets,
            lambda: self.capture.size,
            lambda: self.asleep,
        )
        self._inference = Inference(
            run, processor, self._frames, self._items, lambda: self.composing.holding
        )
        self._standstill = Standstill()

    @property
    def asleep(self) -> bool:
        """Whether the camera is closed because no output has a viewer."""
        return self._demand is not None and not self._demand.awake

    @property
    def state(self) -> str:
        """What the pipeline is doing, in a few words."""
        if self._live.now.paused:
            return "paused"
        if self.asleep:
            return "idle: no viewers"
        if self.composing.holding:
            return "frozen"
        source = self.capture.source
        if source is None or source.waiting:
            why = self.capture.problem
            return f"waiting for the camera{f': {why}' if why else ''}"
        return "running" if self._stats.fps else "starting"

    @property
    def camera_open(self) -> bool:
        """Whether the source is in use or about to be."""
        return self.capture.source is not None

    def run(
        self,
        window: WindowSink | None = None,
        duration: float | None = None,
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Run until the source ends, ``duration`` seconds have passed, or a key or a signal stops
        it.

        Must be called on the main thread. ``tick`` is called about ten times a second. Re-raises
        the first error of any thread.
        """
        end = None if duration is None else time.monotonic() + duration
        if window is not None:
            self.outlets.window = Slot()
        self.capture.start()
        self._inference.start(warm_up=self.capture.size if self.asleep else None)
        self.composing.start()
        try:
            while not self._done(end):
                self._supervise()
                if tick is not None:
                    tick()
                if window is None:
                    self._run.stopping.wait(WATCH_PERIOD)
                elif not self._show(window):
                    break
        finally:
            self.stop()
            self._join(window)
        if self._run.error is not None:
            raise self._run.error

    def _done(self, end: float | None) -> bool:
        late = end is not None and time.monotonic() >= end
        return late or self._run.stopping.is_set()

    def stop(self, error: Exception | None = None) -> None:
        """End everything, from any thread. Idempotent; only the first error is kept."""
        self._run.stop(error)

    def _join(self, window: WindowSink | None) -> None:
        begin = time.monotonic()
        # The compositor first, because it feeds the outlets. The outlets get most of the time,
        # because they finish files, while a hung engine or camera would only use it up.
        self._run.join("compositor", begin + STOP_SECONDS - SINK_SECONDS)
        self.outlets.close(begin + SINK_SECONDS)
        if window is not None:
            window.close()
        ended = {
            name: self._run.join(name, begin + STOP_SECONDS) for name in ("capture", "inference")
        }
        for name in [name for name, has_ended in ended.items() if not has_ended]:
            log.warning("the %s thread does not respond and is abandoned", name)
        if ended["inference"]:
            self._processor.close()

    def _resting(self) -> bool:
        return self._live.now.paused or self.asleep

    def _hand_on(self, frame: Frame) -> None:
        """Pass a frame to inference and, if it must not wait for its matte, also to composing."""
        self._frames.put(frame)
        if self._live.now.output.sync == "lowest-latency":
            self._newest.put(frame)
        self._stats.dropped = self._frames.dropped + self._items.dropped

    def _supervise(self) -> None:
        """The watchdog, see `Inference.supervise` and `Capture.supervise`."""
        now = self._live.now
        if self._standstill.update():
            self.composing.composed_at = time.monotonic()
        since = self.outlets.running_since = self._standstill.since
        self._inference.supervise(now.engine.hang, since)
        self.capture.supervise(since)
        if self._demand is not None:
            before = self._demand.awake
            awake = self._demand.update(not now.output.on_demand or self.outlets.has_viewers())
            if awake != before:
                log.info("an output has a viewer" if awake else "no viewers: the camera is closed")

    def _show(self, window: WindowSink) -> bool:
        """Show the newest picture and handle keys and clicks. False when the user wants to quit."""
        assert self.outlets.window is not None
        composite = self.outlets.window.take(PREVIEW_SECONDS)
        if composite is not None:
            window.send(composite)
            background = self._live.now.background.current
            recording = " - REC" if self._stats.recording_since else ""
            window.title(f"realtime-bg - {self._stats.fps:.0f} fps - {background}{recording}")
        goes_on = all(self._press(key) for key in window.typed())
        for point in window.clicked():
            click(self._live, point, self._stats.shown_part)
        return goes_on and window.is_open()

    def _press(self, key: str) -> bool:
        try:
            return press(self._live, key)
        except RealtimeBgError as error:
            log.warning("%s", error)
            self._stats.notice(str(error))
            return True
