"""Tries an engine that was given up: opens it and runs it on one frame, on a thread of its own, so
that the engine in use goes on."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from realtime_bg.engines.base import Engine
from realtime_bg.frames import Frame, check_matte, downloaded
from realtime_bg.processing.given_up import GivenUp

log = logging.getLogger(__name__)

FRAMES = 3  # the first includes warm-up, and an engine with history fails at the second at last
LONGEST = 1.0  # seconds between two looks that count: a process that stood still is no hang


class EngineTrial:
    """One attempt. The owner calls `finished` until it is True, and then `take`."""

    def __init__(self, name: str, opened: Callable[[], Engine], frame: Frame) -> None:
        """Start. ``opened`` opens the engine, for frames of the size of ``frame``."""
        self.name, self._opened, self._frame = name, opened, frame
        self.error: Exception | None = None
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._cancelled = self._matting = False
        self._looked, self._waited = time.monotonic(), 0.0
        self._thread = threading.Thread(target=self._run, name="engine-trial", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        engine: Engine | None = None
        try:
            engine = self._opened()
            self._matting = True
            for _ in range(FRAMES):
                check_matte(downloaded(engine.matte(self._frame)))
            engine.reset()
        except Exception as error:  # an engine may raise anything
            self.error = error
        with self._lock:
            if self.error is None and not self._cancelled:
                self._engine = engine
                return
        if engine is not None:
            with suppress(Exception):
                engine.close()

    @property
    def finished(self) -> bool:
        """Whether the attempt is over, with success or not."""
        return not self._thread.is_alive()

    def hangs(self, limit: float) -> bool:
        """Whether the engine has worked on its frame for more than ``limit`` seconds. Loading does
        not count. Called many times a second."""
        now = time.monotonic()
        if self._matting:
            self._waited += min(now - self._looked, LONGEST)
        self._looked = now
        return self._waited > limit

    def take(self) -> Engine | None:
        """The engine, ready for other frames of the same size, or None if it failed."""
        with self._lock:
            engine, self._engine = self._engine, None
            return engine

    def cancel(self) -> None:
        """Close the engine, now or as soon as it is no longer busy. Idempotent."""
        with self._lock:
            self._cancelled = True
        engine = self.take()
        if engine is not None:
            engine.close()


class Retries:
    """Tries engines that were given up again, one at a time. Used by the thread that owns the
    engine in use."""

    def __init__(self) -> None:
        self._trial: EngineTrial | None = None
        self._hanging: list[EngineTrial] = []  # their threads cannot be killed

    def update(
        self,
        given_up: GivenUp,
        better: Collection[str],
        opener: Callable[[str], Callable[[], Engine]],
        frame: Frame,
        hang: float,
    ) -> tuple[str, Engine] | None:
        """Start a trial if one is due, or end one. Return the name and the engine if it has
        succeeded.

        ``better``: the engines to try. ``opener``: given a name, returns a function
        that opens this engine and is called on another thread. ``hang``: seconds for which an
        engine may work on ``frame``.
        """
        trial = self._trial
        if trial is None:
            due = given_up.due(better)
            if due is not None and not self._hang():
                log.info("trying engine %s again", due)
                self._trial = EngineTrial(due, opener(due), frame)
            return None
        if trial.finished:
            self._trial, engine, error = None, trial.take(), trial.error
            if engine is not None:
                return trial.name, engine
            reason = f"{type(error).__name__}: {error}"
        elif trial.hangs(hang):
            self.cancel()
            self._hanging.append(trial)
            reason = f"has returned nothing for {hang:g} s"
        else:
            return None
        log.warning("engine %s still fails: %s", trial.name, reason)
        given_up.add(trial.name, reason)
        return None

    def _hang(self) -> bool:
        """Whether an earlier trial still hangs. Then none is started, so that hanging threads do
        not add up."""
        self._hanging = [trial for trial in self._hanging if not trial.finished]
        return bool(self._hanging)

    def cancel(self) -> None:
        """End the trial that is running, if any. Idempotent."""
        trial, self._trial = self._trial, None
        if trial is not None:
            trial.cancel()
