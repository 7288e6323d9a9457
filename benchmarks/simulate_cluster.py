"""Simulate the scheduling of a cluster: how much of the workers' time a run of many units uses.

    python benchmarks/simulate_cluster.py --nodes 100 --photos 40000 --photo-seconds 0.4
    python benchmarks/simulate_cluster.py --nodes 100 --videos 300 --frame-seconds 0.05

A discrete simulation with the program's own `Schedule`, and with the division of long videos and
their joining as the program does it. The times of tasks come from measurements on one machine;
`--call-seconds` is what a call of a worker costs besides its work. Photos take between half and
one and a half times as long as given. The lengths of videos are between 1 and 90 minutes, most of
them short (log-uniform). Nothing random changes between two calls with the same `--seed`.

It prints the use: the time in which workers do units, warm-ups excluded, as a share of the time
from the first begin to the last end, over all workers. Starting workers is not part of it.
"""

import argparse
import heapq
import math
import random
from dataclasses import dataclass, field

from realtime_bg.cluster.divisions import JOINING
from realtime_bg.cluster.schedule import Schedule
from realtime_bg.cluster.tasks import Photo, Source, Unit, segment_key
from realtime_bg.videos.segments import LENGTH, WARM_UP

FPS = 30
MINUTES = 1.0, 90.0


@dataclass
class Costs:
    """Seconds that tasks take."""

    photo: dict[str, float]
    frame: float
    call: float
    join: float  # for each frame


@dataclass
class Simulation:
    """A run. ``useful``: seconds of work without warm-ups and calls, of all workers."""

    schedule: Schedule
    costs: Costs
    workers: int
    frames: dict[str, int]
    left: dict[str, int] = field(default_factory=dict)
    useful: float = 0.0

    def run(self) -> float:
        """The seconds until everything is done."""
        free = list(range(self.workers))
        running: list[tuple[float, int, Unit]] = []
        now = 0.0
        while True:
            while free and (unit := self.schedule.take(self.workers)) is not None:
                worker = free.pop()
                heapq.heappush(running, (now + self.duration(unit), worker, unit))
            if not running:
                return now
            now, worker, unit = heapq.heappop(running)
            free.append(worker)
            self.end(unit)

    def duration(self, unit: Unit) -> float:
        """The seconds that a worker has a unit."""
        costs, frames = self.costs, self.frames.get(unit.place, 0)
        if unit.kind == "photos":
            work, idle = sum(costs.photo[photo.place] for photo in unit.photos), 0.0
        elif unit.kind == "join":
            work, idle = frames * costs.join, 0.0
        elif unit.kind == "segment":
            share = frames / self.parts(unit.place)
            work, idle = share * costs.frame, WARM_UP.frames * costs.frame
        elif frames >= 2 * LENGTH:
            work, idle = 0.0, costs.call  # it is only looked at
        else:
            work, idle = frames * costs.frame, 0.0
        self.useful += work
        return work + idle + costs.call

    def parts(self, place: str) -> int:
        """How many segments a video has."""
        return max(1, self.frames[place] // LENGTH)

    def end(self, unit: Unit) -> None:
        """What follows when a unit is done."""
        place = unit.place
        if unit.kind == "video" and self.frames[place] >= 2 * LENGTH:
            count = self.left[place] = self.parts(place)
            for number in range(count):
                weight = unit.weight * (1 - JOINING) / count
                key = segment_key(place, number)
                self.schedule.add(Unit("segment", key, weight, place=place))
        elif unit.kind == "segment":
            self.left[place] -= 1
            if not self.left[place]:
                self.schedule.add(Unit("join", place, 0.0, place=place))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=100, help="with one worker each")
    parser.add_argument("--photos", type=int, default=0)
    parser.add_argument("--videos", type=int, default=0)
    parser.add_argument("--photo-seconds", type=float, default=0.4)
    parser.add_argument("--frame-seconds", type=float, default=0.05)
    parser.add_argument("--join-seconds", type=float, default=2e-4, help="for each frame")
    parser.add_argument("--call-seconds", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    photos = [Photo(Source(f"{n}.jpg", "1"), f"{n}.png", "png") for n in range(given.photos)]
    times = {each.place: given.photo_seconds * rng.uniform(0.5, 1.5) for each in photos}
    low, high = (math.log(minutes) for minutes in MINUTES)
    frames = {
        f"{n}.mp4": round(60 * FPS * math.exp(rng.uniform(low, high))) for n in range(given.videos)
    }
    units = [Unit("video", place, count, place=place) for place, count in frames.items()]
    costs = Costs(times, given.frame_seconds, given.call_seconds, given.join_seconds)
    simulation = Simulation(Schedule(units, photos), costs, given.nodes, frames)
    seconds = simulation.run()
    use = simulation.useful / (seconds * given.nodes)
    print(f"{given.nodes} nodes, {given.photos} photos, {given.videos} videos:")
    print(f"{seconds:.0f} s, use {use:.1%}")


if __name__ == "__main__":
    main()
