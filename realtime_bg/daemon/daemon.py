"""`realtime-bg daemon`: runs the pipeline without a window, supervises it, and applies changes from
`ctl` and config.yaml."""

import logging
import os
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_bg.daemon.commands import Commands
from realtime_bg.daemon.control import ControlServer
from realtime_bg.daemon.endpoint import Endpoint, Lock, endpoint, runtime_folder
from realtime_bg.daemon.logs import Ring
from realtime_bg.daemon.notify import Notify
from realtime_bg.daemon.supervisor import Budget, RestartsExhausted, Sleeping
from realtime_bg.errors import BackgroundError, DaemonError, RealtimeBgError
from realtime_bg.live.demand import Demand
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, SourceSettings, default_config, load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats
from realtime_bg.steering.checks import prepare
from realtime_bg.steering.config_file import ConfigFile, in_use
from realtime_bg.steering.hotkeys import HotKeys
from realtime_bg.system.signals import stop_signals
from realtime_bg.system.watching import FileWatch, Wanted
from realtime_bg.version import __version__

if TYPE_CHECKING:
    from realtime_bg.daemon.page import Page

log = logging.getLogger(__name__)

HUNG = 5.0  # seconds without any picture, even a card, after which the pipeline is rebuilt


class Daemon:
    """Supervises one pipeline, from `run` until `stop`."""

    def __init__(
        self,
        settings: Settings,
        config: Path | None = None,
        ring: Ring | None = None,
        at: Endpoint | None = None,
        flags: dict[str, Any] | None = None,
    ) -> None:
        """``config``: the file whose edits are applied; None means the user's own, as soon as it
        exists. ``flags``: the flags of the command line, see `load`, for keys that the file does
        not set. ``ring``: the result of `daemon_logs`. ``at``: the control endpoint; None means the
        usual one of this user. Raises RealtimeBgError for settings that cannot work."""
        self.live, self.stats = Live(prepare(settings, "daemon")), Stats()
        self.ring, self._at = ring or Ring(), at
        self.config = ConfigFile(
            config or default_config(),
            self.live,
            self.stats,
            lambda path: prepare(load(path, flags=flags), "daemon"),
        )
        self._budget, self._notify, self._sleeping = Budget(), Notify(), Sleeping()
        self._stopping = threading.Event()
        self.begin = time.monotonic()
        self.problem = ""  # why the last pipeline ended
        self.page: Page | None = None
        self.files: FileWatch | None = None
        self.pipeline: Pipeline | None = None
        self.processor: Processor | None = None

    @property
    def restarts(self) -> int:
        """How often the pipeline has been restarted."""
        return self._budget.count

    @property
    def has_viewers(self) -> bool:
        """Whether any output has a viewer."""
        return self.pipeline is not None and self.pipeline.outlets.has_viewers()

    @property
    def cameras(self) -> dict[str, str]:
        """What the open cameras for other programs are, by spec."""
        return {} if self.pipeline is None else self.pipeline.outlets.cameras()

    def viewers(self) -> list[str]:
        """The programs that show its cameras, as far as they are known."""
        return [] if self.pipeline is None else self.pipeline.outlets.viewers()

    def stop(self) -> None:
        """End the daemon, from any thread. Idempotent."""
        self._stopping.set()
        pipeline = self.pipeline
        if pipeline is not None:
            pipeline.stop()

    def run(self) -> None:
        """Run until stopped. Raises DaemonError if another daemon is running, RestartsExhausted if
        the pipeline fails too often."""
        with ExitStack() as stack:
            if self._at is None:
                lock = Lock(runtime_folder())
                stack.callback(lock.close)
            control = ControlServer(self._at or endpoint(), Commands(self).answer)
            stack.callback(control.close)
            files = self.files = FileWatch(self._files)
            stack.callback(files.close)
            stack.enter_context(closing(HotKeys(self.live, self.stats)))
            if self.page is not None:
                self.page.start(self)
                stack.callback(self.page.close)
            stack.callback(self.ring.close)
            if threading.current_thread() is threading.main_thread():
                stack.enter_context(stop_signals(self.stop, self._reload))
            log.info("realtime-bg %s is running as a daemon (pid %d)", __version__, os.getpid())
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
                self.problem = str(error) or repr(error)
            else:
                self.problem = "the pipeline ended by itself"
            if self._stopping.is_set():
                return
            pause = self._budget.spend()
            if pause is None:
                raise RestartsExhausted(f"{self.problem}; it has failed too often, giving up")
            log.error("%s; restarting in %g s", self.problem, pause)
            self._rest(pause)

    def _rest(self, seconds: float) -> None:
        """Wait unless asked to stop, and keep telling the service manager that this is not a
        hang."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopping.wait(min(left, 1.0)):
            self._notify.alive()

    def _run_once(self) -> None:
        try:
            processor = Processor(self.live, self.stats, wait=False)
        except BackgroundError as error:
            log.error("%s; using blur instead", error)
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
        if self._stopping.is_set():  # asked to stop before there was a pipeline
            processor.close()
            return
        self._sleeping.slept()  # nobody called this during the pause, which was not a sleep
        pipeline.run(tick=self._tick)

    def _tick(self) -> None:
        pipeline = self.pipeline
        assert pipeline is not None
        slept = self._sleeping.slept()
        if slept:
            log.info("the computer slept for %.0f s; reopening the camera", slept)
            self.live.modify(lambda s: {"resets": s.resets + 1})
            pipeline.capture.reopen()
        elif time.monotonic() - pipeline.composing.composed_at > HUNG:
            pipeline.stop(DaemonError(f"no picture was made for {HUNG:g} s"))
            return
        self._notify.status(pipeline.state)
        self._notify.alive()

    def _reload(self) -> None:
        """For SIGHUP: apply config.yaml as after an edit."""
        if self.files is not None:
            self.files.read_again(self.config.path)

    def _files(self) -> Wanted:
        return in_use(self.config, self.live, self.stats, self.processor)


def _open(settings: SourceSettings) -> Source:
    return open_source(settings, paced=True)
