"""The compositor's thread: decides which picture is shown now and how old a matte may become
(`privacy.max_age`)."""

import time
from collections.abc import Callable

from realtime_bg.frames import Composite, Frame, Item, Matte, Size
from realtime_bg.imaging.flow import Flow, carried
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.outlets import Outlets
from realtime_bg.live.slot import Slot
from realtime_bg.processing.compositor import shows_camera
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

CLOSED_PERIOD = 0.1  # seconds between pictures while there is no person to show
LOOK_PERIOD = 0.1  # seconds between checks, while waiting, whether the last picture may stay
PAUSED_PERIOD = 0.2
ASLEEP_PERIOD = 0.08  # a new viewer gets its first picture within this time
CARRIED = 0.25  # seconds for which a matte may be moved along with the picture


class Composing:
    """Composes each matte, or a picture without the person, and passes it to the outlets."""

    def __init__(
        self,
        live: Live,
        stats: Stats,
        run: Lifecycle,
        processor: Processor,
        items: Slot[Item],
        newest: Slot[Frame],
        outlets: Outlets,
        size: Callable[[], Size],
        asleep: Callable[[], bool],
    ) -> None:
        """``items``: the output of inference. ``newest``: frames to be shown with an earlier matte
        (`output.sync: lowest-latency`). ``size``: the size for pictures without a frame.
        ``asleep``: whether the camera is closed because no output has a viewer."""
        self._live, self._stats, self._run, self._processor = live, stats, run, processor
        self._items, self._outlets, self._size, self._asleep = items, outlets, size, asleep
        self._newest = newest
        self._matte: Matte | None = None
        self._flow = Flow()
        self.holding = False  # whether the picture is frozen
        self.composed_at = time.monotonic()  # when the last picture was composed

    def start(self) -> None:
        """Start the thread."""
        self._run.start(self._compose, "compositor")

    def _compose(self) -> None:
        last: Composite | None = None
        whole = False  # whether `last` is more than a card and may be frozen
        camera_shown = False  # whether the last whole picture is the camera's, as the user chose
        index, good_until = 0, 0.0
        while True:
            item = self._awaited(self._live.now, self._period(good_until))
            now = self._live.now
            leaves_camera = camera_shown and not shows_camera(now)
            resting = now.paused or self._asleep()
            self.holding = now.frozen and whole and not resting and not leaves_camera
            if resting:
                text = "Camera paused" if now.paused else "One moment"
                last, whole = self._without_camera(index, text), False
            elif self.holding and last is not None:
                last = self._processor.compositor.again(last, now)
            elif item is not None and _age(item) <= now.privacy.max_age:
                last, whole = self._processor.compose(item), True
                # The setting may have changed during composition, so either value counts.
                camera_shown = shows_camera(now) or shows_camera(self._live.now)
                index = last.index
                good_until = last.time + now.privacy.max_age
                self._stats.tick()
                self._stats.add("latency", time.monotonic() - last.time)
            elif leaves_camera or not self._run.finished.is_set():
                last, whole = self._without_camera(index), False
            self.composed_at = time.monotonic()
            with self._stats.stage("hand-over"):
                if last is not None:
                    self._outlets.send(last)

    def _period(self, good_until: float) -> float:
        """How many seconds the last picture, which is valid until ``good_until``, may still
        stay."""
        if self._asleep():
            return ASLEEP_PERIOD
        if self._live.now.paused:
            return PAUSED_PERIOD
        return max(0.0, good_until - time.monotonic(), CLOSED_PERIOD)

    def _awaited(self, before: Settings, seconds: float) -> Item | None:
        """What to compose next. None after ``seconds``, or soon after the last picture must go
        because the user has paused or has switched away from the plain camera picture."""
        locked = before.output.sync == "locked" or before.paused or self._asleep()
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            wait = max(0.0, min(left, LOOK_PERIOD))
            item = self._items.take(wait) if locked else self._at_once(wait)
            now = self._live.now
            hides = (now.paused and not before.paused) or shows_camera(before) > shows_camera(now)
            if item is not None or left <= LOOK_PERIOD or hides:
                return item

    def _at_once(self, seconds: float) -> Item | None:
        """The newest frame with the newest matte moved along, as long as that is useful;
        afterwards, as with `locked`, the next matte, or None after ``seconds``."""
        end = time.monotonic() + seconds
        frame = self._newest.take(seconds)
        left = max(0.0, end - time.monotonic())
        item, matte = self._next_item(0), self._matte
        if frame is None or matte is None or matte.lost or not frame.same_view(matte.frame):
            return item or self._next_item(left)
        # Always start from a matte of the engine itself, so that a hanging engine cannot be
        # prolonged.

        if 0 < frame.time - matte.frame.time < CARRIED:
            return carried(matte, frame, self._flow)
        return item or self._next_item(left)

    def _next_item(self, seconds: float) -> Item | None:
        """The next output of inference; a matte that can be moved along is remembered."""
        item = self._items.take(seconds)
        if item is not None:
            self._matte = item if isinstance(item, Matte) and item.guide is not None else None
        return item

    def _without_camera(self, index: int, text: str = "") -> Composite:
        return self._processor.without_camera(self._size(), index, text)


def _age(item: Item) -> float:
    frame = item if isinstance(item, Frame) else item.frame
    return time.monotonic() - frame.time
