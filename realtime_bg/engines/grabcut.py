"""The engine without weights: a person is cut out by colour, place and history alone.

Rother, Kolmogorov, Blake: "GrabCut": interactive foreground extraction using iterated graph
cuts, SIGGRAPH 2004. The user's rectangle of the paper is replaced by evidence: outlines of
people in front of a webcam, colour histograms, skin, and what the room looked like before.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.base import Engine
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

Mask: TypeAlias = NDArray[np.uint8]
Bins: TypeAlias = NDArray[np.uint16]

LONG_SIDE = 160
"""Longest side in pixels that the cut works on; guided upsampling adds the detail."""
COLOUR_BINS = (8, 16, 16)
ROUNDS = 4  # colour models and cut are fitted in turn on a first frame
SURE, SURE_CARRIED = 3.5, 2.5  # log-odds beyond which the cut may not change a pixel
LEAST, MOST = 0.01, 0.92  # share of the picture a person takes; beyond it the cut has failed
FEWEST = 30  # pixels a colour mixture of five components needs
RETRY = 8  # frames between two attempts to find a lost person
STILL_ROOM, CAMERA_MOVED, SCENE_CUT = 12.0, 20.0, 40.0  # differences in grey levels


def _log_odds(probability: Alpha, slack: float) -> Alpha:
    return np.log((probability + slack) / (1 + slack - probability)).astype(np.float32)


def _sigmoid(log_odds: Alpha) -> Alpha:
    return (1 / (1 + np.exp(-log_odds))).astype(np.float32)


class Portraits:
    """Some hundred outlines of people in front of a camera, and how usual each one is.

    An outline is a head ellipse over shoulders that widen and reach the lower edge; they
    differ in place, height and breadth. ``size`` is the (width, height) in pixels of the maps
    this hands out: ``float32 (h, w)`` probabilities that a pixel is person, and is head.
    """

    BEST = 8  # outlines that are averaged

    def __init__(self, size: Size) -> None:
        self.size = size
        width, height = self.grid = (size[0] + 2) // 3, (size[1] + 2) // 3
        unit = min(1.0, 1.2 * size[0] / size[1])  # of the frame's height; narrow ones hold less
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        x, y = (x + 0.5 - width / 2) / height, (y + 0.5) / height
        persons, heads, usual = [], [], []
        for centre, top, tall, broad in (
            (centre, top, tall, broad)
            for centre in (-0.36, -0.24, -0.12, 0.0, 0.12, 0.24, 0.36)
            for top in (-0.03, 0.05, 0.13, 0.22, 0.32)
            for tall in (0.12, 0.17, 0.24, 0.33, 0.46)  # of the head
            for broad in (0.62, 1.0)
        ):
            across, down = np.abs(x - centre) / (tall * unit), (y - top) / (tall * unit)
            head = 1 - np.hypot(across / 0.38, (down - 0.5) / 0.5)
            shoulders = np.clip(0.35 + (down - 0.95) * 1.1, 0.3, 0.95 * broad)
            body = np.minimum((shoulders - across) / 0.6, (down - 0.9) / 0.3)
            heads.append(_sigmoid(np.clip(6 * head, -4, 4)))
            persons.append(_sigmoid(np.clip(6 * np.maximum(head, body), -4, 4)))
            sides = persons[-1][: max(1, height * 3 // 4), [0, -1]].mean()
            unlike = (centre / 0.2, (top - 0.1) / 0.15, np.log(tall / 0.26) / 0.5)
            usual.append(-np.dot(unlike, unlike) / 2 - 8 * sides - (broad < 1) / 2)
        self.usual = np.asarray(usual, np.float32)
        self.persons = np.stack(persons).reshape(len(usual), -1)
        self.heads = np.stack(heads).reshape(len(usual), -1)
        self.face = self.heads / self.heads.sum(1, keepdims=True)
        self.inside, self.outside = np.log(self.persons), np.log(1 - self.persons)

    def by_colour(self, bins: Bins, skin: Alpha) -> tuple[Alpha, Alpha, float]:
        """The outlines whose inside differs most in colour from their outside and that have
        skin in the face; with the information in nats per pixel colour gives on the outline."""
        small = cv2.resize(bins, self.grid, interpolation=cv2.INTER_NEAREST).ravel()
        colours, small = np.unique(small, return_inverse=True)
        of_colour = np.eye(len(colours), dtype=np.float32)[small]
        within, total = self.persons @ of_colour, of_colour.sum(0)
        share = within.sum(1) / small.size
        information = _entropy(total[None]) - share * _entropy(within)
        information -= (1 - share) * _entropy(total - within)
        faces = cv2.resize(skin, self.grid, interpolation=cv2.INTER_AREA).ravel()
        score = 20 * information + self.usual + 6 * (self.face @ faces - faces.mean())
        return *self._average(np.asarray(score, np.float32)), float(information.max())

    def by_alpha(self, alpha: Alpha) -> tuple[Alpha, Alpha]:
        """The outlines nearest to an alpha, ``float32 (h, w)``."""
        small = cv2.resize(alpha, self.grid, interpolation=cv2.INTER_AREA).ravel()
        fit = self.inside @ small + self.outside @ (1 - small)
        return self._average(np.asarray(300 * fit / small.size + self.usual, np.float32))

    def _average(self, score: Alpha) -> tuple[Alpha, Alpha]:
        best = np.argsort(score)[-self.BEST :]
        weights = np.exp(score[best] - score[best].max())
        weights /= weights.sum()
        person, head = (
            (weights @ shapes[best]).astype(np.float32).reshape(self.grid[::-1])
            for shapes in (self.persons, self.heads)
        )
        return cv2.resize(person, self.size), cv2.resize(head, self.size)


def _entropy(counts: Alpha) -> Alpha:
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1e-6)
    return np.asarray(-(share * np.log(share + 1e-9)).sum(1), np.float32)


def colours(image: Image) -> tuple[Bins, Alpha]:
    """The Lab histogram bin of each pixel, ``uint16 (h, w)``, and how much like skin it is,
    ``float32 (h, w)`` in [0, 1]."""
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_BGR2LAB).astype(np.int16)
    light, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    near = ((a - 144) / 9.0) ** 2 + ((b - 147) / 10.0) ** 2
    skin = np.exp(-near / 2).astype(np.float32) * (light > 50)
    a, b = (np.clip((channel - 80) // 6, 0, 15) for channel in (a, b))
    return ((light >> 5) * 256 + a * 16 + b).astype(np.uint16), skin


def histogram(bins: Bins, weights: Alpha) -> Alpha:
    """How often each colour occurs, ``float32 (2048,)``, sum 1, smoothed over like colours."""
    counts = np.bincount(bins.ravel(), weights.ravel(), int(np.prod(COLOUR_BINS)))
    counts = counts.reshape(COLOUR_BINS)
    for axis in range(3):
        steps = np.moveaxis(counts, axis, 0)
        padded = np.concatenate([steps[:1], steps, steps[-1:]])
        counts = np.moveaxis(padded[:-2] + 2 * steps + padded[2:], 0, axis) / 4
    return np.asarray(counts.ravel() / max(counts.sum(), 1e-6), np.float32)


class GrabCut(Engine):
    """One person, cut out of the first frame and then carried from frame to frame.

    Each frame the evidence of all cues is summed as log-odds per pixel; what is beyond doubt
    is fixed, and GrabCut decides the rest. When nobody can be told from the room the alpha is
    zero: the room stays hidden.
    """

    description = "no weights: colour and shape alone; for one person against a calm room"

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        scale = min(1.0, LONG_SIDE / max(size))
        wanted = settings.work_size or (round(size[0] * scale), round(size[1] * scale))
        width, height = (min(max(new, 1), side) for new, side in zip(wanted, size, strict=True))
        self.work_size = width, height
        self._portraits = Portraits(self.work_size)
        # The sides and the top of a picture are nearly always room.
        self._border = np.ones((height, width), np.float32)
        side, top = max(1, width // 16), max(1, height // 20)
        self._border[:, :side] = self._border[:, -side:] = self._border[:top] = 4
        self.reset()

    def reset(self) -> None:
        width, height = self.work_size
        self._alpha: Alpha | None = None
        self._last: Image | None = None
        self._wait = 0
        self._models = np.zeros((1, 65)), np.zeros((1, 65))  # of room and person, OpenCV's form
        self._colours = np.zeros((2, int(np.prod(COLOUR_BINS))), np.float32)
        self._room = np.zeros((height, width, 3), np.float32)
        self._outline = np.zeros((height, width), np.float32)  # the usual person nearest to this
        self._known = np.zeros((height, width), np.float32)  # how well, 0 to 1

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            small = cv2.resize(frame.image, self.work_size, interpolation=cv2.INTER_AREA)
        with self.stats.stage("network"):
            alpha = self._solve(np.asarray(small, np.uint8))
        return Matte(frame, alpha, guide=small, lost=self._alpha is None)

    def _solve(self, small: Image) -> Alpha:
        still = self._stillness(small)
        bins, skin = colours(small)
        if self._alpha is not None:
            mask = self._carry(small, bins, skin, self._alpha)
        elif self._wait > 0:
            mask = np.zeros(still.shape, np.uint8)
        else:
            mask = self._start(small, bins, skin)
        alpha = np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8), np.float32)
        if self._alpha is not None:  # smoothed in time only where nothing moves: no trail
            alpha += 0.8 * still * (self._alpha - alpha)
        alpha = np.clip(alpha, 0, 1)
        self._learn(small, bins, alpha)
        self._last, lost = small, not LEAST < mask.mean() < MOST
        self._wait = (self._wait or RETRY) - 1 if lost else 0
        self._alpha = None if lost else alpha
        return np.zeros_like(alpha) if lost else alpha

    def _stillness(self, small: Image) -> Alpha:
        """1 where a pixel is as in the last frame, towards 0 where it changed."""
        change = np.full(small.shape[:2], 255.0, np.float32)
        if self._last is not None:
            change = cv2.absdiff(small, self._last).max(2).astype(np.float32)
            if np.median(change) > SCENE_CUT:
                self.reset()
        return np.asarray(np.exp(-((change / STILL_ROOM) ** 2)), np.float32)

    def _start(self, small: Image, bins: Bins, skin: Alpha) -> Mask:
        """Find the person without history."""
        person, head, information = self._portraits.by_colour(bins, skin)
        if information < 0.02:  # nothing stands out: hide all
            return np.zeros(bins.shape, np.uint8)
        place = _log_odds(person, 0.01) + 2 * skin * (head - 0.1) + 4 * self._room_odds(small)
        place = np.asarray(place, np.float32)
        believed = _sigmoid(place)
        self._models = np.zeros((1, 65)), np.zeros((1, 65))
        for _ in range(ROUNDS):
            self._colours = self._count(bins, believed)
            odds = np.asarray(place + self._colour_odds(bins), np.float32)
            mask = self._keep(self._cut(small, odds, SURE), person)
            believed = np.asarray((_sigmoid(odds) + mask) / 2, np.float32)
        self._outline = person
        self._colours = self._count(bins, mask * person)
        return mask

    def _carry(self, small: Image, bins: Bins, skin: Alpha, alpha: Alpha) -> Mask:
        """Find the person near where it was."""
        person, head = self._portraits.by_alpha(alpha)
        self._outline = person
        blurred = cv2.GaussianBlur(alpha, (0, 0), max(self.work_size) / 60)
        near = np.asarray(blurred, np.float32)
        odds = _log_odds(near, 0.08) + 0.35 * _log_odds(person, 0.02) + 2 * skin * (head - 0.1)
        odds += self._colour_odds(bins) + self._room_odds(small)
        return self._keep(self._cut(small, np.asarray(odds, np.float32), SURE_CARRIED), near)

    def _count(self, bins: Bins, alpha: Alpha) -> Alpha:
        """The histograms of room and person, ``float32 (2, 2048)``."""
        room = histogram(bins, np.asarray((1 - alpha) * self._border, np.float32))
        return np.stack([room, histogram(bins, alpha)])

    def _colour_odds(self, bins: Bins) -> Alpha:
        room, person = self._colours + 2e-4
        odds = 0.7 * np.clip(np.log(person / room), -4, 4)
        return np.asarray(odds[bins], np.float32)

    def _room_odds(self, small: Image) -> Alpha:
        """A fixed camera has seen this pixel without the person: does it look the same?"""
        change = ((small - self._room) ** 2).sum(2)
        known = self._known > 0.5
        if known.any() and np.median(change[known]) > CAMERA_MOVED**2:
            self._known = np.zeros_like(self._known)
        odds = self._known * np.clip(change / (2 * STILL_ROOM**2) - 1.5, -1.5, 2)
        return np.asarray(odds, np.float32)

    def _cut(self, small: Image, odds: Alpha, sure: float) -> Mask:
        """GrabCut's answer, 0 or 1; below -``sure`` a pixel is room for certain."""
        mask = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        mask[odds > SURE] = cv2.GC_FGD
        mask[odds < -sure] = cv2.GC_BGD
        persons = int((mask & 1).sum())
        if min(persons, mask.size - persons) < FEWEST:  # OpenCV raises without samples
            return np.asarray(mask & 1, np.uint8)
        cv2.setRNGSeed(7)  # its k-means starts at random
        mode = cv2.GC_EVAL if self._models[0].any() else cv2.GC_INIT_WITH_MASK
        cv2.grabCut(small, mask, (0, 0, 0, 0), *self._models, 1, mode)
        return np.asarray(mask & 1, np.uint8)

    def _keep(self, mask: Mask, place: Alpha) -> Mask:
        """The piece that is most where the person should be, large others (a hand), and no
        small holes."""
        count, labels = cv2.connectedComponents(mask, connectivity=4)
        if count > 2:
            weight = np.bincount(labels.ravel(), (place * mask).ravel(), count)
            weight[0] = 0
            kept = weight >= (1.0 if self._alpha is None else 0.15) * weight.max()
            kept[0] = False
            mask = kept[labels].astype(np.uint8)
        _, labels, table, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
        holes = np.flatnonzero(table[:, cv2.CC_STAT_AREA] < 0.003 * mask.size)
        edge = np.unique(np.concatenate([labels[0], labels[:, 0], labels[:, -1]]))
        mask[np.isin(labels, np.setdiff1d(holes, edge)) & (mask == 0)] = 1
        return mask

    def _learn(self, small: Image, bins: Bins, alpha: Alpha) -> None:
        if alpha.mean() > 0.01:
            # What hangs on to the person outside any usual outline must not teach its colour.
            self._colours += 0.1 * (self._count(bins, alpha * self._outline) - self._colours)
        room = cv2.dilate(alpha, np.ones((7, 7), np.uint8)) < 0.1
        fresh = np.where(self._known > 0.05, 0.1, 1.0)[room]
        self._room[room] += fresh[:, None] * (small[room] - self._room[room])
        self._known = np.where(room, self._known * 0.95 + 0.05, self._known * 0.995)
