"""Which of the known people is in which part of the picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Labels
from realtime_bg.processing.looks import Mask
from realtime_bg.processing.person import NOBODY

SHARE = 0.15  # of somebody's pixels that make them part of a region
MOST_OF = 0.3  # of a region's pixels that do so, too
HOME = 0.5  # of a region's pixels that make it somebody's own
LOW = 3  # pixels: what is so far down reaches the lower border, where a thin alpha often ends early
PART = 0.1  # of the picture: who is smaller than this at the lower border may still be rising

Numbers = NDArray[np.uint8] | NDArray[np.uint16]  # (h, w): the region of each pixel, or 0


def members(regions: Numbers, areas: NDArray[np.int32], expected: Labels) -> list[list[int]]:
    """Who is expected in each connected region, the one with most of it first. ``areas``: of each
    region, in pixels; region 0 is the room."""
    pairs = _pairs(regions, len(areas), expected)
    most = pairs.shape[1]
    totals = np.maximum(pairs.sum(axis=0), 1)
    areas = np.maximum(areas, 1)[:, None]
    inside = (pairs >= SHARE * totals) | (pairs >= MOST_OF * areas)
    inside &= pairs > 0
    found = [
        [int(one) for one in np.argsort(-counts) if row[one]]
        for row, counts in zip(inside, pairs, strict=True)
    ]
    shares = pairs / areas
    for one in range(1, most):
        held = [at for at, region in enumerate(found) if one in region]
        # Somebody who has a region of their own, not a speck, left only traces in those of others.
        if any(shares[at, one] >= HOME and pairs[at, one] >= SHARE * totals[one] for at in held):
            for at in held:
                if shares[at, one] < HOME and len(found[at]) > 1:
                    found[at].remove(one)
        # One of two regions that are only theirs is somebody they hid.
        own = sorted((at for at in held if found[at] == [one]), key=lambda at: -areas[at, 0])
        for at in own[1:]:
            if areas[at, 0] > MOST_OF * areas[own[0], 0]:
                found[at].remove(one)
    return found


def matched(regions: Labels, expected: Labels) -> dict[int, int]:
    """Who is who of the people that an engine tells apart: the number of the region and of the
    person, each at most once, those who fit best first."""
    pairs = _pairs(regions, int(regions.max()) + 1, expected)
    areas = np.bincount(regions.ravel())[:, None]
    totals = np.bincount(expected.ravel())[None]
    fits = pairs / np.maximum(areas + totals - pairs, 1)
    found: dict[int, int] = {}
    for at in np.argsort(-fits, axis=None).tolist():
        region, one = divmod(at, fits.shape[1])
        if pairs[region, one] < SHARE * min(areas[region, 0], totals[0, one]) or not fits.flat[at]:
            continue
        if region not in found and one not in found.values():
            found[region] = one
    return found


def grouped(there: list[list[int]]) -> list[tuple[list[int], list[int]]]:
    """Regions that are to be looked at together, because somebody is a member of both: the members
    of each group, as in ``there`` (see `members`), and its regions."""
    groups: list[tuple[list[int], list[int]]] = []
    for region, people in enumerate(there):
        if not people:
            continue
        joined, regions = list(people), [region]
        for group in [one for one in groups if set(one[0]) & set(people)]:
            groups.remove(group)
            joined, regions = group[0] + joined, group[1] + regions
        groups.append((list(dict.fromkeys(joined)), regions))
    return groups


def _pairs(regions: Numbers, count: int, expected: Labels) -> NDArray[np.int64]:
    """How many pixels of each region are expected to be of each person; none of the room."""
    most = int(expected.max()) + 1
    both = regions.ravel().astype(np.int64) * most + expected.ravel()
    pairs = np.bincount(both, minlength=count * most).reshape(count, most)
    pairs[0] = pairs[:, NOBODY] = 0
    return pairs


def owners(labels: Labels) -> Labels:
    """Whose the soft edge is: the label of the nearest labelled pixel, for all pixels."""
    free = (labels == NOBODY).view(np.uint8)
    _, index = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(index.max()) + 1, np.uint8)
    held = labels != NOBODY
    table[index[held]] = labels[held]
    return table[index]


def around(mask: Mask, by: int) -> Mask:
    """The mask, enlarged by some pixels."""
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    return cv2.dilate(mask.view(np.uint8), kernel).view(np.bool_)


def reached(mask: Mask) -> frozenset[str]:
    """Which borders of the picture a mask reaches."""
    lines = {"left": mask[:, 0], "right": mask[:, -1], "upper": mask[0], "lower": mask[-LOW:]}
    return frozenset(name for name, line in lines.items() if line.any())


def at_border(mask: Mask) -> bool:
    """Whether a mask reaches a border over which people come and go. The lower one is not one of
    them: whoever sits before a camera is always there."""
    return bool(reached(mask) - {"lower"})


def entered(mask: Mask) -> frozenset[str]:
    """The borders over which somebody who has just appeared may be coming in."""
    borders = reached(mask)
    return borders - {"lower"} if np.count_nonzero(mask) >= PART * mask.size else borders


def touches(mask: Mask, labels: Labels, number: int) -> bool:
    """Whether somebody else is next to a mask."""
    others = around(mask, 1) & (labels != number) & (labels != NOBODY)
    return bool(others.any())
