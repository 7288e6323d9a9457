"""How much work the network is given in a live run: its threads and the size of its input."""

import logging

from realtime_bg.engines.base import Engine
from realtime_bg.frames import Frame, Size
from realtime_bg.imaging.geometry import shrunk
from realtime_bg.runtimes.input_size import WorkloadController, strided, thread_counts
from realtime_bg.runtimes.onnx import threads
from realtime_bg.settings import EngineSettings

log = logging.getLogger(__name__)

RESIZED = "to maintain the frame rate, the network now runs at %dx%d instead of %dx%d"
THREADS = "the network now runs on %d threads instead of %d"


class Workload:
    """For one engine and one size of frames. ``threads`` and ``work_size`` are those with which the
    engine is to be opened, None for its own choice."""

    def __init__(self, settings: EngineSettings, in_time: bool) -> None:
        """``in_time``: in a live run; else nothing is adapted."""
        self._settings, self._in_time = settings, in_time
        self._controller: WorkloadController | None = None
        self._first_size: Size = (0, 0)  # initial work size of the engine, before any reduction
        self._stride = 1  # stride of its sides

    @property
    def threads(self) -> int | None:
        if self._settings.threads is not None or not self._in_time:
            return self._settings.threads
        return 1 if self._controller is None else self._controller.threads

    @property
    def work_size(self) -> Size | None:
        if self._controller is None or self._controller.scale == 1:
            return None
        return strided(shrunk(self._first_size, self._controller.scale), self._stride)

    def opened(self, engine: Engine) -> int:
        """Called with each engine that is opened so. Return the number of its network's threads, 0
        without a network."""
        if self.work_size is None:
            self._first_size, self._stride = engine.work_size, engine.stride
        return (self.threads or threads()) if engine.model else 0

    def update(self, engine: Engine, frame: Frame, seconds: float) -> bool:
        """Record that ``engine`` was busy with ``frame`` for ``seconds``. Return whether it is to
        be opened again, with more threads or a smaller input because it is too slow for the camera,
        or with less because there is time."""
        if self._controller is None:
            fixed = self._settings.threads is not None or not engine.on_cpu
            counts = () if fixed or engine.model is None else thread_counts(threads())
            keep_size = self._settings.work_size is not None
            self._controller = WorkloadController(1 if keep_size else engine.least_scale, counts)
        return self._controller.update(frame, seconds)


def log_change(before: tuple[Size, int], now: tuple[Size, int]) -> None:
    """Log a change of work size and threads."""
    if now[0] != before[0]:
        log.info(RESIZED, *now[0], *before[0])
    if now[1] != before[1]:
        log.info(THREADS, now[1], before[1])
