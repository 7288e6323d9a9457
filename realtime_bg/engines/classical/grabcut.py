"""GrabCut: finds the person by colour, position and history, without a network.

Rother, Kolmogorov, Blake: "GrabCut": interactive foreground extraction using iterated graph cuts,
SIGGRAPH 2004. The user may give the rectangle that the paper asks for. Otherwise other evidence
replaces it: a detected face, or typical outlines of people combined with colour histograms and
skin; on later frames also the last mask and the earlier appearance of the room.
"""

import logging

import cv2
import numpy as np

from realtime_bg import zoo
from realtime_bg.engines.classical._portraits import Bins, Portraits, sigmoid
from realtime_bg.engines.classical._shared import Mask, SmallEngine, filled, pieces, skin
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size
from realtime_bg.networks.faces import Box, Faces
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

COLOUR_BINS = (8, 16, 16)
SURE, SURE_CARRIED = 3.5, 2.5  # log-odds above which the cut must not change a pixel
ODD = 0.48  # similarity to outlines of people below which a cut is rejected
HOLE = 0.003  # fraction of the picture up to which a hole is filled
FEWEST = 30  # pixels that a mixture of five colour components needs
PATIENCE = 10  # frames for which the shape may be implausible before the person counts as lost
RETRY = 8  # frames between two attempts to find a lost person
STILL_ROOM, CAMERA_MOVED = 12.0, 20.0  # thresholds of the difference, in grey levels


def _log_odds(probability: Alpha, slack: float) -> Alpha:
    return np.log((probability + slack) / (1 + slack - probability)).astype(np.float32)


def colours(image: Image) -> tuple[Bins, Alpha]:
    """The Lab histogram bin of each pixel, ``uint16 (h, w)``, and its similarity to skin, ``float32
    (h, w)`` in [0, 1]."""
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (3, 3), 0), cv2.COLOR_BGR2LAB)
    light, a, b = (channel.astype(np.int16) for channel in cv2.split(lab))
    a, b = (np.clip((channel - 80) // 6, 0, 15) for channel in (a, b))
    return ((light >> 5) * 256 + a * 16 + b).astype(np.uint16), skin(lab)


def histogram(bins: Bins, weights: Alpha) -> Alpha:
    """The frequency of each colour, ``float32 (2048,)`` with sum 1, smoothed over similar
    colours."""
    counts = np.bincount(bins.ravel(), weights.ravel(), int(np.prod(COLOUR_BINS)))
    counts = counts.reshape(COLOUR_BINS)
    for axis in range(3):
        steps = np.moveaxis(counts, axis, 0)
        padded = np.concatenate([steps[:1], steps, steps[-1:]])
        counts = np.moveaxis(padded[:-2] + 2 * steps + padded[2:], 0, axis) / 4
    return np.asarray(counts.ravel() / max(counts.sum(), 1e-6), np.float32)


class GrabCut(SmallEngine):
    """Segments one person in the first frame and then tracks that person from frame to frame.

    In each frame the evidence of all cues is summed as log-odds per pixel. Pixels beyond doubt are
    fixed, and GrabCut decides the rest. If no person can be told from the room, the alpha is zero
    and the room stays hidden.
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
        # The sides and the top of a picture nearly always show the room.
        width, height = self.work_size
        self._border = np.ones((height, width), np.float32)
        side, top = max(1, width // 16), max(1, height // 20)
        self._border[:, :side] = self._border[:, -side:] = self._border[:top] = 4

    def reset(self) -> None:
        super().reset()
        width, height = self.work_size
        # frames until the next attempt; successive frames with an implausible shape
        self._wait = self._odd = 0
        self._told = False  # whether a box or a face, and not only colour, located the person
        # of room and person, in OpenCV's format
        self._models = np.zeros((1, 65)), np.zeros((1, 65))
        self._colours = np.zeros((2, int(np.prod(COLOUR_BINS))), np.float32)
        self._room = np.zeros((height, width, 3), np.float32)
        # the typical outline most similar to this person
        self._outline = np.zeros((height, width), np.float32)
        self._known = np.zeros((height, width), np.float32)  # how well the room is known, 0 to 1

    def _open_faces(self) -> Faces | None:
        """The face detector if one is requested or, with ``auto``, if its file is on this
        machine."""
        seed = self.settings.grabcut.seed
        if seed == "face" or (seed == "auto" and self.settings.model is not None):
            self.model = zoo.resolve("grabcut", self.settings, (".onnx",))
            return Faces(self.model)
        path = zoo.find(zoo.row("yunet")) if seed == "auto" else None
        if path is None or self.settings.grabcut.box is not None:
            return None
        try:
            faces = Faces(path)
        except RealtimeBgError as error:  # this engine has to work when all others fail
            log.warning("%s; faces are not detected", error)
            return None
        self.model = path
        return faces

    def matte(self, frame: Frame) -> Matte:
        self._whole = frame.image  # faces are detected at full size
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
        if place is None:  # nothing stands out: hide everything
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
        """Whether the shape is implausible for a person. It is only checked if colour alone located
        the person, because colour can also find a couch."""
        return not self._told and self._usual.likeness(mask.astype(np.float32)) < ODD

    def _seed(self, small: Image, bins: Bins, flesh: Alpha) -> tuple[Alpha | None, Alpha]:
        """The log-odds of person by position (None if there is nobody) and the probability that a
        pixel is person, both ``float32 (h, w)``. They come from the box, otherwise from a face,
        otherwise from colour."""
        box, face = self.settings.grabcut.box, None
        if box is not None and self.settings.grabcut.seed in ("auto", "box"):
            self._told = True
            return self._boxed(Box(*box))
        if self._faces is not None:
            face = next(iter(self._faces.found(self._whole)), None)
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
        """As in the paper: everything outside the box is certainly room; inside, the middle is more
        likely person than the corners."""
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
        """The colour histograms of room and person, ``float32 (2, 2048)``."""
        room = histogram(bins, np.asarray((1 - alpha) * self._border, np.float32))
        return np.stack([room, histogram(bins, alpha)])

    def _colour_odds(self, bins: Bins) -> Alpha:
        room, person = self._colours + 2e-4
        odds = 0.7 * np.clip(np.log(person / room), -4, 4)
        return np.asarray(odds[bins], np.float32)

    def _room_odds(self, small: Image) -> Alpha:
        """Log-odds from comparing each pixel with the room as a fixed camera saw it without the
        person."""
        change = ((small - self._room) ** 2).sum(2)
        known = self._known > 0.5
        if known.any() and np.median(change[known]) > CAMERA_MOVED**2:
            self._known = np.zeros_like(self._known)
        odds = self._known * np.clip(change / (2 * STILL_ROOM**2) - 1.5, -1.5, 2)
        return np.asarray(odds, np.float32)

    def _cut(self, small: Image, odds: Alpha, sure: float) -> Mask:
        """GrabCut's mask of 0 and 1; pixels with log-odds below -``sure`` are fixed as room."""
        mask = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        mask[odds > SURE] = cv2.GC_FGD
        mask[odds < -sure] = cv2.GC_BGD
        persons = int((mask & 1).sum())
        if min(persons, mask.size - persons) < FEWEST:  # OpenCV raises without samples
            return np.asarray(mask & 1, np.uint8)
        cv2.setRNGSeed(7)  # its k-means is initialised randomly
        mode = cv2.GC_EVAL if self._models[0].any() else cv2.GC_INIT_WITH_MASK
        cv2.grabCut(small, mask, (0, 0, 0, 0), *self._models, 1, mode)
        return np.asarray(mask & 1, np.uint8)

    def _learn(self, small: Image, bins: Bins, alpha: Alpha) -> None:
        if alpha.mean() > 0.01:
            # Parts attached to the person outside every typical outline must not enter the colour
            # model.

            self._colours += 0.1 * (self._count(bins, alpha * self._outline) - self._colours)
        room = cv2.dilate(alpha, np.ones((7, 7), np.uint8)) < 0.1
        fresh = np.where(self._known > 0.05, 0.1, 1.0)[room]
        self._room[room] += fresh[:, None] * (small[room] - self._room[room])
        self._known = np.where(room, self._known * 0.95 + 0.05, self._known * 0.995)
