"""The compositor's thread without a thread: items that come at a given time, and what is made."""

from types import SimpleNamespace

import numpy as np
import pytest

from realtime_bg.frames import Composite, DeviceMatte, Frame, Matte
from realtime_bg.live.composing import Composing
from realtime_bg.live.lifecycle import Lifecycle
from realtime_bg.live.slot import Closed
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

SIZE = (16, 12)


class Slot:
    """Gives what is due at the time, and lets the time pass while it waits."""

    def __init__(self, clock):
        self.clock, self.due, self.waits = clock, [], []

    def put(self, item, at=0.0):
        self.due.append((at, item))

    def take(self, seconds):
        self.waits.append(round(seconds, 6))
        end = self.clock.now + seconds
        if self.due and self.due[0][0] <= end:
            at, item = self.due.pop(0)
            self.clock.now = max(self.clock.now, at)
            return item
        self.clock.now = end
        return None


class Rig:
    def __init__(self, **flags):
        self.now, self.asleep = 100.0, False
        self.live, self.stats, self.run = Live(load(flags=flags)), Stats(), Lifecycle()
        self.items, self.newest, self.sent, self.made = Slot(self), Slot(self), [], []
        processor = SimpleNamespace(
            compose=self.compose,
            without_camera=self.without_camera,
            compositor=SimpleNamespace(again=self.again),
        )
        outlets = SimpleNamespace(send=self.sent.append)
        self.composing = Composing(
            self.live,
            self.stats,
            self.run,
            processor,
            self.items,
            self.newest,
            outlets,
            lambda: SIZE,
            lambda: self.asleep,
        )

    def _made(self, how, index, at):
        self.made.append(how)
        return Composite(np.zeros((1, 1, 3), np.uint8), index, at)

    def compose(self, item):
        frame = item if isinstance(item, Frame) else item.frame
        return self._made("person", frame.index, frame.time)

    def without_camera(self, size, index, text=""):
        assert size == SIZE
        return self._made(f"card {text}" if text else "background", index, self.now)

    def again(self, last, settings):
        assert settings is self.live.now
        return self._made("again", last.index, last.time)

    def steps(self, *steps):
        """Run the loop: each step is called when it waits, and gives the next item. Returns the
        seconds for which it would have waited."""
        waits, left = [], list(steps)

        def awaited(before, seconds):
            assert before is self.live.now
            waits.append(round(seconds, 6))
            if not left:
                raise Closed
            return left.pop(0)()

        self.composing._awaited = awaited
        with pytest.raises(Closed):
            self.composing._compose()
        assert len(self.sent) <= len(steps)
        return waits


def frame(index=0, at=100.0, epoch=0):
    return Frame(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8), index, at, epoch)


def matte(index=0, at=100.0, epoch=0, lost=False, guided=True):
    shown = frame(index, at, epoch)
    alpha = np.ones(SIZE[::-1], np.float32)
    return Matte(shown, alpha, guide=shown.image if guided else None, lost=lost)


class OnDevice(DeviceMatte):
    def downloaded(self):
        raise AssertionError

    over = downloaded
