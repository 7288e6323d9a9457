"""The choice of the engine: the first one that opens; when it fails, it is reopened and finally
given up and replaced by a fallback, until it works again.

Every failed attempt is logged with its reason. A failing engine never ends the program as long as
there is another one to fall back to.
"""

import logging
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from realtime_bg.engines import open_engine
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError, RealtimeBgError
from realtime_bg.frames import Frame, Size
from realtime_bg.processing.engine_trial import Retries
from realtime_bg.processing.given_up import GivenUp
from realtime_bg.processing.workload import Workload, log_change
from realtime_bg.runtimes.memory import out_of_memory
from realtime_bg.settings import CombineSettings, EngineSettings
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

LAST_RESORTS = ("embedded", "grabcut")  # need nothing but the installation; in order
AUTO = ("rvm", *LAST_RESORTS)  # what `auto` tries, in order
# What an engine does better than the one that replaces it
ADDS = {"rvm": "rvm finds arms held out more reliably, and its edges are finer"}
GOOD_RUN = 100  # frames without a failure after which earlier failures no longer count


def named(settings: EngineSettings) -> tuple[str, ...]:
    """The engines that the settings name, the best first."""
    if settings.name != "auto":
        return (settings.name,)
    return AUTO if settings.model is None else AUTO[:1]  # weights that were named are not skipped


def asked(settings: EngineSettings, name: str, cpu: bool, threads: int | None) -> EngineSettings:
    """The settings with which the engine ``name`` is opened. ``cpu``: without the GPU. ``threads``:
    of its network, None for the engine's default."""
    changes: dict[str, Any] = {"name": name, "threads": threads}
    # A fallback must not be given another engine's weights.
    wanted, with_model = settings.name, settings.model is not None
    if name != wanted and not (wanted == "auto" and (not with_model or name == AUTO[0])):
        changes |= {"model": None, "combine": CombineSettings()}
    if cpu:
        changes["device"] = "cpu"
    return settings.model_copy(update=changes)


class EngineChoice:
    """Opens engines for one stream of frames. ``engine`` is the one in use, None before the first
    frame and after a failure; ``name`` is its name in the settings."""

    def __init__(self, live: Live, stats: Stats, in_time: bool) -> None:
        """``in_time``: for a live run, in which engines that were given up are tried again."""
        self._live, self._stats, self._in_time = live, stats, in_time
        self.engine: Engine | None = None
        self.name = ""
        self._settings: EngineSettings | None = None
        self._size: Size = (0, 0)
        self._cpu = False  # whether the GPU must no longer be used
        self._failures = self._good_frames = 0
        self._why = ""  # the last failure of the engine
        self._given_up, self._retries = GivenUp(stats, in_time), Retries()
        self._workload = Workload(live.now.engine, in_time)

    def suits(self, settings: EngineSettings, size: Size) -> bool:
        """Whether the engine in use was chosen for these settings and this size of frames."""
        return settings == self._settings and size == self._size

    def follow(self, settings: EngineSettings, size: Size) -> None:
        """Open the engine that the settings name. If that fails, keep the current one."""
        previous, keep = self._settings, self.engine is not None and size == self._size
        workload_before, self._workload = self._workload, Workload(settings, self._in_time)
        self._settings, self._size = settings, size
        self._retries.cancel()  # of an engine for other settings, or for another size
        before = self._given_up, self._cpu
        if previous is not None and settings != previous:  # the user has made a new choice
            self._given_up, self._cpu = self._given_up.copy(), False
            self._given_up.clear()
        try:
            engine, name = self._first_of(self._candidates(settings))
        except RealtimeBgError as error:
            if not keep or previous is None:
                raise
            if settings != previous:
                self._live.note_engine(settings.name, usable=False)
            log.warning("%s; %s stays in use", error, self.name)
            self._stats.notice(f"{error}; {self.name} stays in use")
            self._settings, self._workload = previous, workload_before
            self._given_up, self._cpu = before
            self._given_up.show()
            tried = {"engine": settings.model_dump()}
            self._live.take_back(tried, {"engine": previous.model_dump()}, str(error))
            return
        self._use(engine, name)
        self._live.confirm("engine.name", settings.name)

    def _candidates(self, settings: EngineSettings) -> list[str]:
        names = [name for name in named(settings) if name not in self._given_up]
        return names or [self._given_up.first_other(LAST_RESORTS) or LAST_RESORTS[-1]]

    def _first_of(self, names: list[str]) -> tuple[Engine, str]:
        """The first engine that opens; the reason why any other did not is logged."""
        for name, after in pairwise(names):
            try:
                return self._open(name), name
            except RealtimeBgError as error:
                known = name in self._live.unusable_engines  # and has been said
                adds = f" ({ADDS[name]})" if name in ADDS else ""
                level = logging.INFO if known else logging.WARNING
                log.log(level, "%s is not available, using %s: %s%s", name, after, error, adds)
                self._live.note_engine(name, usable=False)
        return self._open(names[-1]), names[-1]

    def _open(self, name: str) -> Engine:
        assert self._settings is not None
        work_size = self._workload.work_size
        settings = asked(self._settings, name, self._cpu, self._workload.threads)
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
        self._stats.threads = self._workload.opened(engine)
        self._stats.model = str(engine.model or "")
        model = f", {engine.model}" if engine.model else ""
        log.info("engine %s on %s at %dx%d%s", name, engine.provider, *engine.work_size, model)

    def failed(self, error: Exception) -> None:
        """Called when the engine raised ``error`` for a frame: close it and count the failure."""
        self._failures += 1
        self._stats.failures += 1
        self._why = f"{type(error).__name__}: {error}"
        log.error("engine %s failed: %s", self.name, self._why)
        if self.engine is not None and not self.engine.on_cpu and out_of_memory(error):
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
        if self._failures <= self._settings.retries and self.name not in self._given_up:
            log.warning("reopening engine %s", self.name)
            self._try(self.name)
        while self.engine is None:
            self._given_up.add(self.name, self._why)
            name = self._given_up.first_other(LAST_RESORTS)
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
            self._why = str(error)
            log.error("%s", error)

    def successor(self, reason: str) -> "EngineChoice":
        """A new choice without the current engine, which hangs in another thread."""
        successor = EngineChoice(self._live, self._stats, self._in_time)
        successor._settings = self._settings  # if they change, the engine is chosen again
        successor._given_up = self._given_up.copy()
        successor._retries, self._retries = self._retries, Retries()
        self._stats.failures += 1
        log.error("engine %s %s; it is abandoned", self.name or "(loading)", reason)
        successor._given_up.add(self.name, reason)
        return successor

    def retry(self, frame: Frame) -> bool:
        """Try an engine that was given up again when it is due, in the background and with
        ``frame``. Return whether one has just taken over from the current engine."""
        assert self._settings is not None
        order = [*named(self._settings), *LAST_RESORTS]
        better = order[: order.index(self.name)] if self.name in order else order
        settings, cpu, size, stats = self._settings, self._cpu, self._size, self._stats

        def opener(name: str) -> Callable[[], Engine]:
            at_first = Workload(settings, self._in_time).threads
            return partial(open_engine, asked(settings, name, cpu, at_first), size, stats)

        found = self._retries.update(self._given_up, better, opener, frame, settings.hang)
        if found is None:
            return False
        name, engine = found
        log.warning("engine %s works again and takes over from %s", name, self.name)
        self._given_up.recovered(name, order[order.index(name) :])
        self._failures, self._workload = 0, Workload(settings, self._in_time)
        self._use(engine, name)
        return True

    def hold_rate(self, frame: Frame, seconds: float) -> None:
        """Give the network, which was busy with ``frame`` for ``seconds``, more threads or a
        smaller work size if it is too slow for the camera; take that back if there is time."""
        assert self.engine is not None
        # The first frame includes warm-up.
        if self._good_frames < 2 or not self._workload.update(self.engine, frame, seconds):
            return
        before = self.engine.work_size, self._stats.threads
        try:
            self._use(self._open(self.name), self.name)
        except RealtimeBgError as error:
            log.warning("%s; it stays at %dx%d", error, *before[0])
        log_change(before, (self.engine.work_size, self._stats.threads))

    def close(self) -> None:
        """Release the engine. Idempotent."""
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def stop(self) -> None:
        """Release the engine and end an attempt to open another one. Idempotent."""
        self._retries.cancel()
        self.close()
