"""GrabCut: the person by colour, place and history, without a network.

Rother, Kolmogorov, Blake: "GrabCut": interactive foreground extraction using iterated graph
cuts, SIGGRAPH 2004. The user's rectangle of the paper may be given; else it is replaced by
evidence: a face, or outlines of people in front of a webcam with colour histograms and skin; and
on later frames by the last answer and by what the room looked like before.
"""

import logging

import cv2
import numpy as np

from realtime_bg import zoo
from realtime_bg.engines.classical._faces import Box, Faces
from realtime_bg.engines.classical._portraits import Bins, Portraits, sigmoid
from realtime_bg.engines.classical._shared import Mask, SmallEngine, filled, pieces, skin
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

COLOUR_BINS = (8, 16, 16)
SURE, SURE_CARRIED = 3.5, 2.5  # log-odds beyond which the cut may not change a pixel
ODD = 0.48  # likeness to the outlines of people, below which a cut is none
HOLE = 0.003  # share of the picture up to which a hole is no gap
FEWEST = 30  # pixels a colour mixture of five components needs
PATIENCE = 10  # frames in which somebody may be shaped like nobody
RETRY = 8  # frames between two attempts to find a lost person
STILL_ROOM, CAMERA_MOVED = 12.0, 20.0  # differences in grey levels


def _log_odds(probability: Alpha, slack: float) -> Alpha:
    return np.log((probability + slack) / (1 + slack - probability)).astype(np.float32)


def colours(image: Image) -> tuple[Bins, Alpha]:
    """The Lab histogram bin of each pixel, ``uint16 (h, w)``, and how much like skin it is,
    ``float32 (h, w)`` in [0, 1]."""
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_BGR2LAB)
    light, a, b = (channel.astype(np.int16) for channel in cv2.split(lab))
    a, b = (np.clip((channel - 80) // 6, 0, 15) for channel in (a, b))
    return ((light >> 5) * 256 + a * 16 + b).astype(np.uint16), skin(lab)


def histogram(bins: Bins, weights: Alpha) -> Alpha:
    """How often each colour occurs, ``float32 (2048,)``, sum 1, smoothed over like colours."""
    counts = np.bincount(bins.ravel(), weights.ravel(), int(np.prod(COLOUR_BINS)))
    counts = counts.reshape(COLOUR_BINS)
    for axis in range(3):
        steps = np.moveaxis(counts, axis, 0)
        padded = np.concatenate([steps[:1], steps, steps[-1:]])
        counts = np.moveaxis(padded[:-2] + 2 * steps + padded[2:], 0, axis) / 4
    return np.asarray(counts.ravel() / max(counts.sum(), 1e-6), np.float32)


class GrabCut(SmallEngine):
    """One person, cut out of the first frame and then carried from frame to frame.

    Each frame the evidence of all cues is summed as log-odds per pixel; what is beyond doubt
    is fixed, and GrabCut decides the rest. When nobody can be told from the room the alpha is
    zero: the room stays hidden.
    """

    description = "no weights: colour and shape alone; for one person against a calm room"
    LONG_SIDE = 160
    MOST = 0.92
    CALM = 12.0
    SMOOTH = 0.8

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self._portraits = Portraits(self.work_size)
        self._faces = self._open_faces()
        # The sides and the top of a picture are nearly always room.
        width, height = self.work_size
        self._border = np.ones((height, width), np.float32)
        side, top = max(1, width // 16), max(1, height // 20)
        self._border[:, :side] = self._border[:, -side:] = self._border[:top] = 4

    def reset(self) -> None:
        super().reset()
        width, height = self.work_size
        self._wait = self._odd = 0  # frames until the next attempt; in a row that were unlike
        self._told = False  # whether box or face, not colour alone, said where the person is
        self._models = np.zeros((1, 65)), np.zeros((1, 65))  # of room and person, OpenCV's form
        self._colours = np.zeros((2, int(np.prod(COLOUR_BINS))), np.float32)
        self._room = np.zeros((height, width, 3), np.float32)
        self._outline = np.zeros((height, width), np.float32)  # the usual person nearest to this
        self._known = np.zeros((height, width), np.float32)  # how well, 0 to 1

    def _open_faces(self) -> Faces | None:
        """The face detector where one is asked for, or, with ``auto``, where its file is."""
        seed = self.settings.grabcut.seed
        if seed == "face" or (seed == "auto" and self.settings.model is not None):
            self.model = zoo.resolve("grabcut", self.settings, (".onnx",))
            return Faces(self.model)
        path = zoo.find(zoo.row("yunet")) if seed == "auto" else None
        if path is None or self.settings.grabcut.box is not None:
            return None
        try:
            faces = Faces(path)
        except RealtimeBgError as error:  # this engine has to work where all others fail
            log.warning("%s; faces are not looked for", error)
            return None
        self.model = path
        return faces

    def matte(self, frame: Frame) -> Matte:
        self._whole = frame.image  # faces are looked for in all its detail
        return super().matte(frame)

    def solve(self, small: Image, time: float) -> Alpha | None:
        bins, flesh = colours(small)
        if self.alpha is not None:
            mask = self._carry(small, bins, flesh, self.alpha)
        elif self._wait > 0:
            mask = np.zeros(small.shape[:2], np.uint8)
        else:
            mask = self._start(small, bins, flesh)
        alpha = self.softened(mask, small)
        self._learn(small, bins, alpha)
        self._odd = self._odd + 1 if self._unlike(mask) else 0
        lost = not self.found(mask) or self._odd > PATIENCE
        self._wait = (self._wait or RETRY) - 1 if lost else 0
        return None if lost else alpha

    def _start(self, small: Image, bins: Bins, flesh: Alpha) -> Mask:
        """Find the person without history."""
        place, person = self._seed(small, bins, flesh)
        if place is None:  # nothing stands out: hide all
            return np.zeros(bins.shape, np.uint8)
        believed = sigmoid(place)
        self._models = np.zeros((1, 65)), np.zeros((1, 65))
        for _ in range(self.settings.grabcut.iterations):
            self._colours = self._count(bins, believed)
            odds = np.asarray(place + self._colour_odds(bins), np.float32)
            mask = pieces(self._cut(small, odds, SURE), person, 1.0)
            mask = filled(mask, HOLE)
            believed = np.asarray((sigmoid(odds) + mask) / 2, np.float32)
        self._outline = person
        self._colours = self._count(bins, mask * person)
        return np.zeros_like(mask) if self._unlike(mask) else mask

    def _unlike(self, mask: Mask) -> bool:
        """By colour alone a couch is found, too; where a box or a face told, shape has no say."""
        return not self._told and self._usual.likeness(mask.astype(np.float32)) < ODD

    def _seed(self, small: Image, bins: Bins, flesh: Alpha) -> tuple[Alpha | None, Alpha]:
        """The log-odds of person by place, None where nobody is, and how likely a pixel is to be
        person, both ``float32 (h, w)``: from the box, else a face, else what colour tells."""
        box, face = self.settings.grabcut.box, None
        if box is not None and self.settings.grabcut.seed in ("auto", "box"):
            self._told = True
            return self._boxed(Box(*box))
        if self._faces is not None:
            face = self._faces.largest(self._whole)
        self._told = face is not None
        if face is not None:
            person, head = self._portraits.by_face(face)
        elif self.settings.grabcut.seed == "face":
            return None, np.zeros(bins.shape, np.float32)
        else:
            person, head, information = self._portraits.by_colour(bins, flesh)
            if information < 0.02:
                return None, person
        place = _log_odds(person, 0.01) + 2 * flesh * (head - 0.1) + 4 * self._room_odds(small)
        return np.asarray(place, np.float32), person

    def _boxed(self, box: Box) -> tuple[Alpha, Alpha]:
        """As in the paper: outside of the box there is room for certain, and inside person
        rather in the middle than in the corners."""
        width, height = self.work_size
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        x = ((x + 0.5) / width - box.x) / box.width * 2 - 1
        y = ((y + 0.5) / height - box.y) / box.height * 2 - 1
        inside = (np.abs(x) <= 1) & (np.abs(y) <= 1)
        person = np.where(inside, 0.8 - 0.5 * np.abs(x) ** 2, 0.0).astype(np.float32)
        place = np.where(inside, _log_odds(person, 0.01), -2 * SURE)
        return np.asarray(place, np.float32), person

    def _carry(self, small: Image, bins: Bins, flesh: Alpha, alpha: Alpha) -> Mask:
        """Find the person near where it was."""
        person, head = self._portraits.by_alpha(alpha)
        self._outline = person
        blurred = cv2.GaussianBlur(alpha, (0, 0), max(self.work_size) / 60)
        near = np.asarray(blurred, np.float32)
        odds = _log_odds(near, 0.08) + 0.35 * _log_odds(person, 0.02) + 2 * flesh * (head - 0.1)
        odds += self._colour_odds(bins) + self._room_odds(small)
        mask = self._cut(small, np.asarray(odds, np.float32), SURE_CARRIED)
        return filled(pieces(mask, near), HOLE)

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

    def _learn(self, small: Image, bins: Bins, alpha: Alpha) -> None:
        if alpha.mean() > 0.01:
            # What hangs on to the person outside any usual outline must not teach its colour.
            self._colours += 0.1 * (self._count(bins, alpha * self._outline) - self._colours)
        room = cv2.dilate(alpha, np.ones((7, 7), np.uint8)) < 0.1
        fresh = np.where(self._known > 0.05, 0.1, 1.0)[room]
        self._room[room] += fresh[:, None] * (small[room] - self._room[room])
        self._known = np.where(room, self._known * 0.95 + 0.05, self._known * 0.995)
