"""The inference thread: frames in, mattes out; it is abandoned together with an engine that
hangs."""

import time
from collections.abc import Callable

import numpy as np

from realtime_bg.frames import Frame, Item, Size
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.slot import Closed, Slot
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.processor import Processor


class Inference:
    """Mattes the newest frame, always with the processor's current `Matting`."""

    def __init__(
        self,
        run: Lifecycle,
        processor: Processor,
        frames: Slot[Frame],
        items: Slot[Item],
        holding: Callable[[], bool],
    ) -> None:
        """``holding``: whether the picture is frozen, so that no frame needs a matte."""
        self._run, self._processor = run, processor
        self._frames, self._items, self._holding = frames, items, holding

    def start(self, warm_up: Size | None = None) -> None:
        """Start an inference thread. ``warm_up``: the size of the frames to come, if the first one
        may come late; the engine is then loaded in advance."""
        matting = self._processor.matting
        self._run.start(lambda: self._infer(matting, warm_up), "inference")

    def _infer(self, matting: Matting, warm_up: Size | None) -> None:
        if warm_up is not None:
            width, height = warm_up
            black = np.zeros((height, width, 3), np.uint8)
            self._matted(Frame(black, 0, time.monotonic(), epoch=-1), matting)
        while True:
            frame = self._frames.take()
            assert frame is not None
            if self._holding():
                continue
            self._items.put(self._matted(frame, matting))

    def _matted(self, frame: Frame, matting: Matting) -> Item:
        """Raises Closed if this thread has been abandoned meanwhile, whatever became of it."""
        try:
            return self._processor.matte(frame, matting)
        finally:
            if matting is not self._processor.matting:
                matting.close()
                raise Closed

    def supervise(self, hang: float, running_since: float = 0.0) -> None:
        """Abandon an engine that has worked on one frame for more than ``hang`` seconds, together
        with its thread, which cannot be killed; another engine takes over. Only the time after
        ``running_since`` (monotonic seconds, see `Standstill`) counts. Runs on the main thread."""
        matting = self._processor.matting
        since = matting.busy_since
        if since is not None and time.monotonic() - max(since, running_since) > hang:
            self._processor.matting = matting.abandoned(f"has returned nothing for {hang:g} s")
            self.start()
