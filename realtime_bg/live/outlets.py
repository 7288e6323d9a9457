"""The outputs that the settings name: opens, closes and, when they fail, reopens them."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from realtime_bg.errors import RealtimeBgError, SinkError
from realtime_bg.frames import Composite, Size
from realtime_bg.live.outlet import OpenSink, Outlet
from realtime_bg.live.recordings import Recordings, beside_what_is_there
from realtime_bg.live.slot import Slot
from realtime_bg.settings import OutputSettings
from realtime_bg.settings.live import Live
from realtime_bg.sinks import is_camera, open_sink, wanted_sinks
from realtime_bg.sinks.base import Sink
from realtime_bg.sinks.cameras import CameraSink
from realtime_bg.stats import Stats
from realtime_bg.system.backoff import Retry

log = logging.getLogger(__name__)

RETRY_PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between attempts to reopen an output
BLOCKED = 10.0  # seconds after which a virtual camera that takes no picture is abandoned


class Outlets:
    """Fed by the compositor's thread; sinks may fail on their own threads."""

    def __init__(
        self,
        live: Live,
        stats: Stats,
        fps: float,
        stop: Callable[[Exception], None],
        persistent: bool = False,
        extra: Mapping[str, OpenSink] | None = None,
        keep: bool = False,
    ) -> None:
        """``stop(error)`` ends the program; it is called when an output that the user listed fails
        and none is left, unless the program is ``persistent``. ``extra``: additional sinks by name.

        A virtual camera that disappears is reopened: always if the program is persistent, otherwise
        only if it has worked before. ``keep``, for callers that open the same outputs repeatedly:
        no video file is replaced; if talk.mp4 exists, talk-2.mp4 is written."""
        self._live, self._stats, self._fps, self._stop = live, stats, fps, stop
        self.running_since = 0.0  # monotonic seconds, see `Standstill`; set by the watchdog
        self._persistent, self._extra, self._keep = persistent, dict(extra or {}), keep
        self._retries: dict[str, Retry] = {}
        self._settings: OutputSettings | None = None
        self._open: dict[str, Outlet] = {}
        self._closing: list[Outlet] = []
        self._lock = threading.Lock()
        self._closed = False
        self.recordings = Recordings(live, stats)
        self.window: Slot[Composite] | None = None

    def send(self, composite: Composite) -> None:
        """Pass one composite to every sink; open and close sinks as the settings have changed."""
        if self._closed:  # a compositor that hung may return after the end
            return
        now = self._live.now
        if now.output is not self._settings or self._due():
            self._follow(now.output)
        self.recordings.take_snapshots(composite)
        with self._lock:
            outlets = list(self._open.values())
        for outlet in outlets:
            outlet.slot.put(composite)
            if outlet.worked and outlet.spec in self._retries:
                log.warning("output %s is back", outlet.spec)
                with self._lock:
                    self._retries.pop(outlet.spec, None)
        self._leave_blocked(outlets)
        if self.window is not None:
            self.window.put(composite)

    def has_viewers(self) -> bool:
        """Whether any output may have a viewer."""
        with self._lock:
            outlets = list(self._open.values())
        return self.window is not None or any(outlet.has_viewers() for outlet in outlets)

    def specs(self) -> list[str]:
        """The outputs that are open."""
        with self._lock:
            return [outlet.spec for outlet in self._open.values() if outlet.worked]

    def cameras(self) -> dict[str, str]:
        """What the open cameras for other programs are, by spec."""
        return {spec: at.description for spec, at in self._cameras().items()}

    def viewers(self) -> list[str]:
        """The names of the programs that show these cameras, as far as they are known."""
        return sorted({name for at in self._cameras().values() for name in at.viewers()})

    def _cameras(self) -> dict[str, CameraSink]:
        with self._lock:
            sinks = {spec: outlet.sink for spec, outlet in self._open.items()}
        return {spec: at for spec, at in sinks.items() if isinstance(at, CameraSink)}

    @property
    def problems(self) -> dict[str, str]:
        """The problems of the outputs that will be reopened, by spec."""
        with self._lock:
            return {spec: retry.problem for spec, retry in self._retries.items()}

    def _due(self) -> bool:
        if not self._retries:
            return False
        now = time.monotonic()
        with self._lock:
            return any(
                now >= retry.due and spec not in self._open for spec, retry in self._retries.items()
            )

    def _leave_blocked(self, outlets: list[Outlet]) -> None:
        """Replace virtual cameras that no longer take pictures; their threads cannot be killed."""
        now = time.monotonic()
        for outlet in outlets:
            since = outlet.busy_since
            if (
                since is not None
                and now - max(since, self.running_since) > BLOCKED
                and self._is_camera(outlet.spec)
            ):
                outlet.close()
                self._sink_failed(outlet, SinkError(f"output {outlet.spec} takes no pictures"))

    def _is_camera(self, spec: str) -> bool:
        return spec not in self._extra and is_camera(spec)

    def _follow(self, settings: OutputSettings) -> None:
        self._settings = settings
        wanted = [*wanted_sinks(settings), *self._extra]
        with self._lock:
            for spec in [spec for spec in self._retries if spec not in wanted]:
                del self._retries[spec]
        wanted += self.recordings.follow(settings)
        with self._lock:
            self._closing = [outlet for outlet in self._closing if not outlet.join(0)]
            for spec in [spec for spec in self._open if spec not in wanted]:
                outlet = self._open.pop(spec)
                outlet.close()
                self._closing.append(outlet)
            before = {outlet.spec: outlet for outlet in self._closing}
            now = time.monotonic()
            for spec in () if self._closed else wanted:
                retry = self._retries.get(spec)
                if spec not in self._open and (retry is None or now >= retry.due):
                    self._open[spec] = Outlet(
                        spec, self._opener(spec), self._fps, self._sink_failed, before.get(spec)
                    )

    def _opener(self, spec: str) -> OpenSink:
        if spec in self._extra:
            return self._extra[spec]

        def opened(size: Size, fps: float) -> Sink:
            return open_sink(beside_what_is_there(spec) if self._keep else spec, size, fps)

        return opened

    def _sink_failed(self, outlet: Outlet, error: Exception) -> None:
        spec = outlet.spec
        sinks = self._live.now.output.sinks
        with self._lock:
            current = self._open.get(spec) is outlet  # otherwise it was replaced or is closing
            if current:
                del self._open[spec]
            left = bool(self._open) or self.window is not None
            waited_for = spec in self._retries
        is_camera = self._is_camera(spec)
        if current and is_camera and (self._persistent or outlet.worked or waited_for):
            self._wait_for(outlet, str(error))
            return
        if current and spec in sinks and not left and not self._persistent:
            self._stop(error)  # reports the error
            return
        text = str(error) if isinstance(error, RealtimeBgError) else f"{spec}: {error!r}"
        log.error("%s", text)
        self._stats.notice(text)
        if not current or self.recordings.failed(spec, text):
            return
        if is_camera:
            on, off = {"output.virtualcam": True}, {"output.virtualcam": False}
            self._live.take_back(on, off, text)
        elif spec in sinks:
            self._live.modify(
                lambda s: {"output.sinks": tuple(one for one in s.output.sinks if one != spec)}
            )

    def _wait_for(self, outlet: Outlet, problem: str) -> None:
        with self._lock:
            retry = self._retries.setdefault(outlet.spec, Retry(*RETRY_PAUSES))
            if outlet.worked:
                retry.backoff.succeeded()
            new = retry.failed(problem)
        if new:
            log.error("%s; waiting for it", problem)
            self._stats.notice(f"{problem}; waiting for it")

    def close(self, deadline: float) -> None:
        """Close all sinks, and wait for them until ``deadline`` (monotonic seconds)."""
        with self._lock:
            self._closed = True
            self.recordings.finish()
            outlets = [*self._open.values(), *self._closing]
            self._open.clear()
        for outlet in outlets:
            outlet.close()
        for outlet in outlets:
            if not outlet.join(deadline - time.monotonic()):
                log.error("output %s does not respond and is abandoned", outlet.spec)
