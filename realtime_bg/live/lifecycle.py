"""One run of the pipeline: whether it goes on, why it ended, and the threads that do its work."""

import logging
import threading
import time
from collections.abc import Callable

from realtime_bg.errors import RealtimeBgError
from realtime_bg.live.slot import Closed

log = logging.getLogger(__name__)


class Lifecycle:
    """Shared by the parts of a pipeline. Ending is one call, from any thread, and idempotent."""

    def __init__(self) -> None:
        self.stopping = threading.Event()  # everything is to end
        self.finished = threading.Event()  # the source ended by itself; its last picture stays
        self.error: Exception | None = None  # the first one of any thread
        self._closers: list[Callable[[], None]] = []
        self._threads: dict[str, threading.Thread] = {}

    def at_stop(self, *closers: Callable[[], None]) -> None:
        """Call these when the run ends; they wake threads that wait, and must not wait."""
        self._closers += closers

    def stop(self, error: Exception | None = None) -> None:
        """End everything; the first ``error`` wins."""
        if error is not None and self.error is None:
            self.error = error
        self.stopping.set()
        for close in self._closers:
            close()

    def start(self, target: Callable[[], None], name: str) -> None:
        """Run ``target`` on a thread of its own. It may end by `Closed`; what else it raises ends
        the run. A second thread of the same name takes the place of one that was given up."""

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
        """Wait for a thread until ``deadline`` (monotonic seconds). Whether it has ended."""
        thread = self._threads[name]
        thread.join(max(0.0, deadline - time.monotonic()))
        return not thread.is_alive()
