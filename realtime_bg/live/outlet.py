"""One sink with its slot and its thread: a slow or blocked sink delays no other."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from realtime_bg.frames import Composite, Size
from realtime_bg.live.slot import Closed, Slot
from realtime_bg.processing.compositor import fitted
from realtime_bg.sinks.base import Sink

log = logging.getLogger(__name__)

RELEASE_SECONDS = 5.0  # how long the release of a device that is being reopened may take

OpenSink = Callable[[Size, float], Sink]
"""Opens a sink for composites of a size (width, height) at a frame rate. Raises SinkError."""


class Outlet:
    """Feeds one sink, which the first composite opens."""

    def __init__(
        self,
        spec: str,
        opener: OpenSink,
        fps: float,
        failed: Callable[["Outlet", Exception], None],
        after: "Outlet | None" = None,
    ) -> None:
        """``failed(outlet, error)`` is called on the outlet's thread when the sink fails.
        ``after``: an outlet of the same device that has to finish closing first."""
        self.spec, self._open, self._fps = spec, opener, fps
        self._failed, self._after = failed, after
        self.slot: Slot[Composite] = Slot()
        self.sink: Sink | None = None
        self.worked = False  # whether the sink has taken a composite
        self.busy_since: float | None = None  # since when the sink has been busy with one composite
        self._thread = threading.Thread(target=self._run, name=f"sink-{spec}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        sink: Sink | None = None
        try:
            if self._after is not None:
                self._after.join(RELEASE_SECONDS)
            while True:
                composite = self.slot.take()
                assert composite is not None
                if sink is None:
                    height, width = composite.image.shape[:2]
                    self.sink = sink = self._open((width, height), self._fps)
                    log.info("output %s is open", getattr(sink, "description", self.spec))
                self.busy_since = time.monotonic()
                sink.send(fitted(composite, sink.size))
                self.worked, self.busy_since = True, None
        except Closed:
            self._close(sink)
        except Exception as error:
            self._failed(self, error)
            if sink is not None:
                with suppress(Exception):  # the first error has been reported
                    sink.close(complete=False)

    def has_viewers(self) -> bool:
        """Whether the output may have a viewer."""
        sink = self.sink
        try:
            return sink is not None and sink.has_viewers() is not False
        except Exception:  # closed in the meantime
            return True

    def _close(self, sink: Sink | None) -> None:
        try:
            if sink is not None:
                sink.close()
        except Exception as error:
            self._failed(self, error)

    def close(self) -> None:
        """Ask the sink to finish, without waiting."""
        self.slot.close()

    def join(self, seconds: float) -> bool:
        """Wait until the sink is closed. False if it is still blocked after ``seconds``."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()
