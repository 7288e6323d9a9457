"""Which unit a free worker does next. Knows nothing of Ray, threads or clocks, so that a simulation
can use it as well."""

import heapq
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from itertools import count

from realtime_bg.cluster.tasks import ATTEMPTS, Photo, Unit

BATCH = 16  # photos that a worker gets at a time, at most
SHARE = 4  # batches that each worker should get from the photos that are left, at least
URGENCY = {"join": 0, "segment": 1, "video": 2}


class Schedule:
    """Units that wait. Long ones come first, so that none is left over at the end; joining comes
    before everything, because it completes a result. Photos are cut into batches that get smaller
    towards the end."""

    def __init__(self, units: Iterable[Unit] = (), photos: Iterable[Photo] = ()) -> None:
        self._photos = deque(photos)
        self._single: deque[Unit] = deque()  # photos that are tried again, one by one
        self._heap: list[tuple[int, float, int, Unit]] = []
        self._order = count()
        for unit in units:
            self.add(unit)

    def add(self, unit: Unit) -> None:
        """Let a unit that is no batch wait."""
        key = URGENCY[unit.kind], -unit.weight, next(self._order), unit
        heapq.heappush(self._heap, key)

    def take(self, workers: int) -> Unit | None:
        """The next unit for one of ``workers``; None if none waits."""
        if self._heap:
            unit = heapq.heappop(self._heap)[-1]
        elif self._photos:
            length = min(BATCH, max(1, math.ceil(len(self._photos) / (SHARE * workers))))
            photos = tuple(self._photos.popleft() for _ in range(length))
            unit = Unit("photos", "", length, photos)
        elif self._single:
            unit = self._single.popleft()
        else:
            return None
        unit.attempts += 1
        return unit

    def again(self, unit: Unit) -> bool:
        """Let a unit wait again that a worker did not finish; False if it was begun too often. The
        photos of a batch are then tried one by one, so that a photo that ends its worker takes no
        other with it."""
        if unit.kind != "photos":
            if unit.attempts >= ATTEMPTS:
                return False
            self.add(unit)
        elif len(unit.photos) > 1:
            self._single.extend(replace(unit, weight=1, photos=(photo,)) for photo in unit.photos)
        else:
            if unit.attempts >= ATTEMPTS:
                return False
            self._single.append(unit)
        return True

    def unbegun(self, unit: Unit) -> None:
        """Let a unit wait again that no worker has begun."""
        unit.attempts -= 1
        if unit.kind == "photos":
            self._photos.extendleft(reversed(unit.photos)) if not unit.attempts else (
                self._single.append(unit)
            )
        else:
            self.add(unit)

    def __len__(self) -> int:
        return len(self._heap) + len(self._photos) + len(self._single)
