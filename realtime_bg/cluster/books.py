"""What has become of the units of a run: written to the manifest, counted and told."""

import threading
from dataclasses import replace

from realtime_bg.cluster import places
from realtime_bg.cluster.divisions import Divisions
from realtime_bg.cluster.hand import Hand
from realtime_bg.cluster.manifest import Manifest
from realtime_bg.cluster.progress import Progress
from realtime_bg.cluster.tasks import Outcome, Result, Source, Unit
from realtime_bg.errors import EngineError
from realtime_bg.system.console import say


class Books:
    """Used by the threads of all workers. ``done``: how many results were made; ``failed``: why
    others were not, a line each."""

    def __init__(self, manifest: Manifest, divisions: Divisions, progress: Progress) -> None:
        self._manifest, self._divisions, self._progress = manifest, divisions, progress
        self._lock = threading.Lock()
        self._dead = set[str]()  # videos of which a segment has failed
        self._told = set[str]()
        self.done = 0
        self.failed = list[str]()

    def is_of_use(self, unit: Unit) -> bool:
        """Whether a unit can still lead to a result."""
        return unit.place not in self._dead

    def divided(self, hand: Hand, video: Unit, outcome: Outcome) -> list[Unit]:
        """Take note of a video's segments; returns their units. Raises SinkError."""
        assert outcome.segments is not None
        self._progress.finished(hand.number, 0)
        return self._divisions.begun(video, outcome.segments)

    def record(self, hand: Hand, unit: Unit, outcome: Outcome) -> tuple[Unit, list[Unit]]:
        """Write down what was done of a unit; returns what is left of it, and units that can be
        done now. Raises EngineError for a problem of all units, and SinkError."""
        known = {key: source for source, key in unit.inputs}
        joins = list[Unit]()
        for result in outcome.results:
            source = known[result.key]
            if result.why:
                if result.grave and not self.done:
                    raise EngineError(result.why)
                self._fail(unit, result.key, source, result.why)
                continue
            with self._lock:
                self.done += unit.kind != "segment"
            self._note(result, source, hand.node)
            if unit.kind == "segment":
                if (joined := self._divisions.finished(result.key)) is not None:
                    joins.append(joined)
                continue
            if unit.kind == "join":
                self._divisions.remove(result.key)
            self._progress.finished(-1, 0, 1)
        rest = _rest(unit, outcome)
        is_left = outcome.unseen or outcome.stopped or outcome.again
        self._progress.finished(hand.number, unit.weight - (rest.weight if is_left else 0))
        return rest, joins

    def interrupted(self, hand: Hand, unit: Unit, gives_up: str) -> None:
        """A worker did not finish a unit. ``gives_up``: why it is not tried again; empty if it
        is."""
        self._progress.finished(hand.number, unit.weight if gives_up else 0)
        if gives_up:
            for source, key in unit.inputs:
                self._fail(unit, key, source, f"{places.shown(source.name)}: {gives_up}")

    def tell(self, outcome: Outcome) -> None:
        """Print what a worker has said, each line once."""
        for line in outcome.lines:
            with self._lock:
                new = line not in self._told
                self._told.add(line)
            if new:
                say(line.removeprefix("realtime-bg: "), "yellow")

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
        with self._lock:
            if unit.kind == "segment":
                if unit.place in self._dead:
                    return
                self._dead.add(unit.place)  # its other segments are of no use
            self.failed.append(why)
        self._progress.finished(-1, 0, 1)
        self._manifest.note(
            key, state="failed", input=places.shown(source.name), version=source.version, why=why
        )


def _rest(unit: Unit, outcome: Outcome) -> Unit:
    """What of a unit has no result yet."""
    made = {result.key for result in outcome.results}
    photos = tuple(photo for photo in unit.photos if photo.place not in made)
    return replace(unit, photos=photos, weight=len(photos)) if unit.photos else unit
