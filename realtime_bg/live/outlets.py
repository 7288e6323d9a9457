"""Sinks on threads of their own: a slow or blocked one delays nobody else."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import platformdirs

from realtime_bg.errors import RealtimeBgError, SettingsError, SinkError
from realtime_bg.frames import Composite
from realtime_bg.imaging.geometry import fit
from realtime_bg.live.slot import Closed, Slot
from realtime_bg.settings import OutputSettings, Settings
from realtime_bg.settings.live import Live
from realtime_bg.sinks import classify, open_sink
from realtime_bg.sinks.base import Sink
from realtime_bg.sinks.image import save_png
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

AFTER_SECONDS = 5.0  # how long a device that is opened again may take to be released
RETRY_PAUSES = (0.5, 1.0, 2.0, 5.0)  # seconds between attempts; the last one repeats
BLOCKED = 10.0  # seconds after which a virtual camera that takes no picture is left behind


def fitted(composite: Composite, sink: Sink) -> Composite:
    """``composite`` at the size the sink was opened with: sources may change theirs."""
    height, width = composite.image.shape[:2]
    if (width, height) == sink.size:
        return composite
    image = fit(composite.image, sink.size, "contain")
    return Composite(image, composite.index, composite.time)


class Outlet:
    """One sink, its slot and its thread; the sink is opened by the first composite."""

    def __init__(
        self,
        spec: str,
        fps: float,
        failed: Callable[["Outlet", Exception], None],
        after: "Outlet | None" = None,
        keep: bool = False,
    ) -> None:
        """``failed(outlet, error)`` is called, on the outlet's thread, when the sink gives up.
        ``after``: an outlet of the same device that is closing and has to be gone first.
        ``keep``: a video file that is there already stays; another name is taken."""
        self.spec, self._fps, self._failed, self._after = spec, fps, failed, after
        self._keep = keep
        self.slot: Slot[Composite] = Slot()
        self.sink: Sink | None = None
        self.worked = False
        self.busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink-{spec}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        sink: Sink | None = None
        try:
            if self._after is not None:
                self._after.join(AFTER_SECONDS)
            while True:
                composite = self.slot.take()
                assert composite is not None
                if sink is None:
                    height, width = composite.image.shape[:2]
                    spec = _beside_what_is_there(self.spec) if self._keep else self.spec
                    self.sink = sink = open_sink(spec, (width, height), self._fps)
                    log.info("output %s is open", getattr(sink, "description", self.spec))
                self.busy_since = time.monotonic()
                sink.send(fitted(composite, sink))
                self.worked, self.busy_since = True, None
        except Closed:
            self._close(sink)
        except Exception as error:
            self._failed(self, error)
            if sink is not None:
                with suppress(Exception):  # the first word on it has been said
                    sink.close(complete=False)

    def watched(self) -> bool:
        """Whether somebody may be looking at it."""
        sink = self.sink
        try:
            return sink is not None and sink.watched() is not False
        except Exception:  # closed meanwhile
            return True

    def _close(self, sink: Sink | None) -> None:
        try:
            if sink is not None:
                sink.close()
        except Exception as error:
            self._failed(self, error)

    def close(self) -> None:
        """Ask it to finish; does not wait."""
        self.slot.close()

    def join(self, seconds: float) -> bool:
        """Wait for the sink to be closed; False when it is still blocked after ``seconds``."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()


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


def new_name(folder: Path, suffix: str, taken: set[Path]) -> Path:
    """A file name by date and time that nothing has yet, added to ``taken``; makes the folder.
    Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('realtime-bg-%Y%m%d-%H%M%S')}{suffix}"
    path = next(path for path in _numbered(path) if path not in taken and not path.exists())
    taken.add(path)
    return path


def _numbered(path: Path) -> Iterator[Path]:
    """``a.mp4``, ``a-2.mp4``, ``a-3.mp4``, ..."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _beside_what_is_there(spec: str) -> str:
    """``spec``, or where it is a video file that exists, the next name with a number."""
    kind, target = classify(spec)
    path = Path(target)
    if kind != "video" or not path.is_file():
        return spec
    free = next(name for name in _numbered(path) if not name.exists())
    log.warning("%s is there already and stays; writing %s", path, free)
    return str(free)


def wanted_sinks(settings: OutputSettings) -> list[str]:
    """The specs that run on threads: all but the window; virtual cameras while switched on."""
    kinds = {spec: classify(spec)[0] for spec in settings.sinks}
    wanted = [
        spec
        for spec, kind in kinds.items()
        if kind != "window" and (kind != "virtualcam" or settings.virtualcam)
    ]
    if settings.virtualcam and not lists_virtual_camera(settings):
        wanted.append("virtualcam")
    return wanted


def lists_virtual_camera(settings: OutputSettings) -> bool:
    """Whether one of the outputs is a virtual camera by name. Raises SinkError."""
    return any(classify(spec)[0] == "virtualcam" for spec in settings.sinks)


def check_sinks(settings: Settings) -> None:
    """Whether every output is one, named once, and writes over nothing that is read. Raises
    RealtimeBgError."""

    def whole(spec: str) -> str:
        return os.path.realpath(os.path.expanduser(spec))

    background = settings.background
    backgrounds = {whole(spec) for spec in (background.current, *background.items)}
    source = whole(settings.source.spec)
    written: set[str] = set()
    for spec in settings.output.sinks:
        is_file = classify(spec)[0] == "video"
        name = whole(spec) if is_file else spec
        if name in written:
            raise SettingsError(f"output {spec} is given twice; give each --output another name")
        written.add(name)
        if name == source:
            raise SettingsError(f"{spec} is the source itself; give --output another name")
        if is_file and name in backgrounds:
            raise SettingsError(f"{spec} is one of the backgrounds; give --output another name")


def media_folder(settings: OutputSettings) -> Path:
    """Where snapshots and recordings go."""
    if settings.folder is not None:
        return settings.folder.expanduser()
    return Path(platformdirs.user_pictures_dir()) / "realtime-bg"
