"""From a frame to its matte, with the engine that the settings name or a fallback; resets history
at scene cuts.

An engine may raise anything; no error escapes, and none leads to an unmatted frame.
"""

import time
from dataclasses import replace

from realtime_bg.engines.base import Engine
from realtime_bg.frames import DeviceMatte, Frame, Matte, check_matte
from realtime_bg.imaging.scene_change import SceneChangeDetector
from realtime_bg.processing.brightening import Brightening
from realtime_bg.processing.carrying import Carrying
from realtime_bg.processing.engine_choice import EngineChoice
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats


class Matting:
    """Mattes the frames of one stream. Used by one thread at a time."""

    def __init__(self, live: Live, stats: Stats, in_time: bool = False) -> None:
        """``in_time``: frames arrive at the rate of a camera. Then a still picture is not matted
        again, and the work size is reduced if the network is too slow."""
        self._live, self.stats, self._in_time = live, stats, in_time
        self._choice = EngineChoice(live, stats, in_time)
        self._resets, self._plates = live.now.resets, live.now.plates
        self._scene = SceneChangeDetector()
        self._last: Matte | None = None
        self._carrying, self._brightening = Carrying(), Brightening()
        self._stale = False  # whether the engine has to be reopened
        self._abandoned = False
        self._blamed: Exception | None = None  # the error of its last matte while it was blended
        # Since when the engine has worked on a frame, in monotonic seconds; loading does not count.
        self.busy_since: float | None = None

    def matte(self, frame: Frame, repeats: int | None = None) -> Matte | DeviceMatte:
        """Matte one frame, reopening and falling back as needed.

        ``repeats``: for a still photo, the most times a recurrent engine may be run on it; None
        for a video frame, which continues the stream. Raises RealtimeBgError when no engine is
        left.
        """
        now, choice = self._live.now, self._choice
        if self._stale or not choice.suits(now.engine, frame.size):
            self._stale = False
            self._forget_matte()
            choice.follow(now.engine, frame.size)
        elif self._in_time and choice.retry(frame):
            self._forget_matte()
        cut, still = self._scene.update(frame)
        cut |= now.resets != self._resets
        self._resets = now.resets
        plate, self._plates = now.plates > self._plates, now.plates
        still &= self._in_time and now.engine.gate and not cut and not plate
        if still and self._last is not None and choice.engine is not None and choice.engine.waits:
            self.stats.held += 1
            return replace(self._last, frame=frame)
        if not cut and not plate and not repeats:
            carried = self._carried(frame)
            if carried is not None:
                self._last = carried
                return carried
        blamed, self._blamed = self._blamed, None
        if blamed is not None and choice.engine is not None:
            choice.failed(blamed)
        while True:
            engine = choice.engine or choice.reopened()
            start = self.busy_since = time.monotonic()
            try:
                if cut:
                    engine.reset()
                if plate:
                    engine.take_plate()
                matte = self._seen(engine, frame, repeats)
            except Exception as error:  # an engine may raise anything; nothing may escape
                self.busy_since = None
                if self._abandoned:
                    raise
                choice.failed(error)
            else:
                self.busy_since = None
                choice.succeeded()
                if self._in_time and not self._abandoned:
                    choice.hold_rate(frame, time.monotonic() - start)
                self._last = matte if isinstance(matte, Matte) else None
                self._carrying.answered(self._last)
                return matte

    def _seen(self, engine: Engine, frame: Frame, repeats: int | None) -> Matte | DeviceMatte:
        """What the engine says about a frame, in a dark room about a brightened copy."""
        light, shown = self._live.now.light, frame
        if light.active and light.matting and engine.model is not None:
            shown = self._brightening.brightened(frame)
        seen = engine.matte_photo(shown, repeats) if repeats else engine.matte(shown)
        matte = check_matte(seen)
        return matte if shown is frame else self._brightening.as_before(matte, frame)

    def _carried(self, frame: Frame) -> Matte | None:
        """The previous matte, carried along to this frame, if the settings and the picture allow
        that; None if the engine has to run."""
        engine, every = self._choice.engine, self._live.now.engine.every
        if engine is None or engine.model is None or not engine.waits or self._blamed is not None:
            return None
        if every is None and not self._in_time:
            return None
        carried = self._carrying.next(frame, every)
        self.stats.carried += carried is not None
        return carried

    def _forget_matte(self) -> None:
        """Use no previous matte for the next frame."""
        self._scene.forget_matte()
        self._carrying.answered(None)

    def forget(self) -> None:
        """Drop all history, and with it every picture: the next frame continues nothing."""
        self._last = None
        self._forget_matte()
        if self._choice.engine is not None:
            try:
                self._choice.engine.reset()
            except Exception:  # an engine may raise anything; the next frame opens it again
                self._stale = True

    @property
    def engine(self) -> Engine | None:
        """The engine in use; None before the first frame and after a failure."""
        return self._choice.engine

    def abandoned(self, reason: str) -> "Matting":
        """A successor without the current engine, which hangs in another thread. That thread must
        not continue with this object: if its engine raises after all, so does `matte`."""
        self._abandoned = True
        successor = Matting(self._live, self.stats, self._in_time)
        successor._choice = self._choice.successor(reason)
        return successor

    def blame(self, error: Exception) -> None:
        """Count an error while a matte was being blended on its device as a failure of the engine.
        Callable from any thread."""
        self._blamed = error

    def reload(self) -> None:
        """Reopen the engine for the next frame, because the file of its model has changed."""
        self._stale = True

    def close(self) -> None:
        """Release the engine. Idempotent."""
        self._choice.stop()
