"""Dividing a part of the picture that several people cover together.

Each of them keeps the picture and the outline of when they were last seen alone, moved along with
them. Who is in front is decided from the pixels that two of them claim, and stays decided until
they part. A pixel belongs to whose outline holds it, unless somebody in front of them has it, and
to whose remembered picture and colours it is like.
"""

import itertools

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Image, Labels, Layer
from realtime_bg.imaging.flow import Flow, Grey, motion, moved
from realtime_bg.processing.looks import Codes, Mask
from realtime_bg.processing.person import DEPTH, MIDDLE, NOBODY, Person, Step, depth

NEAR, WIDE = 3, 5  # pixels over which places and colours are averaged
ENOUGH = 4  # pixels from which motion is measured
FOLLOW = 0.6  # weight of the newest motion
STRAY = 8.0  # pixels: motion beyond this is a mistake
PLAIN = 100.0  # squared grey levels of texture of which half is believed
CLEAR, FOUND = 1.5, 10  # pixels from all others; of somebody hidden, in every second row
BESIDE, AWAY = 1, 24  # pixels by which somebody may be aside of where they should be, and hidden
FAITH = 2.0  # pixels that must fit better for each pixel aside
BETTER = 0.15  # of what is free must be explained by that, to be looked for far away
NUDGE = 0.1  # of that is motion
ANYWHERE = np.float32(1.5)  # pixels: nothing is farther from the outline of somebody hidden
UNFIT = 24  # grey levels: a pixel that differs by so much does not show motion
BRIGHTER, GAIN = 1.3, 0.2  # the most that light changes; weight of the newest frame in it
DIFFERENT, MOST = 24.0, 2.5  # grey levels that halve the belief by e, and the most of them
UNSEEN = np.float32(-1.2)  # the belief in a pixel outside an outline, of which nothing is known
COLOUR = 0.6  # weight of colours
FAR = 0.05  # what a pixel outside an outline loses, for each pixel of distance
EDGE, LEAST, SURE = 1.2, 0.004, 0.985  # pixels of an outline's softness; its lowest and highest
DEEP = 0.7  # pixels inside both outlines, where two people show who is in front
DECIDED, TELLING = 4.0, 15.0  # the most that is believed of an order; pixels that count fully
REFRESH, BAND = 6, 1  # frames after which changes are taken over; pixels beside borders left out
STANDS = 0.5  # belief that the larger one of two is in front, at first

# By how deep a pixel is: the logarithm of the probability of being inside an outline, less what is
# lost with the distance, and that of being outside.
STEPS, FAREST = 4, 128
_DEEP = np.arange(-FAREST, FAREST + 1) / STEPS
_SHARE = np.clip(1 / (1 + np.exp(-_DEEP / EDGE)), LEAST, SURE)
INSIDE = (np.log(_SHARE) + FAR * np.minimum(_DEEP, 0)).astype(np.float32)
OUTSIDE = np.log1p(-_SHARE).astype(np.float32)


class Dividing:
    """Remembers who is in front of whom."""

    def __init__(self) -> None:
        self._flow = Flow()
        self._count = 0
        self._before: dict[tuple[int, int], float] = {}  # a is in front of b, if positive

    def forget(self, apart: list[int]) -> None:
        """These people are seen alone: who was in front no longer holds."""
        self._before = {
            pair: belief
            for pair, belief in self._before.items()
            if not (pair[0] in apart and pair[1] in apart)
        }

    def __call__(
        self, people: list[Person], where: Mask, picture: Image, seen: Grey, codes: Codes
    ) -> Labels:
        """Whose each pixel is, among several people."""
        order = self.ordered(people)
        self._register(order, where, seen)
        layers = [one.seen_now() for one in order]
        depths = [depth(layer) for layer in layers]
        looks = self._looks(order, layers, depths, picture, codes)
        self._learn(order, depths, looks, where)
        ranked = self.ordered(people)
        if ranked != order:
            swap = [order.index(one) for one in ranked]
            order, depths = ranked, [depths[at] for at in swap]
            looks, layers = [looks[at] for at in swap], [layers[at] for at in swap]
        for one, deep in zip(order, depths, strict=True):
            if one.hidden:
                np.maximum(deep, -ANYWHERE, out=deep)
        scores, behind = [], np.zeros(seen.shape, np.float32)
        for deep, look in zip(depths, looks, strict=True):
            level = np.clip((deep * np.float32(STEPS)).astype(np.int32), -FAREST, FAREST)
            level += FAREST
            scores.append(spread(look + INSIDE[level] + behind))
            behind = behind + OUTSIDE[level]
        numbers = np.asarray([one.number for one in order], np.uint8)
        labels = np.where(where, numbers[np.argmax(scores, axis=0)], NOBODY).astype(np.uint8)
        self._count += 1
        if self._count % REFRESH == 0:
            _refresh(order, layers, labels, picture)
        return labels

    def ordered(self, people: list[Person]) -> list[Person]:
        """The one in front first."""
        wins = dict.fromkeys([one.number for one in people], 0.0)
        for one, other in itertools.combinations(people, 2):
            belief = self._belief(one, other)
            wins[one.number] += np.sign(belief)
            wins[other.number] -= np.sign(belief)
        return sorted(people, key=lambda one: -wins[one.number])

    def _belief(self, one: Person, other: Person) -> float:
        pair = min(one.number, other.number), max(one.number, other.number)
        if pair not in self._before:
            first, second = (one, other) if pair[0] == one.number else (other, one)
            larger = np.count_nonzero(first.mask) > np.count_nonzero(second.mask)
            self._before[pair] = STANDS if larger else -STANDS
        return self._before[pair] * (1 if pair[0] == one.number else -1)

    def _register(self, order: list[Person], where: Mask, seen: Grey) -> None:
        """Fit what is remembered of everybody to the picture, by the motion between the picture
        that it makes and the real one."""
        found_aside = self._find(order, where)
        made, owner = seen.copy(), np.zeros(seen.shape, np.uint8)
        for one in reversed(order):
            layer = one.seen_now()
            held = (layer[..., 3] > MIDDLE) & where
            look = cv2.convertScaleAbs(cv2.cvtColor(layer, cv2.COLOR_BGRA2GRAY), alpha=one.gain)
            made[held], owner[held] = look[held], one.number
        places = self._flow.places(seen, made)
        way = motion(places)
        edges = cv2.blur(cv2.Laplacian(made, cv2.CV_32F) ** 2, (NEAR, NEAR))
        telling = edges / (edges + np.float32(PLAIN))
        fits = cv2.absdiff(seen, moved(made, places)) < UNFIT
        few = np.s_[::2, ::2]  # pixels are enough to know how the whole person moves
        for one in order:
            own = (owner == one.number) & fits
            found = way[few][own[few]]
            if len(found) < ENOUGH:
                continue
            step: Step = np.partition(found, len(found) // 2, axis=0)[len(found) // 2]
            if np.abs(step).max() > STRAY:
                continue
            if one.number not in found_aside:
                one.step = one.step - np.float32(FOLLOW) * step
            one.bend(way, own * telling, step)
            light = seen[few][own[few]] / np.maximum(made[few][own[few]], 1).astype(np.float32)
            one.gain *= 1 + GAIN * (
                float(np.partition(light, len(light) // 2)[len(light) // 2]) - 1
            )
            one.gain = min(BRIGHTER, max(1 / BRIGHTER, one.gain))

    def _find(self, order: list[Person], where: Mask) -> set[int]:
        """Fit outlines to the parts that nobody else covers: motion shows little of somebody plain,
        and nothing of who was hidden and has come out at another place. Returns who of the latter
        was found there."""
        moved_far = set()
        taken = [one.seen_now()[::2, :, 3] > MIDDLE - CLEAR * DEPTH for one in order]
        rows = where[::2]
        for at, one in enumerate(order):
            others = np.any(taken[:at] + taken[at + 1 :], axis=0)
            free = rows & ~others
            if one.hidden and np.count_nonzero(free) < FOUND:
                continue
            worth = np.where(rows, np.where(others, 0, 2), -1).astype(np.float32)
            mask = (one.seen_now()[::2, :, 3] > MIDDLE).astype(np.float32)
            reach = AWAY if one.hidden else BESIDE
            fits = [
                (cv2.mean(_aside(mask, by) * worth)[0] * mask.size - FAITH * abs(by), by)
                for by in range(-reach, reach + 1)
            ]
            best, by = max(fits)
            if one.hidden:
                if best - fits[reach][0] < BETTER * 2 * np.count_nonzero(free):
                    continue
                moved_far.add(one.number)
            elif by:
                one.step = one.step + np.array([NUDGE * by, 0], np.float32)
            if by:
                one.put_aside(by)
        return moved_far

    def _looks(
        self,
        order: list[Person],
        layers: list[Layer],
        depths: list[Alpha],
        picture: Image,
        codes: Codes,
    ) -> list[Alpha]:
        """How much each pixel looks like each of the people: the logarithm of a probability."""
        likely = np.stack([np.take(one.colours, codes) for one in order]) + np.float32(1e-4)
        likely /= likely.sum(axis=0)
        found = []
        kernel = np.ones((3, 3), np.uint8)
        for one, layer, deep, share in zip(order, layers, depths, likely, strict=True):
            look = cv2.convertScaleAbs(cv2.cvtColor(layer, cv2.COLOR_BGRA2BGR), alpha=one.gain)
            off = cv2.subtract(picture, cv2.dilate(look, kernel))
            off = cv2.add(off, cv2.subtract(cv2.erode(look, kernel), picture))
            off = cv2.transform(off, np.ones((1, 3), np.float32)).astype(np.float32)
            like = -np.minimum(spread(off) / np.float32(DIFFERENT), MOST)
            within = np.clip(deep * np.float32(0.5) + np.float32(0.5), 0, 1)
            like = UNSEEN + within * (like - UNSEEN)
            found.append(like + np.float32(COLOUR) * np.log(spread(share, WIDE) + 0.02))
        return found

    def _learn(
        self, order: list[Person], depths: list[Alpha], looks: list[Alpha], where: Mask
    ) -> None:
        """Decide who is in front from the pixels that are deep inside two outlines."""
        for a, b in itertools.combinations(range(len(order)), 2):
            both = where & (depths[a] > DEEP) & (depths[b] > DEEP)
            count = np.count_nonzero(both)
            if not count:
                continue
            belief = float((looks[a] - looks[b])[both].mean()) * min(1.0, count / TELLING)
            one, other = order[a].number, order[b].number
            pair, sign = ((one, other), 1) if one < other else ((other, one), -1)
            total = self._before.get(pair, 0.0) + sign * belief
            self._before[pair] = max(-DECIDED, min(DECIDED, total))


def _aside(mask: Alpha, by: int) -> Alpha:
    """A mask moved to the right by some pixels."""
    result = np.zeros_like(mask)
    if by >= 0:
        result[:, by:] = mask[:, : mask.shape[1] - by]
    else:
        result[:, :by] = mask[:, -by:]
    return result


def _refresh(order: list[Person], layers: list[Layer], labels: Labels, picture: Image) -> None:
    """Take over what has changed in everybody, except along the borders between two of them."""
    kernel = np.ones((2 * BAND + 1, 2 * BAND + 1), np.uint8)
    low = cv2.erode(np.where(labels == NOBODY, 255, labels).astype(np.uint8), kernel)
    border = (labels != NOBODY) & (low != cv2.dilate(labels, kernel))
    insides = [layer[..., 3] > MIDDLE for layer in layers]
    claimed = np.sum(insides, axis=0)
    covered = np.zeros(labels.shape, np.bool_)
    for one, inside, layer in zip(order, insides, layers, strict=True):
        own = labels == one.number
        mask = inside & (own | covered)
        mask |= own & (claimed == 0)  # nobody had it: they have grown
        mask[border] = inside[border]
        look = cv2.cvtColor(layer, cv2.COLOR_BGRA2BGR)
        sure = own & mask & ~border
        look[sure] = picture[sure]
        one.anchor(mask, look)
        covered = covered | own


def spread(values: Alpha, over: int = NEAR) -> Alpha:
    """The mean of the neighbours."""
    mean: Alpha = cv2.blur(values, (over, over), borderType=cv2.BORDER_REPLICATE)
    return mean
