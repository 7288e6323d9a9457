"""The driver: one thread for each worker, which gives it units, brings files where there is no
common disk, records what was done, and hires another worker when it dies."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from realtime_bg.cluster import places
from realtime_bg.cluster.divisions import Divisions
from realtime_bg.cluster.hand import POLL, Hand, Job
from realtime_bg.cluster.manifest import Manifest
from realtime_bg.cluster.pool import Lost
from realtime_bg.cluster.progress import Progress
from realtime_bg.cluster.schedule import Schedule
from realtime_bg.cluster.tasks import Outcome, Result, Source, Unit
from realtime_bg.errors import EngineError
from realtime_bg.system.console import say
from realtime_bg.videos import segments

log = logging.getLogger(__name__)

DEATHS = 5  # workers in a row, for each that is wanted, that may die without a result


class Crew:
    """Works through a schedule with all workers of a pool."""

    def __init__(
        self,
        job: Job,
        schedule: Schedule,
        manifest: Manifest,
        divisions: Divisions,
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self.workers, self._job, self._stop = job.pool.workers, job, stop
        self._schedule, self._manifest, self._progress = schedule, manifest, progress
        self._divisions, self._dead = divisions, set[str]()  # videos of which a segment has failed
        self._change = threading.Condition()
        self._busy = self._working = self._deaths = self._done = 0
        self._problem: Exception | None = None
        self._told: set[str] = set()
        self.failed: list[str] = []

    def run(self, tick: Callable[[], None]) -> int:
        """Do everything, calling ``tick`` from time to time; return how many results were made.
        Raises RealtimeBgError for a problem of all units."""
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
        return self._done

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
                hand = Hand(self._job, number, self._progress, self._stop)
                try:
                    if hand.settle(self._is_needed, lambda: self._working > 0):
                        self._work(hand)
                except Lost as lost:
                    self._count_death(str(lost))
                finally:
                    hand.dismiss()
        except Exception as error:
            with self._change:
                self._problem = self._problem or error
                self._stop.set()
                self._change.notify_all()

    def _is_needed(self) -> bool:
        with self._change:
            return not self._stop.is_set() and bool(self._busy or len(self._schedule))

    def _count_death(self, why: str) -> None:
        with self._change:
            self._deaths += 1
            if self._deaths >= DEATHS * self.workers:
                raise EngineError(f"workers cannot start on the cluster: {why}")

    def _work(self, hand: Hand) -> None:
        """Give units to a worker until it dies or none is left."""
        with self._change:
            self._working += 1
        try:
            while (unit := self._next()) is not None:
                try:
                    outcome = hand.do(unit)
                except Lost as lost:
                    log.warning("a worker on %s has died (%s)", hand.node, lost)
                    self._put_back(hand, unit, f"its worker died {unit.attempts} times ({lost})")
                    return
                except BaseException:
                    self._let_go()
                    raise
                self._take(hand, unit, outcome)
        finally:
            with self._change:
                self._working -= 1

    def _next(self) -> Unit | None:
        """The next unit; waits while others are at work, whose units may come back."""
        with self._change:
            while not self._stop.is_set():
                unit = self._schedule.take(self.workers)
                if unit is not None and unit.place in self._dead:
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
        self._progress.finished(hand.number, 0 if waits else unit.weight)
        if not waits:
            for source, key in unit.inputs:
                self._fail(unit, key, source, f"{places.shown(source.name)}: {why}")

    def _take(self, hand: Hand, unit: Unit, outcome: Outcome) -> None:
        """Record what a worker has answered."""
        self._tell(outcome)
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
                self._add(self._divisions.begun(unit, outcome.segments))
                self._progress.finished(hand.number, 0)
                return
            self._record(hand, unit, outcome)
        finally:
            self._let_go()

    def _add(self, units: Iterable[Unit]) -> None:
        with self._change:
            for unit in units:
                self._schedule.add(unit)
            self._change.notify_all()

    def _record(self, hand: Hand, unit: Unit, outcome: Outcome) -> Unit:
        """Write down what was done of a unit; returns what is left of it."""
        known = {key: source for source, key in unit.inputs}
        for result in outcome.results:
            source = known[result.key]
            if result.why:
                if result.grave and not self._done:
                    raise EngineError(result.why)
                self._fail(unit, result.key, source, result.why)
                continue
            with self._change:
                self._done += unit.kind != "segment"
                self._deaths = 0
            self._note(result, source, hand.node)
            if unit.kind == "segment":
                if (joined := self._divisions.finished(result.key)) is not None:
                    self._add([joined])
                continue
            if unit.kind == "join":
                self._divisions.remove(result.key)
            self._progress.finished(-1, 0, 1)
        rest = _rest(unit, outcome)
        is_left = outcome.unseen or outcome.stopped or outcome.again
        self._progress.finished(hand.number, unit.weight - (rest.weight if is_left else 0))
        return rest

    def _note(self, result: Result, source: Source, node: str) -> None:
        self._manifest.note(
            result.key,
            state="done",
            input=places.shown(source.name),
            version=source.version,
            hash=result.hash,
            node=node,
        )

    def _fail(self, unit: Unit, key: str, source: Source, why: str) -> None:
        with self._change:
            if unit.kind == "segment":
                if unit.place in self._dead:
                    return
                self._dead.add(unit.place)  # its other segments are of no use
            self.failed.append(why)
        self._progress.finished(-1, 0, 1)
        self._manifest.note(
            key, state="failed", input=places.shown(source.name), version=source.version, why=why
        )

    def _tell(self, outcome: Outcome) -> None:
        """Print what a worker has said, each line once."""
        for line in outcome.lines:
            with self._change:
                new = line not in self._told
                self._told.add(line)
            if new:
                say(line.removeprefix("realtime-bg: "), "yellow")


def _rest(unit: Unit, outcome: Outcome) -> Unit:
    """What of a unit has no result yet."""
    made = {result.key for result in outcome.results}
    photos = tuple(photo for photo in unit.photos if photo.place not in made)
    return replace(unit, photos=photos, weight=len(photos)) if unit.photos else unit
