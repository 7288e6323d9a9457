"""One sink, its slot and its thread: a slow or blocked sink delays nobody else."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from realtime_bg.frames import Composite
from realtime_bg.imaging.geometry import fit
from realtime_bg.live.slot import Closed, Slot
from realtime_bg.sinks import classify, open_sink
from realtime_bg.sinks.base import Sink

log = logging.getLogger(__name__)


AFTER_SECONDS = 5.0  # how long a device that is opened again may take to be released


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
