"""The driver: one thread for each worker, which gives it units, brings files where there is no
common disk, passes on what was done, and hires another worker when it dies."""

import logging
import threading
import time
from collections.abc import Callable, Iterable

from realtime_bg.cluster.books import Books
from realtime_bg.cluster.hand import POLL, Hand, Job
from realtime_bg.cluster.pool import Lost, OutOfMemory
from realtime_bg.cluster.progress import Progress
from realtime_bg.cluster.schedule import Schedule
from realtime_bg.cluster.tasks import Outcome, Unit
from realtime_bg.errors import EngineError
from realtime_bg.system.backoff import Backoff
from realtime_bg.videos import segments

log = logging.getLogger(__name__)

DEATHS = 5  # workers in a row, for each that is wanted, that may die without a result
# Seconds that a node gets to have memory again, after each death of so many workers in a row. Other
# programs may need it for a while, and workers that start in vain make it worse.
SHORTAGES = Backoff(2.0, 5.0, 15.0, 40.0)


class Crew:
    """Works through a schedule with all workers of a pool."""

    def __init__(
        self, job: Job, schedule: Schedule, books: Books, progress: Progress, stop: threading.Event
    ) -> None:
        self.workers, self._job, self._stop = job.pool.workers, job, stop
        self._schedule, self._books, self._progress = schedule, books, progress
        self._change = threading.Condition()
        self._busy = self._working = self._deaths = 0
        self._problem: Exception | None = None

    def run(self, tick: Callable[[], None]) -> None:
        """Do everything, calling ``tick`` from time to time. Raises RealtimeBgError for a problem
        of all units."""
        threads = [
            threading.Thread(target=self._serve, args=(number,), name=f"worker-{number}")
            for number in range(self.workers)
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(POLL)
                    tick()
        finally:
            self.stop_soon()
            for thread in threads:
                thread.join()
        if self._problem is not None:
            raise self._problem

    def stop_soon(self) -> None:
        """Let all threads end as soon as their workers have."""
        with self._change:
            if self._busy or len(self._schedule):
                self._stop.set()
            self._change.notify_all()

    # the thread of one worker

    def _serve(self, number: int) -> None:
        try:
            while self._is_needed():
                pause = 0.0
                hand = Hand(self._job, number, self._progress, self._stop)
                try:
                    if hand.settle(self._is_needed, lambda: self._working > 0):
                        pause = self._work(hand)
                except Lost as lost:
                    pause = self._count_death(lost)
                finally:
                    hand.dismiss()
                self._wait(pause)
        except Exception as error:
            with self._change:
                self._problem = self._problem or error
                self._stop.set()
                self._change.notify_all()

    def _is_needed(self) -> bool:
        with self._change:
            return not self._stop.is_set() and bool(self._busy or len(self._schedule))

    def _count_death(self, lost: Lost) -> float:
        """Count a worker that has died without a result; returns the seconds to wait before
        another is hired."""
        with self._change:
            self._deaths += 1
            if self._deaths >= DEATHS * self.workers:
                raise EngineError(f"workers cannot start on the cluster: {lost}")
            return self._pause(lost)

    def _pause(self, lost: Lost) -> float:
        """The seconds to wait before another worker is hired, by how the last one was lost."""
        if not isinstance(lost, OutOfMemory):
            return 0.0
        return SHORTAGES.after(max(1, -(-self._deaths // self.workers)))

    def _wait(self, seconds: float) -> None:
        if seconds:
            log.warning("the node is short of memory; the next worker starts in %.0f s", seconds)
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._is_needed():
            self._stop.wait(POLL)

    def _work(self, hand: Hand) -> float:
        """Give units to a worker until it dies or none is left; returns the seconds to wait before
        another is hired."""
        with self._change:
            self._working += 1
        try:
            while (unit := self._next()) is not None:
                try:
                    outcome = hand.do(unit)
                except Lost as lost:
                    log.warning("a worker on %s has died (%s)", hand.node, lost)
                    self._put_back(hand, unit, f"its worker died {unit.attempts} times ({lost})")
                    return self._pause(lost)
                except BaseException:
                    self._let_go()
                    raise
                self._take(hand, unit, outcome)
            return 0.0
        finally:
            with self._change:
                self._working -= 1

    def _next(self) -> Unit | None:
        """The next unit; waits while others are at work, whose units may come back."""
        with self._change:
            while not self._stop.is_set():
                unit = self._schedule.take(self.workers)
                if unit is not None and not self._books.is_of_use(unit):
                    continue
                if unit is not None:
                    unit.length = segments.LENGTH if self.workers > 1 else 0
                    self._busy += 1
                    return unit
                if not self._busy:
                    break
                self._change.wait(POLL)
            self._change.notify_all()
            return None

    def _let_go(self) -> None:
        with self._change:
            self._busy -= 1
            self._change.notify_all()

    def _put_back(self, hand: Hand, unit: Unit, why: str) -> None:
        with self._change:
            waits = self._schedule.again(unit)
            self._busy -= 1
            self._change.notify_all()
        self._books.interrupted(hand, unit, "" if waits else why)

    def _take(self, hand: Hand, unit: Unit, outcome: Outcome) -> None:
        """Do what the answer of a worker calls for."""
        self._books.tell(outcome)
        if any(not result.why for result in outcome.results):
            with self._change:
                self._deaths = 0
        if outcome.unseen or outcome.stopped:
            hand.sees &= not outcome.unseen
            rest = self._record(hand, unit, outcome)
            with self._change:
                self._schedule.unbegun(rest)
                self._busy -= 1
                self._change.notify_all()
            return
        if outcome.again:
            self._put_back(hand, self._record(hand, unit, outcome), outcome.again)
            return
        try:
            if outcome.fatal is not None:
                raise outcome.fatal
            if outcome.segments is not None:
                self._add(self._books.divided(hand, unit, outcome))
            else:
                self._record(hand, unit, outcome)
        finally:
            self._let_go()

    def _record(self, hand: Hand, unit: Unit, outcome: Outcome) -> Unit:
        """Have noted what was done of a unit; returns what is left of it."""
        rest, joins = self._books.record(hand, unit, outcome)
        self._add(joins)
        return rest

    def _add(self, units: Iterable[Unit]) -> None:
        with self._change:
            for unit in units:
                self._schedule.add(unit)
            self._change.notify_all()
