"""The choice of the engine: the first one that opens; when it fails, it is reopened and finally
replaced by a fallback.

Every failed attempt is logged with its reason. A failing engine never ends the program as long as
there is another one to fall back to.
"""

import logging
from itertools import pairwise
from typing import Any

from realtime_bg.engines import open_engine
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError, RealtimeBgError
from realtime_bg.frames import Frame, Size
from realtime_bg.imaging.geometry import shrunk
from realtime_bg.runtimes.input_size import InputSizeController, strided
from realtime_bg.runtimes.memory import out_of_memory
from realtime_bg.settings import CombineSettings, EngineSettings
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

LAST_RESORTS = ("embedded", "grabcut")  # need nothing but the installation; in order
AUTO = ("rvm", *LAST_RESORTS)  # what `auto` tries, in order
GOOD_RUN = 100  # frames without a failure after which earlier failures no longer count


class EngineChoice:
    """Opens engines for one stream of frames. ``engine`` is the one in use, None before the first
    frame and after a failure; ``name`` is its name in the settings."""

    def __init__(self, live: Live, stats: Stats) -> None:
        self._live, self._stats = live, stats
        self.engine: Engine | None = None
        self.name = ""
        self._settings: EngineSettings | None = None
        self._size: Size = (0, 0)
        self._cpu = False  # whether the GPU must no longer be used
        self._failures = self._good_frames = 0
        self._barred: set[str] = set()  # engines that have failed too often
        self._input_size: InputSizeController | None = None
        self._first_size: Size = (0, 0)  # initial work size of the engine, before any reduction
        self._stride = 1  # stride of its sides

    def suits(self, settings: EngineSettings, size: Size) -> bool:
        """Whether the engine in use was chosen for these settings and this size of frames."""
        return settings == self._settings and size == self._size

    def follow(self, settings: EngineSettings, size: Size) -> None:
        """Open the engine that the settings name. If that fails, keep the current one."""
        previous, keep = self._settings, self.engine is not None and size == self._size
        self._input_size = None
        self._settings, self._size = settings, size
        if previous is not None and settings != previous:
            self._barred.clear()  # the user has made a new choice
            self._cpu = False
        try:
            engine, name = self._first_of(self._candidates(settings))
        except RealtimeBgError as error:
            if not keep or previous is None:
                raise
            if settings != previous:
                self._live.note_engine(settings.name, usable=False)
            log.warning("%s; %s stays in use", error, self.name)
            self._stats.notice(f"{error}; {self.name} stays in use")
            self._settings = previous
            tried = {"engine": settings.model_dump()}
            self._live.take_back(tried, {"engine": previous.model_dump()}, str(error))
            return
        self._use(engine, name)
        self._live.confirm("engine.name", settings.name)

    def _candidates(self, settings: EngineSettings) -> list[str]:
        names: tuple[str, ...] = AUTO if settings.name == "auto" else (settings.name,)
        if settings.name == "auto" and settings.model is not None:
            names = AUTO[:1]  # explicitly named weights are not skipped
        names = tuple(name for name in names if name not in self._barred)
        return list(names) or [self._last_resort() or LAST_RESORTS[-1]]

    def _last_resort(self) -> str | None:
        """The next fallback engine, or None if all have failed."""
        return next((name for name in LAST_RESORTS if name not in self._barred), None)

    def _first_of(self, names: list[str]) -> tuple[Engine, str]:
        """The first engine that opens; the reason why any other did not is logged."""
        for name, after in pairwise(names):
            try:
                return self._open(name), name
            except RealtimeBgError as error:
                log.warning("%s is not available, using %s: %s", name, after, error)
        return self._open(names[-1]), names[-1]

    def _open(self, name: str) -> Engine:
        assert self._settings is not None
        # A fallback must not be given another engine's weights.
        wanted, named = self._settings.name, self._settings.model is not None
        own = name == wanted or (wanted == "auto" and (not named or name == AUTO[0]))
        changes: dict[str, Any] = {"name": name}
        work_size = None
        if self._input_size is not None and self._input_size.step:
            work_size = strided(shrunk(self._first_size, self._input_size.scale), self._stride)
        if not own:
            changes |= {"model": None, "combine": CombineSettings()}
        if self._cpu:
            changes["device"] = "cpu"
        settings = self._settings.model_copy(update=changes)
        try:
            return open_engine(settings, self._size, self._stats, work_size)
        except Exception as error:
            if settings.device == "cpu" or not out_of_memory(error):
                raise
            self._leave_gpu(name)
            settings = settings.model_copy(update={"device": "cpu"})
            return open_engine(settings, self._size, self._stats, work_size)

    def _leave_gpu(self, name: str) -> None:
        log.warning("the GPU is out of memory: engine %s now runs on the CPU", name)
        self._stats.notice("the GPU is out of memory, using the CPU")
        self._cpu = True

    def _use(self, engine: Engine, name: str) -> None:
        self.close()
        self._live.note_engine(name, usable=True)
        self.engine, self.name, self._good_frames = engine, name, 0
        self._stats.engine, self._stats.provider = name, engine.provider
        self._stats.work_size = engine.work_size
        if self._input_size is None or not self._input_size.step:
            self._first_size, self._stride = engine.work_size, engine.stride
        self._stats.model = str(engine.model or "")
        model = f", {engine.model}" if engine.model else ""
        log.info("engine %s on %s at %dx%d%s", name, engine.provider, *engine.work_size, model)

    def failed(self, error: Exception) -> None:
        """Called when the engine raised ``error`` for a frame: close it and count the failure."""
        self._failures += 1
        self._stats.failures += 1
        self._good_frames = 0
        log.error("engine %s failed: %s: %s", self.name, type(error).__name__, error)
        if self.engine is not None and self.engine.provider != "CPU" and out_of_memory(error):
            self._failures -= 1  # on the CPU it may still work
            self._leave_gpu(self.name)
        self.close()

    def succeeded(self) -> None:
        """Called when the engine has matted a frame."""
        self._good_frames += 1
        if self._good_frames >= GOOD_RUN:
            self._failures = 0

    def reopened(self) -> Engine:
        """After a failure: reopen the same engine while it has retries left, then fall back to
        others. Raises EngineError if all have failed."""
        assert self._settings is not None
        if self._failures <= self._settings.retries and self.name not in self._barred:
            log.warning("reopening engine %s", self.name)
            self._try(self.name)
        while self.engine is None:
            self._barred.add(self.name)
            name = self._last_resort()
            if name is None:
                raise EngineError(
                    f"engine {self.name} keeps failing and there is no other engine left"
                )
            log.warning("falling back to engine %s", name)
            self._stats.notice(f"{self.name} failed, using {name}")
            self._failures, self.name = 0, name
            self._try(name)
        return self.engine

    def _try(self, name: str) -> None:
        try:
            self._use(self._open(name), name)
        except RealtimeBgError as error:
            log.error("%s", error)

    def successor(self, reason: str) -> "EngineChoice":
        """A new choice that never uses the current engine, which hangs in another thread."""
        successor = EngineChoice(self._live, self._stats)
        successor._barred = self._barred | {self.name}
        successor._settings = self._settings  # if they change, the engine is chosen again
        self._stats.failures += 1
        log.error("engine %s %s; it is abandoned", self.name or "(loading)", reason)
        return successor

    def hold_rate(self, frame: Frame, seconds: float) -> None:
        """Reduce the work size if the network, which was busy with ``frame`` for ``seconds``, is
        too slow for the camera; enlarge it again if there is time."""
        assert self.engine is not None
        if self._input_size is None:
            self._input_size = InputSizeController(self.engine.least_scale)
        # The first frame includes warm-up.
        if self._good_frames < 2 or not self._input_size.update(frame, seconds):
            return
        before = self.engine.work_size
        try:
            self._use(self._open(self.name), self.name)
        except RealtimeBgError as error:
            log.warning("%s; it stays at %dx%d", error, *before)
        now = self.engine.work_size
        if now != before:
            log.info(
                "to maintain the frame rate, the network now runs at %dx%d instead of %dx%d",
                *now,
                *before,
            )

    def close(self) -> None:
        """Release the engine. Idempotent."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None
