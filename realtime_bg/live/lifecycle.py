"""The lifecycle of one run: its threads, how it is stopped, and the error that ended it."""

import logging
import threading
import time
from collections.abc import Callable

from realtime_bg.errors import RealtimeBgError
from realtime_bg.live.slot import Closed

log = logging.getLogger(__name__)


class Lifecycle:
    """Shared by the parts of a pipeline. Stopping is one idempotent call, from any thread."""

    def __init__(self) -> None:
        self.stopping = threading.Event()  # everything has to end
        self.finished = threading.Event()  # the source has ended by itself; its last picture stays
        self.error: Exception | None = None  # the first error of any thread
        self._closers: list[Callable[[], None]] = []
        self._threads: dict[str, threading.Thread] = {}

    def at_stop(self, *closers: Callable[[], None]) -> None:
        """Register functions that are called when the run ends; they wake waiting threads and must
        not block."""
        self._closers += closers

    def stop(self, error: Exception | None = None) -> None:
        """End everything; only the first ``error`` is kept."""
        if error is not None and self.error is None:
            self.error = error
        self.stopping.set()
        for close in self._closers:
            close()

    def start(self, target: Callable[[], None], name: str) -> None:
        """Run ``target`` on a new thread. It may end with `Closed`; any other exception ends the
        run. A thread with the same name as an earlier one replaces that one, which was
        abandoned."""

        def run() -> None:
            try:
                target()
            except Closed:
                pass
            except Exception as error:
                if not isinstance(error, RealtimeBgError):
                    log.debug("in %s", name, exc_info=True)
                self.stop(error)

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads[name] = thread
        thread.start()

    def join(self, name: str, deadline: float) -> bool:
        """Wait for a thread until ``deadline`` (monotonic seconds). Return whether it has ended."""
        thread = self._threads[name]
        thread.join(max(0.0, deadline - time.monotonic()))
        return not thread.is_alive()
