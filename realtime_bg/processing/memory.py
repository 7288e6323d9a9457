"""Everybody who was seen in one stream: who they are, who may be hidden, and who has come back."""

import itertools

import numpy as np

from realtime_bg.frames import Image, Labels
from realtime_bg.processing.looks import Codes, Mask, histogram, likeness, looks
from realtime_bg.processing.person import Person
from realtime_bg.processing.regions import around, at_border, entered, reached, touches

LEAST = 0.004  # share of the picture that a person covers; less belongs to who is next to it
LIKE = 0.9  # likeness, 0 to 1, from which somebody who appears has come back
AGAIN = 5  # frames in which somebody who has appeared is compared, and between them later on
SWAPPED = 0.05  # by how much two people must be more like each other to have been mistaken
BESIDE = 10  # pixels from where somebody was last seen: they may be hidden by who is there now
REMEMBERED = 8.0  # seconds for which somebody hidden is expected behind another person
LEARN = 0.1  # weight of the newest frame in the colours of somebody who touches nobody
HIDDEN, SHOWN = 0.3, 0.5  # of somebody is visible: less hides them, and more no longer does
MOST = 16  # people who are remembered; of more, whoever has been away longest is forgotten
NEW = 45  # frames in which somebody alone is compared with those who are away
SETTLING = 10.0  # seconds after an interruption in which everybody is, as the light may come late


class Memory:
    """Remembers people by number."""

    def __init__(self) -> None:
        self.known: dict[int, Person] = {}
        self.shared: set[int] = set()
        """Who may hide others, or be hidden, in this frame."""
        self.became: dict[int, int] = {}
        """Numbers that were given up in this frame, and whose they turned out to be."""
        self._frames = 0
        self._since = -SETTLING  # when the stream began anew
        self._met: set[tuple[int, int]] = set()  # who touched whom, until both are seen alone

    def all_leave(self, now: float) -> None:
        """Nobody is where they were: the stream begins anew. They may come back."""
        self._since = now
        for one in self.known.values():
            one.visible, one.left = False, True
        self._met = set()

    def is_settling(self, now: float) -> bool:
        """Whether somebody who was there before an interruption may be there unknown."""
        recently = now - self._since < SETTLING
        return recently and any(not one.visible for one in self.known.values())

    def may_be_hidden(self, one: Person, now: float) -> bool:
        return not one.left and now - one.seen < REMEMBERED

    def behind(self, where: Mask, now: float) -> list[int]:
        """Those who were last seen beside this region: it may hide them."""
        return [
            one.number
            for one in self.known.values()
            if self.may_be_hidden(one, now) and (around(one.last, BESIDE) & where).any()
        ]

    def arrived(
        self, regions: list[Mask], labels: Labels, picture: Image, codes: Codes, now: float
    ) -> None:
        """Label the regions of people who have appeared: those who are most like somebody known
        have come back, and the others are new."""
        away = self._away(labels)
        seen = [looks(picture, where) for where in regions] if away else []
        likes = [
            (likeness(one, other.looks), at, other.number)
            for at, one in enumerate(seen)
            for other in away
        ]
        found: dict[int, int] = {}
        for like, at, number in sorted(likes, reverse=True):
            if like >= LIKE and at not in found and number not in found.values():
                found[at] = number
                self.known[number].back(regions[at], picture)
        for at, where in enumerate(regions):
            labels[where] = found[at] if at in found else self._new(where, picture, codes, now)

    def _new(self, where: Mask, picture: Image, codes: Codes, now: float) -> int:
        taken = self.known.keys() | self.became.keys()
        number = next(free for free in range(1, 256) if free not in taken)
        self.known[number] = Person(
            number, histogram(codes[where]), where, picture, now, entering=entered(where)
        )
        return number

    def _away(self, labels: Labels) -> list[Person]:
        """Those who are not in the picture, as far as is known."""
        there = np.bincount(labels.ravel(), minlength=256)
        return [one for one in self.known.values() if not one.visible and not there[one.number]]

    def known_again(self, where: Mask, labels: Labels, picture: Image) -> int | None:
        """Who of those who are away has come back, if it is one of them."""
        away = self._away(labels)
        if not away:
            return None
        seen = looks(picture, where)
        like, number = max((likeness(seen, one.looks), one.number) for one in away)
        return number if like >= LIKE else None

    def join(self, number: int, other: int) -> None:
        """Somebody turns out to be somebody else who is known."""
        del self.known[number]
        earlier = {one: other for one, who in self.became.items() if who == number}
        self.became |= {**earlier, number: other}

    def settle(self, labels: Labels, picture: Image, now: float) -> None:
        """Know people again who have come back or parted."""
        settling = self.is_settling(now)
        for one in list(self.known.values()):
            compared = one.age < AGAIN or (self._frames + one.number) % AGAIN == 0
            if one.visible and compared and (settling or one.age < NEW):
                mask = labels == one.number
                if not mask.any() or one.number in self.shared:
                    continue
                known = self.known_again(mask, labels, picture)
                if known is not None:
                    labels[mask] = known
                    self.join(one.number, known)
                    self.known[known].back(mask, picture)
        self._frames += 1
        if self._frames % AGAIN == 0:
            self._make_whole(labels, picture)
        for pair in sorted(self._met):
            if not all(one in self.known for one in pair):
                self._met.discard(pair)
                continue
            masks = [labels == one for one in pair]
            if not all(np.count_nonzero(mask) >= LEAST * labels.size for mask in masks):
                continue
            if any(touches(mask, labels, one) for mask, one in zip(masks, pair, strict=True)):
                continue
            self._met.discard(pair)
            seen = [looks(picture, mask) for mask in masks]
            kept = [self.known[one].looks for one in pair]
            straight = likeness(seen[0], kept[0]) + likeness(seen[1], kept[1])
            crossed = likeness(seen[0], kept[1]) + likeness(seen[1], kept[0])
            if crossed > straight + SWAPPED:
                for mask, other in zip(masks, reversed(pair), strict=True):
                    labels[mask] = other

    def _make_whole(self, labels: Labels, picture: Image) -> None:
        """Give people back the parts of them that were taken for somebody new, when somebody came
        out of their way: those with which they are more like themselves than without."""
        for new in [one for one in self.known.values() if one.visible and one.age == 1]:
            part = labels == new.number
            beside = set(np.unique(labels[around(part, 1) & ~part]).tolist())
            for one in [self.known[at] for at in beside if at in self.known]:
                rest = labels == one.number
                if one.age < NEW or np.count_nonzero(part) < LEAST * labels.size:
                    continue
                whole = likeness(looks(picture, part | rest), one.looks)
                if whole >= LIKE and whole > likeness(looks(picture, rest), one.looks) + SWAPPED:
                    labels[part] = one.number
                    self.join(new.number, one.number)
                    one.back(part | rest, picture)
                    break

    def remember(
        self,
        labels: Labels,
        picture: Image,
        codes: Codes,
        now: float,
        told: bool,
        kept: set[int],
    ) -> list[int]:
        """Learn from a frame who is where in it; who touched somebody. ``told``: the engine knows
        who is where, so everybody's outline is known. ``kept``: who is never forgotten."""
        together = []
        for one in self.known.values():
            mask = labels == one.number
            area = np.count_nonzero(mask)
            one.visible = bool(area >= LEAST * labels.size / 2)
            if not one.visible:
                one.hidden = True
                continue
            one.hidden = bool(area < (SHOWN if one.hidden else HIDDEN) * np.count_nonzero(one.mask))
            one.seen, one.last, one.left = now, mask, False
            one.entering &= reached(mask)
            beside = one.number in self.shared or touches(mask, labels, one.number)
            if beside:
                together.append(one.number)
            else:
                one.left = at_border(mask)
                one.age += 1
                one.learn(histogram(codes[mask]), max(LEARN, 1 / one.age))
            if told or not beside:
                one.alone(mask, picture)
        self._met |= set(itertools.combinations(sorted({*together, *self.shared}), 2))
        gone = [one for one in self.known.values() if not one.visible and one.number not in kept]
        for one in sorted(gone, key=lambda one: one.seen)[: max(0, len(self.known) - MOST)]:
            del self.known[one.number]
        return together
