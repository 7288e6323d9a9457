"""The capture thread: opens the source, passes its frames on, closes it while the program is paused
or has no viewer, and reopens it when it fails.

A driver may hang in any call, and a thread cannot be killed. The watchdog, which runs on the main
thread, then abandons the thread and starts another.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from realtime_bg.errors import RealtimeBgError, SourceError
from realtime_bg.frames import Frame, Size
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.slot import Closed
from realtime_bg.settings import SourceSettings
from realtime_bg.settings.live import Live
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats
from realtime_bg.system.backoff import Backoff
from realtime_bg.system.urls import without_password

log = logging.getLogger(__name__)

# Seconds without a frame after which a source that is no longer wanted is interrupted
STALLED = 2.0
OPENING = 15.0  # seconds that opening a source may take before its thread is abandoned
MAX_ABANDONED_THREADS = 10  # threads that hang in a driver; with more, a new process is better
REOPEN_PAUSES = (1.0, 1.0, 2.0, 5.0)  # seconds between attempts to open a source
RESTING_PERIOD = 0.05  # seconds between checks whether the camera is needed again
LAST_PICTURE_SECONDS = 0.5  # for which the last frame of a source that has ended stays visible
UNKNOWN_SIZE: Size = (1280, 720)  # size of outputs that are opened before the source
UNKNOWN_FPS = 30.0

OpenSource = Callable[[SourceSettings], Source]


class CaptureThread:
    """The state of one capture thread, read by the watchdog."""

    def __init__(self) -> None:
        self.active_at = time.monotonic()  # when it last made progress
        self.opening = False  # whether it is inside the opening of a source
        self.interrupted_at: float | None = None  # when its stalled source was asked to end

    def patience(self, source: Source | None, stall: float) -> float:
        """How many seconds it may go without progress. ``stall``: how long the source may be
        silent."""
        waiting = False
        if source is not None:
            stall, waiting = max(stall, 3.0 / source.fps), source.waiting
            if waiting:
                self.active_at = max(self.active_at, source.tried)
        return max(stall, OPENING) if self.opening or waiting else stall


class Capture:
    """The source in use and the thread that reads it."""

    def __init__(
        self,
        live: Live,
        stats: Stats,
        run: Lifecycle,
        source: Source | None,
        opener: OpenSource,
        hand_on: Callable[[Frame], None],
        resting: Callable[[], bool],
        persistent: bool,
    ) -> None:
        """``source`` is already open, or None: then ``opener`` opens it when it is needed.
        ``opener`` also reopens it after a pause or a change. ``hand_on`` receives every frame, on
        the capture thread. ``resting`` says whether the camera has to be closed now, because the
        program is paused or has no viewer. ``persistent``: a failing source is always reopened."""
        self._live, self._stats, self._run = live, stats, run
        self.opener, self._hand_on, self._resting = opener, hand_on, resting
        self._persistent = persistent
        self.source: Source | None = source
        self.source_settings = live.now.source  # of the open source, or the last one
        self.size: Size = source.size if source else live.now.source.size or UNKNOWN_SIZE
        self.fps = source.fps if source else live.now.source.fps or UNKNOWN_FPS
        self.problem = ""  # why there is no camera
        self.abandoned_threads = 0
        self._thread = CaptureThread()
        # Held while a thread that has opened a source becomes its owner, or is abandoned: a source
        # must not be left to a thread that nobody waits for.
        self._changing = threading.Lock()
        self._backoff = Backoff(*REOPEN_PAUSES)
        self._interrupted = False  # whether the source ends because it was asked to
        self._last_frame_at = time.monotonic()
        self._epoch = -1  # of the last frame
        self._epochs = 0  # of all earlier sources, each of which counts from 0
        run.at_stop(self._close_source)

    def start(self) -> None:
        """Start a capture thread; an earlier one is abandoned."""
        thread = self._thread = CaptureThread()
        self._run.start(lambda: self._capture(thread), "capture")

    def reopen(self) -> None:
        """Close and reopen the source, for example after the computer slept. Callable from any
        thread."""
        if self.source is not None:
            self._interrupted = True
            self._close_source()

    def _close_source(self) -> None:
        if (source := self.source) is not None:
            source.close()

    # on the capture thread

    def _capture(self, thread: CaptureThread) -> None:
        try:
            while not self._run.stopping.is_set() and thread is self._thread:
                thread.active_at, thread.interrupted_at = time.monotonic(), None
                if self._resting():
                    self._release()
                    self._run.stopping.wait(RESTING_PERIOD)
                elif self._reopened(thread):
                    self._pump_on(thread)
        finally:
            if thread is self._thread:
                self._release()

    def _pump_on(self, thread: CaptureThread) -> None:
        """`_pump`, and reopen a source that fails if the program is persistent."""
        try:
            self._pump(thread)
        except Exception as error:
            if thread is not self._thread:
                raise Closed from error
            if not self._persistent:
                raise
            self._complain(error)
            self._release()
            self._pause()

    def _pump(self, thread: CaptureThread) -> None:
        """Pass frames on until the source ends, or until the settings name another source or
        none."""
        source = self.source
        assert source is not None
        with closing(iter(source)) as frames:
            while True:
                with self._stats.stage("capture"):
                    frame = next(frames, None)
                if thread is not self._thread:  # abandoned while it hung
                    source.close()
                    raise Closed
                unwanted = self._live.now.source != self.source_settings
                if self._run.stopping.is_set() or self._resting() or unwanted:
                    return
                if frame is None:
                    self._finish()
                    return
                if self._epochs:
                    frame = replace(frame, epoch=self._epochs + frame.epoch)
                self._epoch = frame.epoch
                self._last_frame_at = thread.active_at = time.monotonic()
                self.size, self.problem = frame.size, ""
                self._backoff.succeeded()
                self._hand_on(frame)

    def _finish(self) -> None:
        """The source has ended by itself: keep the last frame visible for a moment, then stop."""
        if self._interrupted or self._persistent:
            pause = not self._interrupted
            self._release()
            if pause:
                self._pause()
            return
        self._run.finished.set()
        self._run.stopping.wait(LAST_PICTURE_SECONDS)
        self._run.stop()

    def _release(self) -> None:
        self._interrupted = False
        source, self.source = self.source, None
        if source is not None:
            source.close()

    def _complain(self, error: Exception) -> None:
        """Report why there is no camera, once per reason."""
        text = str(error) if isinstance(error, RealtimeBgError) else repr(error)
        if text != self.problem:
            log.warning("%s", text)
        self.problem = text
        self._stats.notice(text)

    def _pause(self) -> None:
        self._run.stopping.wait(self._backoff.failed())

    def _reopened(self, thread: CaptureThread) -> bool:
        """Open the source that the settings name; if that fails, keep the old one."""
        wanted = self._live.now.source
        if self.source is not None and wanted == self.source_settings:
            return True
        thread.opening = True
        try:
            source = self.opener(wanted)
        except RealtimeBgError as error:
            if thread is not self._thread:
                raise Closed from None
            self._complain(error)
            if self.source is not None:
                tried, before = wanted.model_dump(), self.source_settings.model_dump()
                self._live.take_back({"source": tried}, {"source": before}, str(error))
                return True
            self._pause()
            return False
        finally:
            thread.opening = False
        with self._changing:
            abandoned = thread is not self._thread
            if not abandoned:
                replaced, self.source, self.source_settings = self.source, source, wanted
                self._interrupted = False
        if abandoned:
            source.close()
            raise Closed
        if replaced is not None:
            replaced.close()
        log.log(logging.WARNING if self.problem else logging.INFO, "%s", source.description)
        self._epochs = self._epoch + 1
        thread.active_at = time.monotonic()
        self._live.confirm("source.spec", wanted.spec)
        self._live.modify(lambda s: {"resets": s.resets + 1})
        if self._run.stopping.is_set():
            self._release()
        return self.source is not None

    # on the main thread

    def supervise(self, running_since: float = 0.0) -> None:
        """Interrupt a source that has stalled, or that is waiting although it is no longer wanted.
        If that does not help, abandon it together with its thread. Only the time after
        ``running_since`` (monotonic seconds, see `Standstill`) counts."""
        now = time.monotonic()
        unwanted = self._resting() or self._live.now.source != self.source_settings
        if unwanted and now - self._last_frame_at > STALLED:
            self.reopen()
        thread = self._thread
        if self._resting() or self._run.finished.is_set():
            thread.active_at = now
            return
        patience = thread.patience(self.source, self._live.now.source.stall)
        if now - max(thread.active_at, running_since) < patience:
            return
        if thread.interrupted_at is None:
            thread.interrupted_at, self.problem = now, "it sends no frames"
            spec = without_password(self.source_settings.spec)
            log.warning("%s has sent no frames for %g s; reopening it", spec, patience)
            self._stats.notice("the camera has stalled")
            self.reopen()
        elif now - max(thread.interrupted_at, running_since) > STALLED:
            self._abandon_thread()

    def _abandon_thread(self) -> None:
        spec = without_password(self.source_settings.spec)
        self.abandoned_threads += 1
        if self.abandoned_threads > MAX_ABANDONED_THREADS:
            self._run.stop(SourceError(f"{spec}: its driver hangs"))
            return
        log.error("%s hangs in its driver and is abandoned", spec)
        with self._changing:
            self.source, self._interrupted = None, False
            self.start()
