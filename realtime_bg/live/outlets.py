"""Sinks on threads of their own: a slow or blocked one delays nobody else."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from realtime_bg.errors import RealtimeBgError, SinkError
from realtime_bg.frames import Composite
from realtime_bg.live.outlet import Outlet
from realtime_bg.live.recordings import media_folder, new_name
from realtime_bg.live.slot import Slot
from realtime_bg.settings import OutputSettings
from realtime_bg.settings.live import Live
from realtime_bg.sinks import classify, wanted_sinks
from realtime_bg.sinks.image import save_png
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

RETRY_PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between attempts; the last one repeats
BLOCKED = 10.0  # seconds after which a virtual camera that takes no picture is left behind


class Outlets:
    """The outlets that the settings ask for, now. Fed by the compositor's thread."""

    def __init__(
        self,
        live: Live,
        stats: Stats,
        fps: float,
        stop: Callable[[Exception], None],
        persistent: bool = False,
        extra: tuple[str, ...] = (),
        keep: bool = False,
    ) -> None:
        """``stop(error)`` ends the program: called when an output the user listed fails and
        none is left, unless it is ``persistent``. ``extra``: specs besides those of the settings.

        A virtual camera that is gone is opened again: always where the program is persistent,
        else if it has been there. ``keep``, for who opens the same outputs again and again: no
        video file is replaced; where there is talk.mp4, talk-2.mp4 is written."""
        self._live, self._stats, self._fps, self._stop = live, stats, fps, stop
        self._persistent, self._extra, self._keep = persistent, extra, keep
        self._broken: dict[str, tuple[int, float]] = {}  # attempts, and when the next one is due
        self.problems: dict[str, str] = {}  # of outputs that are waited for
        self._settings: OutputSettings | None = None
        self._open: dict[str, Outlet] = {}
        self._closing: list[Outlet] = []
        self._lock = threading.Lock()
        self._closed = False
        self._recording = ""
        self._names: set[Path] = set()  # of recordings and snapshots, also those not yet there
        self._snapshots = live.now.snapshots
        self.saved: list[str] = []  # what became of the snapshots: the last one's path or problem
        self.window: Slot[Composite] | None = None

    def send(self, composite: Composite) -> None:
        """Hand one composite to every sink; opens and closes sinks as the settings changed."""
        if self._closed:  # a compositor that hung may come back after the end
            return
        now = self._live.now
        if now.output is not self._settings or self._due():
            self._follow(now.output)
        if now.snapshots != self._snapshots:
            self._snapshots = now.snapshots
            self._snapshot(composite, now.output)
        with self._lock:
            outlets = list(self._open.values())
        for outlet in outlets:
            outlet.slot.put(composite)
            if outlet.spec in self._broken and outlet.worked:
                log.warning("output %s is back", outlet.spec)
                with self._lock:
                    self._broken.pop(outlet.spec, None)
                    self.problems.pop(outlet.spec, None)
        self._leave_blocked(outlets)
        if self.window is not None:
            self.window.put(composite)

    def watched(self) -> bool:
        """Whether somebody may be looking at any of it."""
        with self._lock:
            outlets = list(self._open.values())
        return self.window is not None or any(outlet.watched() for outlet in outlets)

    def specs(self) -> list[str]:
        """The outputs that are open."""
        with self._lock:
            return [outlet.spec for outlet in self._open.values() if outlet.worked]

    def _due(self) -> bool:
        if not self._broken:
            return False
        now = time.monotonic()
        with self._lock:
            return any(
                now >= at and spec not in self._open for spec, (_, at) in self._broken.items()
            )

    def _leave_blocked(self, outlets: list[Outlet]) -> None:
        """A virtual camera that takes nothing any more is replaced; its thread cannot be."""
        now = time.monotonic()
        for outlet in outlets:
            since = outlet.busy_since
            stuck = since is not None and now - since > BLOCKED
            if stuck and classify(outlet.spec)[0] == "virtualcam":
                outlet.close()
                self._sink_failed(outlet, SinkError(f"output {outlet.spec} takes no pictures"))

    def _follow(self, settings: OutputSettings) -> None:
        self._settings = settings
        wanted = [*wanted_sinks(settings), *self._extra]
        with self._lock:
            for spec in [spec for spec in self._broken if spec not in wanted]:
                del self._broken[spec]
                self.problems.pop(spec, None)
        if settings.record:
            wanted += self._recorded(settings)
        elif self._recording:
            log.warning("recorded %s", self._recording)
            self._stats.notice(f"recorded {self._recording}")
            self._recording, self._stats.recording_since = "", None
        with self._lock:
            self._closing = [outlet for outlet in self._closing if not outlet.join(0)]
            for spec in [spec for spec in self._open if spec not in wanted]:
                outlet = self._open.pop(spec)
                outlet.close()
                self._closing.append(outlet)
            before = {outlet.spec: outlet for outlet in self._closing}
            now = time.monotonic()
            for spec in () if self._closed else wanted:
                if spec not in self._open and now >= self._broken.get(spec, (0, now))[1]:
                    self._open[spec] = Outlet(
                        spec, self._fps, self._sink_failed, before.get(spec), self._keep
                    )

    def _recorded(self, settings: OutputSettings) -> list[str]:
        """The file of the running recording, or of one that starts now, if its folder can be."""
        if not self._recording:
            try:
                self._recording = str(new_name(media_folder(settings), ".mp4", self._names))
            except OSError as error:
                log.error("cannot record to %s (%s)", media_folder(settings), error.strerror)
                self._stats.notice("recording is not possible")
                self._live.update(output__record=False)
                return []
            self._stats.notice(f"recording {self._recording}")
            self._stats.recording_since = time.monotonic()
        return [self._recording]

    def _sink_failed(self, outlet: Outlet, error: Exception) -> None:
        spec = outlet.spec
        now = self._live.now.output
        with self._lock:
            current = self._open.get(spec) is outlet  # else replaced, or on its way out
            if current:
                del self._open[spec]
            left = bool(self._open) or self.window is not None
        is_camera = classify(spec)[0] == "virtualcam"
        if current and is_camera and (self._persistent or outlet.worked or spec in self._broken):
            self._retry(outlet, error)
            return
        if current and spec in now.sinks and not left and not self._persistent:
            self._stop(error)  # which says it
            return
        log.error("%s", error if isinstance(error, RealtimeBgError) else f"{spec}: {error!r}")
        self._stats.notice(f"output {spec} failed, see the terminal")
        if not current:
            return
        if spec == self._recording:
            self._recording, self._stats.recording_since = "", None
            self._live.update(output__record=False)
        elif is_camera:
            self._live.update(output__virtualcam=False)
        elif spec in now.sinks:
            self._live.modify(
                lambda s: {"output.sinks": tuple(one for one in s.output.sinks if one != spec)}
            )

    def _retry(self, outlet: Outlet, error: Exception) -> None:
        spec, text = outlet.spec, str(error)
        with self._lock:
            new = self.problems.get(spec) != text
            attempts = 0 if outlet.worked else self._broken.get(spec, (0, 0.0))[0]
            pause = RETRY_PAUSES[min(attempts, len(RETRY_PAUSES) - 1)]
            self._broken[spec] = attempts + 1, time.monotonic() + pause
            self.problems[spec] = text
        if new:
            log.error("%s; waiting for it", text)
            self._stats.notice(f"output {spec} is waited for")

    def _snapshot(self, composite: Composite, settings: OutputSettings) -> None:
        def write() -> None:
            try:
                path = new_name(media_folder(settings), ".png", self._names)
                save_png(composite, path)
            except (RealtimeBgError, OSError) as error:
                log.error("the snapshot could not be saved: %s", error)
                self._stats.notice("the snapshot could not be saved")
                self.saved = [f"the snapshot could not be saved: {error}"]
            else:
                log.warning("saved %s", path)
                self._stats.notice(f"saved {path}")
                self.saved = [str(path)]

        # Not daemon: a snapshot taken right before the end is still finished.
        threading.Thread(target=write, name="snapshot").start()

    def close(self, deadline: float) -> None:
        """Close all sinks and wait for them until ``deadline`` (monotonic seconds)."""
        with self._lock:
            self._closed, self._stats.recording_since = True, None
            outlets = [*self._open.values(), *self._closing]
            self._open.clear()
        for outlet in outlets:
            outlet.close()
        for outlet in outlets:
            if not outlet.join(deadline - time.monotonic()):
                log.error("output %s does not answer and is left behind", outlet.spec)
