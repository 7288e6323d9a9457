"""Telling the people in an alpha apart, and following each of them from frame to frame."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Frame, Image
from realtime_bg.imaging.flow import Flow, Grey, grey, moved
from realtime_bg.imaging.geometry import resize, shrunk

SIDE = 128  # pixels on the longer side of the picture in which people are followed
PERSON = 0.4  # alpha from which a pixel counts as person
LEAST = (
    0.004  # share of the picture that a person covers; smaller parts belong to who is next to it
)
SHARE = 0.15  # of somebody's pixels that make them part of a connected region
MOST_OF = 0.3  # of a region's pixels that do so, too
AWAY = 2.5  # pixels from where anybody was expected: something new
NEWCOMER = 0.1  # of the person it touches: something new of this size is another person
SUDDEN = 0.2  # of the same: nobody grows by so much in one frame
UNLIKE = 0.3  # probability of being the known person's colour, below which it is somebody else's
LIKE = 0.72  # similarity of colours, 0 to 1, from which somebody who appears has come back
BESIDE = 10  # pixels from where somebody was last seen: they may be hidden by who is there now
REMEMBERED = 8.0  # seconds for which somebody hidden is expected behind another person
LEARN = 0.1  # weight of the newest frame in the colours of somebody who touches nobody
NEAR, WIDE = 3, 7  # pixels over which places and colours are averaged
SAME = 14.0  # grey levels by which a pixel that was moved along may differ
BLIND = 0.2  # how much a place counts where the picture shows something new
PLACE, COLOUR, MEMORY, NEARER = 1.0, 0.7, 0.15, 0.05  # weights of what tells whose a pixel is
FAR, REACH = 0.8, 12.0  # weight of the distance from where somebody was, in full from this one on
YOUNG, NEW = 5, 45  # frames before which somebody is not known, and may still be coming in
HOME = 0.5  # of a region's pixels that make it somebody's own
NOBODY = 0

Codes = NDArray[np.uint16]  # (h, w): the colour of each pixel, below 512
Labels = NDArray[np.uint8]  # (h, w): the number of the person, or NOBODY
Mask = NDArray[np.bool_]
Colours = NDArray[np.float32]  # (512,): how often each colour occurs


@dataclass
class Person:
    """``number``: the label, from 1. ``colours``: of their picture. ``mask``: where they were when
    last seen alone. ``last``: the part of them that was last visible. ``age``: frames in which they
    were alone. ``seen``: when they were last visible, in seconds. ``foot``: the lowest row."""

    number: int
    colours: Colours
    mask: Mask
    last: Mask
    seen: float
    foot: int = 0
    age: int = 1
    visible: bool = field(default=True)


class People:
    """Everybody who was seen in one stream. A connected part of the alpha is a person; parts that
    people form together are divided by what was whose in the last frame, moved along with the
    motion, and by the colours of each."""

    def __init__(self) -> None:
        self._flow = Flow()
        self._last: tuple[Frame, Grey, Labels] | None = None
        self._trust: Alpha = np.ones((1, 1), np.float32)  # in what is expected, for each pixel
        self.known: dict[int, Person] = {}

    def follow(self, frame: Frame, alpha: Alpha, guide: Image | None) -> Labels:
        """Who is where in ``frame``, with its ``alpha`` ``float32 (h, w)`` and, if there is one,
        the frame at a smaller size: labels ``uint8 (h, w)`` at the size of `SIDE`."""
        size = shrunk(frame.size, min(1.0, SIDE / max(frame.size)))
        picture = resize(frame.image if guide is None else guide, size)
        solid = (resize(alpha, size) >= PERSON).view(np.uint8)
        seen, codes = grey(picture), _codes(picture)
        if self._last is not None and (
            self._last[0].epoch != frame.epoch or self._last[1].shape != seen.shape
        ):
            self._last = None
            self.known.clear()
        expected = np.zeros_like(solid)
        if self._last is not None:
            places = self._flow.places(seen, self._last[1])
            expected = moved(self._last[2], places, cv2.INTER_NEAREST)
            off = _spread(cv2.absdiff(seen, moved(self._last[1], places)).astype(np.float32))
            self._trust = BLIND + (1 - BLIND) * np.exp(-np.square(off / np.float32(SAME)))
        labels = self._divided(solid, expected, codes, frame.time)
        self._remember(labels, solid, codes, frame.time)
        self._last = frame, seen, labels
        return labels

    def _divided(self, solid: Labels, expected: Labels, codes: Codes, now: float) -> Labels:
        count, regions, table, _ = cv2.connectedComponentsWithStats(solid, ltype=cv2.CV_16U)
        labels = np.zeros_like(solid)
        members = self._members(count, regions, table, expected)
        fresh = []
        for region in sorted(range(1, count), key=lambda one: -table[one, cv2.CC_STAT_AREA]):
            where = regions == region
            people = members[region]
            if not people:
                if table[region, cv2.CC_STAT_AREA] >= LEAST * solid.size:
                    fresh.append(where)
                continue
            people = self._grown_together(people, expected)
            people += [one for one in self._behind(where, now) if one not in people]
            if len(people) == 1:
                labels[where] = people[0]
                self._split_newcomer(labels, where, expected, codes, now)
            else:
                labels[where] = self._whose(people, expected, codes)[where]
        for where in fresh:
            labels[where] = self._arrived(where, labels, codes, now)
        return labels

    def _members(
        self, count: int, regions: NDArray[np.uint16], table: NDArray[np.int32], expected: Labels
    ) -> list[list[int]]:
        """Who is expected in each region, the one with most of it first."""
        most = max(self.known, default=0) + 1
        pairs = np.bincount(
            regions.ravel().astype(np.int64) * most + np.minimum(expected.ravel(), most - 1),
            minlength=count * most,
        ).reshape(count, most)
        pairs[0] = pairs[:, NOBODY] = 0
        totals = np.maximum(pairs.sum(axis=0), 1)
        areas = np.maximum(table[:, cv2.CC_STAT_AREA], 1)[:, None]
        inside = (pairs >= SHARE * totals) | (pairs >= MOST_OF * areas)
        inside &= pairs > 0
        members = [
            [int(one) for one in np.argsort(-counts) if row[one]]
            for row, counts in zip(inside, pairs, strict=True)
        ]
        shares = pairs / areas
        for one in range(1, most):
            held = [at for at, region in enumerate(members) if one in region]
            # Somebody who has a region of their own left only traces in those of others.
            if any(shares[at, one] >= HOME for at in held):
                for at in held:
                    if shares[at, one] < HOME and len(members[at]) > 1:
                        members[at].remove(one)
            # One of two regions that are only theirs is somebody they hid.
            own = sorted((at for at in held if members[at] == [one]), key=lambda at: -areas[at, 0])
            for at in own[1:]:
                if areas[at, 0] > MOST_OF * areas[own[0], 0]:
                    members[at].remove(one)
        return members

    def _grown_together(self, people: list[int], expected: Labels) -> list[int]:
        """The members of a region without those who came into the picture in two parts, such as a
        hand before a head: nobody has seen them apart from each other."""
        people = [one for one in people if one in self.known]
        new = [one for one in people if self.known[one].age < NEW]
        merged = [one for one in new[1:] if self.known[one].age < YOUNG]
        for other in merged:
            expected[expected == other] = new[0]
            del self.known[other]
        return [one for one in people if one not in merged]

    def _behind(self, where: Mask, now: float) -> list[int]:
        """Those who were last seen beside this region, and are hidden."""
        return [
            one.number
            for one in self.known.values()
            if not one.visible
            and now - one.seen < REMEMBERED
            and (_around(one.last, BESIDE) & where).any()
        ]

    def _whose(self, people: list[int], expected: Labels, codes: Codes) -> Labels:
        """Whose each pixel is, among several people."""
        known = [self.known[one] for one in people]
        likely = np.stack([one.colours[codes] for one in known]) + np.float32(1e-4)
        likely /= likely.sum(axis=0)
        nearest = max(known, key=lambda one: (one.foot, np.count_nonzero(one.mask)))
        scores = []
        for one, share in zip(known, likely, strict=True):
            score = PLACE * self._trust * _spread((expected == one.number).astype(np.float32))
            score += COLOUR * _spread(share, WIDE)
            if one.visible:
                far = _distance((expected == one.number) | one.mask) / np.float32(REACH)
                score -= FAR * np.minimum(far, 1)
            else:
                score += MEMORY * _spread(one.mask.astype(np.float32))
            scores.append(score + NEARER * (one is nearest))
        return np.asarray(people, np.uint8)[np.argmax(scores, axis=0)]

    def _split_newcomer(
        self, labels: Labels, where: Mask, expected: Labels, codes: Codes, now: float
    ) -> None:
        """Give a part of a region a label of its own if it is new, large and unlike the person."""
        one = self.known[int(labels[where][0])]
        if _at_border(expected == one.number):
            return
        far = _distance(expected == one.number) > AWAY
        if np.count_nonzero(far & where) < LEAST * labels.size:
            return
        usual = one.colours[codes] * np.float32(len(one.colours))
        new = far & where & (_spread(usual / (usual + 1)) < UNLIKE)
        area = np.count_nonzero(one.mask)
        for parts, share in ((far & where, SUDDEN), (new, NEWCOMER)):
            count, regions, table, _ = cv2.connectedComponentsWithStats(parts.view(np.uint8))
            found = False
            for part in range(1, count):
                if table[part, cv2.CC_STAT_AREA] >= max(LEAST * labels.size, share * area):
                    labels[regions == part] = self._arrived(regions == part, labels, codes, now)
                    found = True
            if found:
                return

    def _arrived(self, where: Mask, labels: Labels, codes: Codes, now: float) -> int:
        """The number of somebody who has appeared: a known one who has come back, or a new one."""
        colours = _histogram(codes[where])
        away = [
            one
            for one in self.known.values()
            if not one.visible and not (labels == one.number).any()
        ]
        ranked = sorted((-_similar(one.colours, colours), one.number) for one in away)
        if ranked and -ranked[0][0] >= LIKE:
            self.known[ranked[0][1]].visible = True
            return ranked[0][1]
        number = next(free for free in range(1, 256) if free not in self.known)
        self.known[number] = Person(number, colours, where.copy(), where.copy(), now)
        return number

    def _remember(self, labels: Labels, solid: Labels, codes: Codes, now: float) -> None:
        near = cv2.dilate(labels, np.ones((3, 3), np.uint8))
        for one in self.known.values():
            mask = labels == one.number
            area = np.count_nonzero(mask)
            one.visible = bool(area >= LEAST * labels.size / 2)
            if not one.visible:
                continue
            one.seen, one.last = now, mask
            one.foot = int(np.flatnonzero(mask.any(axis=1))[-1])
            touches = np.count_nonzero(
                _around(mask, 1) & (labels != one.number) & (labels != NOBODY)
            )
            if not touches and not (near[mask] > one.number).any():
                one.age += 1
                one.colours += np.float32(max(LEARN, 1 / one.age)) * (
                    _histogram(codes[mask]) - one.colours
                )
                one.mask = mask
        gone = [one for one in self.known.values() if not one.visible]
        for one in sorted(gone, key=lambda one: one.seen)[: max(0, len(self.known) - 16)]:
            del self.known[one.number]


def owners(labels: Labels) -> Labels:
    """Whose the soft edge is: the label of the nearest labelled pixel, for all pixels."""
    free = (labels == NOBODY).view(np.uint8)
    _, index = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(index.max()) + 1, np.uint8)
    held = labels != NOBODY
    table[index[held]] = labels[held]
    return table[index]


def _distance(mask: Mask) -> Alpha:
    """How far each pixel is from a mask; 0 inside."""
    far: Alpha = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 3)
    return far


def _around(mask: Mask, by: int) -> Mask:
    """The mask, enlarged by some pixels."""
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return cv2.dilate(mask.view(np.uint8), kernel).view(np.bool_)


def _at_border(mask: Mask) -> bool:
    """Whether a mask reaches the left, right or upper border, as that of somebody who comes in."""
    return bool(mask[:, 0].any() or mask[:, -1].any() or mask[0].any())


def _spread(values: Alpha, over: int = NEAR) -> Alpha:
    mean: Alpha = cv2.blur(values, (over, over), borderType=cv2.BORDER_REPLICATE)
    return mean


def _codes(picture: Image) -> Codes:
    """The colours of a picture in eight steps for each channel, ``uint16 (h, w)`` below 512."""
    blue, green, red = cv2.split(picture >> 5)
    return blue.astype(np.uint16) << 6 | green.astype(np.uint16) << 3 | red


def _histogram(codes: Codes) -> Colours:
    counts = np.bincount(codes, minlength=512) / max(1, len(codes))
    return counts.astype(np.float32)


def _similar(one: Colours, other: Colours) -> float:
    """The Bhattacharyya coefficient: 1 for the same colours, 0 for none in common."""
    return float(np.sqrt(one * other).sum())
