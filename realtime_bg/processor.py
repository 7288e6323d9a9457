"""Frame in, composite out: the whole engine, synchronous, used by everything."""

from realtime_bg.compositor import Compositor, shows_camera
from realtime_bg.frames import Composite, DeviceMatte, Frame, Item
from realtime_bg.live import Live
from realtime_bg.matting import Matting
from realtime_bg.stats import Stats


class Processor:
    """Two halves, `matte` and `compose`, that the live pipeline runs on two threads.

    ``wait``: True for files, where every picture of a moving background must be the exact one;
    False for live use, where nothing waits.
    """

    def __init__(self, live: Live, stats: Stats, wait: bool, previews: bool = False) -> None:
        """Opens the background; the engine is opened by the first frame. Raises
        BackgroundError."""
        self.live, self.stats = live, stats
        self.matting = Matting(live, stats, in_time=not wait)
        self.compositor = Compositor(live.now, stats, wait, previews)

    def process(self, frame: Frame) -> Composite:
        """Both halves, one after the other. Raises RealtimeBgError when no engine is left."""
        while True:
            composite = self._composed(self.matte(frame))
            if composite is not None:
                return composite

    def matte(self, frame: Frame, matting: Matting | None = None) -> Item:
        """The frame's matte, or the frame itself when the user asked to see the camera.

        ``matting``: another one than the processor's own, for a thread that was given up.
        """
        return frame if shows_camera(self.live.now) else (matting or self.matting).matte(frame)

    def compose(self, item: Item) -> Composite:
        """The picture for one item of `matte`; without the person where the engine's device
        fails to hand it over."""
        composite = self._composed(item)
        if composite is None:
            frame = item if isinstance(item, Frame) else item.frame
            composite = self.compositor.closed(frame.size, frame.index, self.live.now,
                                               at=frame.time)  # fmt: skip
        return composite

    def _composed(self, item: Item) -> Composite | None:
        try:
            composite = self.compositor.compose(item, self.live.now)
        except Exception as error:
            if not isinstance(item, DeviceMatte):
                raise
            self.matting.blame(error)
            return None
        rejected = self.compositor.rejected()
        if rejected:  # what is open is also what the settings say
            tried, kept = ({"background.current": spec} for spec in rejected)
            self.live.take_back(tried, kept)
        return composite

    def close(self) -> None:
        """Release engine and background. Idempotent."""
        self.matting.close()
        self.compositor.close()
