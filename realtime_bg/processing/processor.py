"""The processor: frame in, composite out, synchronously; used by live runs, files and
benchmarks."""

from realtime_bg.frames import Composite, DeviceMatte, Frame, Item, Size
from realtime_bg.processing.compositor import Compositor, shows_camera
from realtime_bg.processing.matting import Matting
from realtime_bg.settings.live import Live
from realtime_bg.sinks import wants_person
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
        self.compositor = Compositor(live.now, stats, wait, previews, self._answer)
        live.confirm("background.current", self.compositor.background.spec)

    def process(self, frame: Frame) -> Composite:
        """Both halves, one after the other. Raises RealtimeBgError when no engine is left."""
        while True:
            composite = self._composed(self.matte(frame))
            if composite is not None:
                return composite

    def matte(self, frame: Frame, matting: Matting | None = None) -> Item:
        """The matte of a frame, or the frame itself if the background is ``none`` and no output
        wants the person alone.

        ``matting``: used instead of the processor's own, by a thread that has been abandoned.
        """
        now = self.live.now
        if shows_camera(now) and not wants_person(now.output):
            return frame
        return (matting or self.matting).matte(frame)

    def compose(self, item: Item) -> Composite:
        """The composite for one result of `matte`; without the person if the engine's device fails
        to deliver it."""
        composite = self._composed(item)
        if composite is None:
            frame = item if isinstance(item, Frame) else item.frame
            composite = self.without_camera(frame.size, frame.index, at=frame.time)
        return composite

    def without_camera(
        self, size: Size, index: int, text: str = "", at: float | None = None
    ) -> Composite:
        """A picture without the camera, see `Compositor.without_camera`."""
        return self.compositor.without_camera(size, index, self.live.now, text, at)

    def _composed(self, item: Item) -> Composite | None:
        try:
            return self.compositor.compose(item, self.live.now)
        except Exception as error:
            if not isinstance(item, DeviceMatte):
                raise
            self.matting.blame(error)
            return None

    def _answer(self, asked: str, kept: str, reason: str) -> None:
        """Called when a background was opened or refused: make the settings agree with what is
        open."""
        if reason:
            tried, before = ({"background.current": spec} for spec in (asked, kept))
            self.live.take_back(tried, before, reason)
        else:
            self.live.confirm("background.current", asked)

    def close(self) -> None:
        """Release engine and background. Idempotent."""
        self.matting.close()
        self.compositor.close()
