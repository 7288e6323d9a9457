"""Telling the people in an alpha apart, and following each of them from frame to frame."""

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Frame, Image, Labels
from realtime_bg.imaging.flow import grey
from realtime_bg.imaging.geometry import resize, shrunk
from realtime_bg.processing.looks import Codes, Mask, codes_of, histogram
from realtime_bg.processing.memory import AGAIN, LEARN, LEAST, NEW, Memory
from realtime_bg.processing.person import Person, distance
from realtime_bg.processing.regions import (
    MOST_OF,
    around,
    at_border,
    grouped,
    matched,
    members,
    owners,
    reached,
)
from realtime_bg.processing.whose import Dividing, spread

SIDE = 128  # pixels on the longer side of the picture in which people are followed
PERSON = 0.4  # alpha from which a pixel counts as person
AWAY = 2.5  # pixels from where anybody was expected: something new
NEWCOMER = 0.1  # of the person it touches: something new of this size is another person
SUDDEN = 0.2  # of the same: nobody grows by so much in one frame
UNLIKE = 0.3  # probability of being the known person's colour, below which it is somebody else's
GROWN = 2  # pixels by which somebody alone may grow in one frame
PAUSE = 1.0  # seconds without a frame, after which everybody may be anywhere
SELDOM = 5  # frames after which the colours of somebody alone are looked at


class People:
    """Everybody who was seen in one stream. A connected part of the alpha is a person; parts that
    people form together are divided by `Dividing`."""

    def __init__(self) -> None:
        self._last: Frame | None = None
        self._shape = (0, 0)
        self._dividing = Dividing()
        self._memory = Memory()
        self.kept = set[int]()
        """Labels of those who are not forgotten, however long they are away."""

    @property
    def known(self) -> dict[int, Person]:
        """By their labels, also those who are away."""
        return self._memory.known

    @property
    def became(self) -> dict[int, int]:
        """Labels that the last frame has given up, and the labels of those who they were."""
        return self._memory.became

    def follow(
        self, frame: Frame, alpha: Alpha, guide: Image | None, given: Labels | None = None
    ) -> Labels:
        """Who is where in ``frame``, with its ``alpha`` ``float32 (h, w)`` and, if there are, the
        frame at a smaller size and whom the engine tells apart (see `Matte`): labels ``uint8
        (h, w)`` at the size of `SIDE`."""
        size = shrunk(frame.size, min(1.0, SIDE / max(frame.size)))
        solid = (resize(alpha, size) >= PERSON).view(np.uint8)
        if self._shape != solid.shape or not self._continues(frame):
            self._shape, self._dividing = solid.shape, Dividing()
            self._memory.all_leave(frame.time)
        self._last = frame
        picture = resize(frame.image if guide is None else guide, size)
        self._memory.became = {}
        one = self._only(frame.time) if given is None else None
        if one is not None:
            near = solid.view(np.bool_) & around(one.mask, GROWN)
            seen, least = np.count_nonzero(near), LEAST * solid.size
            if (
                np.count_nonzero(solid) - seen <= least
                and seen >= SUDDEN * np.count_nonzero(one.mask)
                and (at_border(near) or _is_one(near, least))
            ):
                one.alone(near, picture)
                one.seen, one.last, one.age = frame.time, near, one.age + 1
                one.left = at_border(near)
                if one.age % SELDOM == 0:
                    one.learn(histogram(codes_of(picture)[near]), LEARN)
                return near * np.uint8(one.number)
        codes, expected = codes_of(picture), self._expected(solid.shape, frame.time)
        self._memory.shared = set()
        if given is None:
            labels = self._divided(solid, expected, picture, codes, frame.time)
        else:
            regions = cv2.resize(given, size, interpolation=cv2.INTER_NEAREST)
            labels = self._told(regions, solid, expected, picture, codes, frame.time)
        self._memory.settle(labels, picture, frame.time)
        told = given is not None
        together = self._memory.remember(labels, picture, codes, frame.time, told, self.kept)
        self._dividing.forget([one for one in self.known if one not in together])
        return labels

    def _continues(self, frame: Frame) -> bool:
        """Whether everybody is near where they were in the last frame."""
        last = self._last
        return last is not None and frame.same_view(last) and 0 <= frame.time - last.time < PAUSE

    def _only(self, now: float) -> Person | None:
        """Who is known, alone and all there is to be seen or expected, if somebody is."""
        if self._memory.is_settling(now):
            return None
        here = self._here(now)
        one = here[0] if len(here) == 1 else None
        if one is None or not one.visible or one.age < NEW or one.places is not None:
            return None
        return one

    def _here(self, now: float) -> list[Person]:
        """Who is in the picture, as far as is known."""
        return [
            one
            for one in self.known.values()
            if one.visible or self._memory.may_be_hidden(one, now)
        ]

    def _expected(self, shape: tuple[int, ...], now: float) -> Labels:
        """Who should be where, those in front before others."""
        labels = np.zeros(shape, np.uint8)
        known = self._dividing.ordered(self._here(now))
        for one in sorted(reversed(known), key=lambda one: one.visible):
            labels[one.advance()] = one.number
        return labels

    def _divided(
        self, solid: Labels, expected: Labels, picture: Image, codes: Codes, now: float
    ) -> Labels:
        count, regions, table, _ = cv2.connectedComponentsWithStats(solid, ltype=cv2.CV_16U)
        labels = np.zeros_like(solid)
        there = members(regions, table[:, cv2.CC_STAT_AREA], expected)
        placed = {one for people in there for one in people}
        areas = table[:, cv2.CC_STAT_AREA]
        groups = grouped(there)
        for joined, parts in sorted(groups, key=lambda group: -areas[group[1]].sum()):
            where = np.isin(regions, parts)
            hidden = [one for one in self._memory.behind(where, now) if one not in placed]
            people = self._grown_together(joined + hidden, expected, now)
            if len(people) == 1:
                labels[where] = people[0]
                self._split_newcomer(labels, where, expected, picture, codes, now)
            else:
                self._memory.shared |= set(people)
                known = [self.known[one] for one in people]
                labels[where] = self._dividing(known, where, picture, grey(picture), codes)[where]
        fresh = [
            regions == region
            for region in sorted(range(1, count), key=lambda one: -areas[one])
            if not there[region] and areas[region] >= LEAST * solid.size
        ]
        self._memory.arrived(fresh, labels, picture, codes, now)
        return labels

    def _grown_together(self, people: list[int], expected: Labels, now: float) -> list[int]:
        """The members of a region without those who have just come into the picture over the same
        border as another of them, such as a hand before a head: both are one person."""
        kept: list[int] = []
        for one in dict.fromkeys(self.became.get(one, one) for one in people):
            borders = self._entering(one, now)
            first = next((other for other in kept if borders & self._entering(other, now)), None)
            if first is None:
                kept.append(one)
            else:
                expected[expected == one] = first
                self._memory.join(one, first)
        return kept

    def _entering(self, one: int, now: float) -> frozenset[str]:
        person = self.known[one]
        return person.coming_in(now) & reached(person.last)

    def _told(
        self,
        regions: Labels,
        solid: Labels,
        expected: Labels,
        picture: Image,
        codes: Codes,
        now: float,
    ) -> Labels:
        """The people whom the engine tells apart, by their own numbers."""
        regions = owners(regions) * solid if regions.any() else regions
        labels = np.zeros_like(solid)
        known = matched(regions, expected)
        for region in np.flatnonzero(np.bincount(regions.ravel())).tolist():
            if region in known:
                labels[regions == region] = known[region]
        areas = np.bincount(regions.ravel())
        fresh = [
            regions == region
            for region in np.flatnonzero(areas >= LEAST * solid.size).tolist()
            if region and region not in known
        ]
        self._memory.arrived(fresh, labels, picture, codes, now)
        return labels

    def _split_newcomer(
        self,
        labels: Labels,
        where: Mask,
        expected: Labels,
        picture: Image,
        codes: Codes,
        now: float,
    ) -> None:
        """Give a part of a region a label of its own if it is new, large and unlike the person."""
        one = self.known[int(labels[where][0])]
        if at_border(expected == one.number) or one.age < AGAIN or one.coming_in(now):
            return
        far = distance(expected == one.number) > AWAY
        if np.count_nonzero(far & where) < LEAST * labels.size:
            return
        usual = one.colours[codes] * np.float32(len(one.colours))
        new = far & where & (spread(usual / (usual + 1)) < UNLIKE)
        area = np.count_nonzero(one.mask)
        for parts, share in ((far & where, SUDDEN), (new, NEWCOMER)):
            count, regions, table, _ = cv2.connectedComponentsWithStats(parts.view(np.uint8))
            least = max(LEAST * labels.size, share * area)
            found = [part for part in range(1, count) if table[part, cv2.CC_STAT_AREA] >= least]
            if found:
                fresh = [regions == part for part in found]
                self._memory.arrived(fresh, labels, picture, codes, now)
                return


def _is_one(mask: Mask, least: float) -> bool:
    """Whether a mask is one part, with nothing beside it but pieces too small for a person."""
    count, _, table, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    areas = np.sort(table[1:count, cv2.CC_STAT_AREA])
    return len(areas) < 2 or bool(areas[-2] <= max(least, MOST_OF * areas[-1]))
