"""The engine in use: opened when the settings name it, reopened when it fails, replaced in the end.

Every attempt and its reason is said; a failing engine never takes the program down while there is
another to fall back to, and never leads to an unmatted frame.
"""

import logging
import time
from dataclasses import replace
from typing import Any

from realtime_bg.engines import ENGINES, UNUSABLE
from realtime_bg.engines.base import Engine
from realtime_bg.engines.combined import Combined
from realtime_bg.errors import EngineError, RealtimeBgError
from realtime_bg.frames import DeviceMatte, Frame, Matte, Size, check_matte
from realtime_bg.imaging.change import Change
from realtime_bg.imaging.geometry import shrunk
from realtime_bg.processing.ladder import Ladder
from realtime_bg.registry import open_plugin
from realtime_bg.runtimes.worksize import strided
from realtime_bg.settings import CombineSettings, EngineSettings
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

LAST_RESORTS = ("embedded", "grabcut")  # need nothing but the install; in order
AUTO = ("rvm", *LAST_RESORTS)  # what `auto` tries, in order
# In the words of PyTorch, CUDA, cuBLAS and ONNX Runtime.
OUT_OF_MEMORY = (
    "outofmemory",
    "out of memory",
    "memoryallocation",
    "alloc_failed",
    "failed to allocate memory",
)
GOOD_RUN = 100  # frames without a failure after which old failures are forgiven


def open_engine(
    settings: EngineSettings, size: Size, stats: Stats, work_size: Size | None = None
) -> Engine:
    """The engine called ``settings.name`` (not ``auto``). ``work_size``: in place of the settings',
    but not for a second engine. Raises RealtimeBgError: unknown, not installed, no weights, or not
    to be loaded."""
    own = settings if work_size is None else settings.model_copy(update={"work_size": work_size})
    engine: Engine = open_plugin(ENGINES, settings.name, "engine", EngineError, own, size, stats)
    second = settings.combine
    if second.engine is not None:
        changes = {"name": second.engine, "model": second.model, "combine": CombineSettings()}
        beside = open_engine(settings.model_copy(update=changes), size, _Beside(stats))
        engine = Combined(engine, beside, settings, size, stats)
    return engine


class _Beside(Stats):
    """A second engine's: its times are nobody's, but what it says is for the user."""

    def __init__(self, stats: Stats) -> None:
        super().__init__()
        self._stats = stats

    def notice(self, text: str) -> None:
        self._stats.notice(text)


def out_of_memory(error: BaseException | None) -> bool:
    """Whether a library says, in its own way, that a GPU has no memory left."""
    while error is not None:
        text = f"{type(error).__name__} {error}".lower()
        if any(sign in text for sign in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


class Matting:
    """Mattes frames with the engine the settings ask for. Used by one thread at a time."""

    def __init__(self, live: Live, stats: Stats, in_time: bool = False) -> None:
        """``in_time``: frames come at a camera's rate and do not wait: what is still is not
        matted again, and a network too slow for the rate sees less."""
        self._live, self._stats, self._in_time = live, stats, in_time
        self._engine: Engine | None = None
        self._name = ""
        self._settings: EngineSettings | None = None
        self._size: Size = (0, 0)
        self._resets, self._plates = live.now.resets, live.now.plates
        self._change = Change()
        self._last: Matte | None = None
        self._ladder: Ladder | None = None
        self._first_size: Size = (0, 0)  # that the network saw before any step of the ladder
        self._stride = 1  # of its sides
        self._stale = self._cpu = False  # to be opened anew; not to use the GPU any more
        self._failures = self._good = 0
        self._barred: set[str] = set()
        self._blamed: Exception | None = None  # what became of its last matte elsewhere
        # Since when an engine has been at a frame, monotonic seconds; loading does not count.
        self.busy_since: float | None = None

    def matte(self, frame: Frame, repeats: int | None = None) -> Matte | DeviceMatte:
        """Matte one frame, reopening and falling back as needed.

        ``repeats``: that it is a photo, and how often a recurrent engine may see it (None: it
        follows the last one). Raises RealtimeBgError when no engine is left.
        """
        now = self._live.now
        if now.engine != self._settings or frame.size != self._size or self._stale:
            self._stale = False
            self._follow(now.engine, frame.size)
        jumped, still = self._change(frame)
        jumped |= now.resets != self._resets
        self._resets = now.resets
        plate, self._plates = now.plates > self._plates, now.plates
        still &= self._in_time and now.engine.gate and not jumped and not plate
        if still and self._last is not None and self._engine is not None and self._engine.waits:
            self._stats.held += 1
            return replace(self._last, frame=frame)
        blamed, self._blamed = self._blamed, None
        if blamed is not None and self._engine is not None:
            self._failed(blamed)
        while True:
            engine = self._engine or self._reopen()
            start = self.busy_since = time.monotonic()
            try:
                if jumped:
                    engine.reset()
                if plate:
                    engine.take_plate()
                seen = engine.still(frame, repeats) if repeats else engine.matte(frame)
                matte = check_matte(seen)
            except Exception as error:  # an engine may raise anything; none of it may escape
                self.busy_since = None
                self._failed(error)
            else:
                self.busy_since = None
                self._good += 1
                if self._good >= GOOD_RUN:
                    self._failures = 0
                if self._in_time and now.engine.work_size is None:
                    self._hold_rate(frame, time.monotonic() - start)
                self._last = matte if isinstance(matte, Matte) else None
                return matte

    def abandoned(self, reason: str) -> "Matting":
        """A successor that never uses the present engine, which hangs in another thread."""
        successor = Matting(self._live, self._stats, self._in_time)
        successor._barred = self._barred | {self._name}
        successor._settings = self._settings  # what differs from them is chosen anew
        self._stats.failures += 1
        log.error("engine %s %s; it is given up", self._name or "(loading)", reason)
        return successor

    def blame(self, error: Exception) -> None:
        """A matte of the engine failed on its device while it was being blended: that counts as a
        failure of the engine. From any thread."""
        self._blamed = error

    def reload(self) -> None:
        """Open the engine anew for the next frame: its model's file has changed."""
        self._stale = True

    def close(self) -> None:
        """Release the engine. Idempotent."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _follow(self, settings: EngineSettings, size: Size) -> None:
        """Open what the settings ask for; when that fails, stay with what there is."""
        previous, keep = self._settings, self._engine is not None and size == self._size
        self._change.forget()
        self._ladder = None
        self._settings, self._size = settings, size
        if previous is not None and settings != previous:
            self._barred.clear()  # the user chose anew
            self._cpu = False
        try:
            engine, name = self._first_of(self._candidates(settings))
        except RealtimeBgError as error:
            if not keep or previous is None:
                raise
            if settings != previous:
                UNUSABLE.add(settings.name)
            log.warning("%s; %s stays in use", error, self._name)
            self._stats.notice(f"{settings.name} cannot be used, {self._name} stays")
            self._settings = previous
            self._live.take_back(
                {"engine": settings.model_dump()}, {"engine": previous.model_dump()}
            )
            return
        self._use(engine, name)

    def _hold_rate(self, frame: Frame, seconds: float) -> None:
        """Give the network another size where the ladder says so."""
        assert self._engine is not None
        if self._ladder is None:
            self._ladder = Ladder(self._engine.least_scale)
        if self._good < 2 or not self._ladder.moves(frame, seconds):  # the first one warms up
            return
        before = self._engine.work_size
        try:
            self._use(self._open(self._name), self._name)
        except RealtimeBgError as error:
            log.warning("%s; it stays at %dx%d", error, *before)
        if self._engine.work_size != before:
            log.info(
                "to hold the frame rate, the network now sees %dx%d instead of %dx%d",
                *self._engine.work_size,
                *before,
            )

    def _candidates(self, settings: EngineSettings) -> list[str]:
        names: tuple[str, ...] = AUTO if settings.name == "auto" else (settings.name,)
        if settings.name == "auto" and settings.model is not None:
            names = AUTO[:1]  # weights that were named are not passed over
        names = tuple(name for name in names if name not in self._barred)
        return list(names) or [self._last_resort() or LAST_RESORTS[-1]]

    def _last_resort(self) -> str | None:
        """What stands in for engines that failed; None when all of them have."""
        return next((name for name in LAST_RESORTS if name not in self._barred), None)

    def _first_of(self, names: list[str]) -> tuple[Engine, str]:
        """The first engine that opens; each one that does not is said with its reason."""
        assert self._settings is not None
        for name in names[:-1]:
            try:
                return self._open(name), name
            except RealtimeBgError as error:
                after = names[names.index(name) + 1]
                log.warning("%s is not available, using %s: %s", name, after, error)
        return self._open(names[-1]), names[-1]

    def _open(self, name: str) -> Engine:
        assert self._settings is not None
        # A fallback must not get another's weights.
        wanted, named = self._settings.name, self._settings.model is not None
        own = name == wanted or (wanted == "auto" and (not named or name == AUTO[0]))
        changes: dict[str, Any] = {"name": name}
        work_size = None
        if self._ladder is not None and self._ladder.rung:
            work_size = strided(shrunk(self._first_size, self._ladder.scale), self._stride)
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
        log.warning("the GPU is out of memory: engine %s runs on the CPU now", name)
        self._stats.notice("the GPU is out of memory, using the CPU")
        self._cpu = True

    def _use(self, engine: Engine, name: str) -> None:
        self.close()
        UNUSABLE.discard(name)
        self._engine, self._name, self._good = engine, name, 0
        self._stats.engine, self._stats.provider = name, engine.provider
        self._stats.work_size = engine.work_size
        if self._ladder is None or not self._ladder.rung:
            self._first_size, self._stride = engine.work_size, engine.stride
        self._stats.model = str(engine.model or "")
        log.info(
            "engine %s on %s at %dx%d%s",
            name,
            engine.provider,
            *engine.work_size,
            f", {engine.model}" if engine.model else "",
        )

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._stats.failures += 1
        self._good = 0
        log.error("engine %s failed: %s: %s", self._name, type(error).__name__, error)
        if self._engine is not None and self._engine.provider != "CPU" and out_of_memory(error):
            self._failures -= 1  # on the CPU it has its chance yet
            self._leave_gpu(self._name)
        self.close()

    def _reopen(self) -> Engine:
        """After a failure: the same engine while it has retries left, then the last resorts."""
        assert self._settings is not None
        if self._failures <= self._settings.retries and self._name not in self._barred:
            log.warning("opening engine %s again", self._name)
            try:
                self._use(self._open(self._name), self._name)
            except RealtimeBgError as error:
                log.error("%s", error)
        while self._engine is None:
            self._barred.add(self._name)
            name = self._last_resort()
            if name is None:
                raise EngineError(f"engine {self._name} keeps failing and there is no other left")
            log.warning("falling back to engine %s", name)
            self._stats.notice(f"{self._name} failed, using {name}")
            self._failures, self._name = 0, name
            try:
                self._use(self._open(name), name)
            except RealtimeBgError as error:
                log.error("%s", error)
        assert self._engine is not None
        return self._engine
