"""`realtime-bg daemon`: the pipeline without a window, supervised, steered by `ctl` and files."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_bg import __version__
from realtime_bg.daemon.control import ControlServer, Question
from realtime_bg.daemon.endpoint import Endpoint, Lock, endpoint, runtime_folder
from realtime_bg.daemon.logs import Ring
from realtime_bg.daemon.notify import Notify
from realtime_bg.daemon.supervisor import Budget, Sleeping, WornOut
from realtime_bg.errors import BackgroundError, DaemonError, RealtimeBgError
from realtime_bg.live.demand import Demand
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, SourceSettings, default_config, load
from realtime_bg.settings.live import Live
from realtime_bg.settings.loading import value_of
from realtime_bg.sources import open_source
from realtime_bg.sources.base import Source
from realtime_bg.stats import STAGES, Stats
from realtime_bg.steering.changes import apply, apply_texts, switch
from realtime_bg.steering.checks import prepare
from realtime_bg.steering.config_file import ConfigFile, in_use
from realtime_bg.system.signals import stop_signals
from realtime_bg.system.watching import FileWatch, Wanted

if TYPE_CHECKING:
    from realtime_bg.daemon.page import Page

log = logging.getLogger(__name__)

HUNG = 5.0  # seconds without a picture, be it a card, after which the pipeline is built anew
WAITS = 3.0  # seconds `ctl` waits for a background, an engine or a snapshot
OPENED = {"background.current", "engine.name"}  # settings that are only known to work when open


class Daemon:
    """One supervisor around one pipeline, from `run` until `stop`."""

    def __init__(
        self,
        settings: Settings,
        config: Path | None = None,
        ring: Ring | None = None,
        at: Endpoint | None = None,
        flags: dict[str, Any] | None = None,
    ) -> None:
        """``config``: the file whose edits are followed; None: the user's own, once it is there.
        ``flags``: of the command line, see `load`: what holds where the file says nothing.
        ``ring``: of `daemon_logs`. ``at``: None for where this user's daemon always is. Raises
        RealtimeBgError: settings that cannot work."""
        self.live, self.stats = Live(prepare(settings, "daemon")), Stats()
        self._ring, self._at = ring or Ring(), at
        self._config = ConfigFile(
            config or default_config(),
            self.live,
            self.stats,
            lambda path: prepare(load(path, flags=flags), "daemon"),
        )
        self._budget, self._notify, self._sleeping = Budget(), Notify(), Sleeping()
        self._stopping = threading.Event()
        self._begin = time.monotonic()
        self._problem = ""  # why the last pipeline ended
        self.page: Page | None = None
        self.files: FileWatch | None = None
        self.pipeline: Pipeline | None = None
        self.processor: Processor | None = None

    @property
    def restarts(self) -> int:
        """How often the pipeline had to be built anew, of late."""
        return self._budget.count

    @property
    def watched(self) -> bool:
        """Whether somebody looks at any output."""
        return self.pipeline is not None and self.pipeline.outlets.watched()

    def stop(self) -> None:
        """End it; from any thread and from signal handlers. Idempotent."""
        self._stopping.set()
        pipeline = self.pipeline
        if pipeline is not None:
            pipeline.ask_to_stop()

    def run(self) -> None:
        """Until it is stopped. Raises DaemonError when another one runs, WornOut when the
        pipeline fails too often."""
        with ExitStack() as stack:
            if self._at is None:
                lock = Lock(runtime_folder())
                stack.callback(lock.close)
            control = ControlServer(self._at or endpoint(), self.answer)
            stack.callback(control.close)
            files = self.files = FileWatch(self._files)
            stack.callback(files.close)
            if self.page is not None:
                self.page.start(self)
                stack.callback(self.page.close)
            stack.callback(self._ring.close)
            if threading.current_thread() is threading.main_thread():
                stack.enter_context(stop_signals(self.stop))
            log.info("realtime-bg %s runs as a daemon (pid %d)", __version__, os.getpid())
            self._notify.ready()
            try:
                self._supervise()
            finally:
                self._notify.stopping()
            log.info("stopped")

    def _supervise(self) -> None:
        while not self._stopping.is_set():
            try:
                self._run_once()
            except Exception as error:
                if not isinstance(error, RealtimeBgError):
                    log.debug("the pipeline ended", exc_info=True)
                self._problem = str(error) or repr(error)
            else:
                self._problem = "the pipeline ended by itself"
            if self._stopping.is_set():
                return
            pause = self._budget.spend()
            if pause is None:
                raise WornOut(f"{self._problem}; it has failed too often, giving up")
            log.error("%s; starting again in %g s", self._problem, pause)
            self._rest(pause)

    def _rest(self, seconds: float) -> None:
        """Wait, unless it is to stop; the service manager hears that this is no hang."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopping.wait(min(left, 1.0)):
            self._notify.alive()

    def _run_once(self) -> None:
        try:
            processor = Processor(self.live, self.stats, wait=False)
        except BackgroundError as error:
            log.error("%s; blur takes its place", error)
            self.live.update(background__current="blur")
            processor = Processor(self.live, self.stats, wait=False)
        extra = {} if self.page is None else {"page": self.page.channel.sink}
        demand = Demand(awake=not self.live.now.output.on_demand)
        pipeline = Pipeline(
            self.live,
            self.stats,
            processor,
            None,
            _open,
            demand=demand,
            persistent=True,
            keep=True,
            extra_sinks=extra,
        )
        self.processor, self.pipeline = processor, pipeline
        if self._stopping.is_set():  # asked before there was a pipeline to tell
            processor.close()
            return
        self._sleeping.slept()  # nobody asked during the pause before: that was no sleep
        pipeline.run(tick=self._tick)

    def _tick(self) -> None:
        pipeline = self.pipeline
        assert pipeline is not None
        slept = self._sleeping.slept()
        if slept:
            log.info("the computer slept for %.0f s; opening the camera again", slept)
            pipeline.composing.composed_at = time.monotonic()
            self.live.modify(lambda s: {"resets": s.resets + 1})
            pipeline.capture.reopen()
        elif time.monotonic() - pipeline.composing.composed_at > HUNG:
            pipeline.stop(DaemonError(f"no picture was made for {HUNG:g} s"))
            return
        self._notify.status(pipeline.state)
        self._notify.alive()

    def _files(self) -> Wanted:
        return in_use(self._config, self.live, self.stats, self.processor)

    # what `ctl` asks

    def answer(self, question: Question) -> Iterator[Any]:
        """The values of the answer, see `control.py`. Raises RealtimeBgError to refuse."""
        commands: dict[Any, Callable[[Question], Any]] = {
            "status": self._status,
            "set": self._set,
            "toggle": self._toggle,
            "pause": lambda _: self._pause(True),
            "resume": lambda _: self._pause(False),
            "snapshot": self._snapshot,
            "settings": lambda _: self.live.now.model_dump(mode="json"),
        }
        name = question.get("command")
        if name == "logs":
            count = question.get("count", 50)
            if not isinstance(count, int) or count < 0:
                raise DaemonError("logs: count is a number from 0 on")
            ring = self._ring
            yield from ring.follow(count) if question.get("follow") else ring.last(count)
        elif name == "stop":
            yield "stopping"
            self.stop()
        elif name in commands:
            yield commands[name](question)
        else:
            raise DaemonError(f"no such command: {str(name)[:50]}")

    def _status(self, _: Question) -> dict[str, Any]:
        pipeline, stats, now = self.pipeline, self.stats, self.live.now
        outlets = pipeline.outlets if pipeline is not None else None
        return {
            "state": pipeline.state if pipeline is not None else "starting",
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._begin, 1),
            "config": str(self._config.path) if self._config.path.exists() else None,
            "config_problem": self._config.problem,
            "source": now.source.spec,
            "camera_open": pipeline is not None and pipeline.camera_open,
            "background": now.background.current,
            "engine": stats.engine,
            "provider": stats.provider,
            "fps": round(stats.fps, 1),
            "latency_ms": round(stats.median("latency"), 1),
            "work_size": list(stats.work_size),
            "stages_ms": {stage: round(stats.median(stage), 2) for stage in STAGES},
            "outputs": outlets.specs() if outlets else [],
            "waiting_for": dict(outlets.problems) if outlets else {},
            "watched": self.watched,
            "recording": stats.recording_since is not None,
            "mirror": now.output.mirror,
            "dropped": stats.dropped,
            "failures": stats.failures,
            "restarts": self.restarts,
            "problem": self._problem,
            "page": self.page.address if self.page else None,
        }

    def _set(self, question: Question) -> dict[str, Any]:
        texts = question.get("changes")
        if not isinstance(texts, dict) or not texts:
            raise DaemonError("set: give key=value")
        if not all(isinstance(value, str) for value in texts.values()):
            raise DaemonError("set: values are text")
        apply_texts(self.live, texts)
        for key in OPENED & texts.keys():
            reason = self.live.wait_for_answer(key, WAITS) if self._opens(key) else None
            if reason:
                raise DaemonError(f"{reason}; {value_of(self.live.now, key)} stays")
        shown = {key: value_of(self.live.now, key) for key in texts}
        return {
            key: value if isinstance(value, bool | int | float | None) else str(value)
            for key, value in shown.items()
        }

    def _opens(self, key: str) -> bool:
        """Whether what ``key`` names is opened now, and not when the camera runs again."""
        return key == "background.current" or (
            self.pipeline is not None and self.pipeline.state == "running"
        )

    def _toggle(self, question: Question) -> dict[str, Any]:
        name = str(question.get("key", ""))
        found: dict[str, Any] = {}

        def changes(now: Settings) -> dict[str, Any]:
            found.clear()
            key, value = switch(now, name)
            found[key] = value
            return {key: value}

        apply(self.live, changes)
        return found

    def _pause(self, paused: bool) -> str:
        self.live.update(paused=paused)
        return "paused: the camera is closed" if paused else "resumed"

    def _snapshot(self, _: Question) -> str:
        pipeline = self.pipeline
        if pipeline is None or pipeline.state != "running":
            state = pipeline.state if pipeline is not None else "starting"
            raise DaemonError(f"there is no picture of you now ({state})")
        before = pipeline.outlets.recordings.saved
        self.live.modify(lambda s: {"snapshots": s.snapshots + 1})
        end = time.monotonic() + WAITS
        while pipeline.outlets.recordings.saved is before:
            if time.monotonic() > end:
                raise DaemonError("the snapshot takes long; see realtime-bg ctl logs")
            time.sleep(0.02)
        return pipeline.outlets.recordings.saved[0]


def _open(settings: SourceSettings) -> Source:
    return open_source(settings, paced=True)
