"""Typical outlines of people in front of a webcam, and choosing the one that fits best."""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Size
from realtime_bg.networks.faces import Box

Bins: TypeAlias = NDArray[np.uint16]
"""The histogram bin of each pixel's colour, ``uint16 (h, w)``."""

# height of the head, and of the part above the face, relative to the face
HEAD, FOREHEAD = 1.5, 0.35


def sigmoid(log_odds: Alpha) -> Alpha:
    """Convert log-odds to probabilities."""
    return (1 / (1 + np.exp(-log_odds))).astype(np.float32)


class Portraits:
    """A few hundred outlines of people in front of a camera, each with its prior probability.

    An outline is a head ellipse over shoulders that widen and reach the lower edge; they differ in
    position, height and width. ``size`` is the (width, height) in pixels of the maps that the
    methods return: ``float32 (h, w)`` probabilities that a pixel is person, or head.
    """

    BEST = 8  # number of outlines that are averaged

    def __init__(self, size: Size) -> None:
        self.size = size
        width, height = self.grid = (size[0] + 2) // 3, (size[1] + 2) // 3
        # relative to the height of the frame; a narrow frame shows less
        unit = min(1.0, 1.2 * size[0] / size[1])
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        self._x, self._y = (x + 0.5 - width / 2) / height, (y + 0.5) / height
        persons, heads, usual = [], [], []
        for centre, top, tall, broad in (
            (centre, top, tall, broad)
            for centre in (-0.36, -0.24, -0.12, 0.0, 0.12, 0.24, 0.36)
            for top in (-0.03, 0.05, 0.13, 0.22, 0.32)
            for tall in (0.12, 0.17, 0.24, 0.33, 0.46)  # height of the head
            for broad in (0.62, 1.0)
        ):
            person, head = self._outline(centre, top, tall * unit, broad)
            persons.append(person)
            heads.append(head)
            sides = person[: max(1, height * 3 // 4), [0, -1]].mean()
            unlike = (centre / 0.2, (top - 0.1) / 0.15, np.log(tall / 0.26) / 0.5)
            usual.append(-np.dot(unlike, unlike) / 2 - 8 * sides - (broad < 1) / 2)
        self.usual = np.asarray(usual, np.float32)
        self.persons = np.stack(persons).reshape(len(usual), -1)
        self.heads = np.stack(heads).reshape(len(usual), -1)
        self.face = self.heads / self.heads.sum(1, keepdims=True)
        self.inside, self.outside = np.log(self.persons), np.log(1 - self.persons)

    def _outline(self, centre: float, top: float, tall: float, broad: float) -> tuple[Alpha, Alpha]:
        """Person and head on the grid. Lengths are in heights of the frame: ``centre`` is the
        offset from the middle and ``tall`` the height of the head; ``broad`` is the width of the
        shoulders relative to the usual one."""
        across, down = np.abs(self._x - centre) / tall, (self._y - top) / tall
        head = 1 - np.hypot(across / 0.38, (down - 0.5) / 0.5)
        shoulders = np.clip(0.35 + (down - 0.95) * 1.1, 0.3, 0.95 * broad)
        body = np.minimum((shoulders - across) / 0.6, (down - 0.9) / 0.3)
        person = sigmoid(np.clip(6 * np.maximum(head, body), -4, 4))
        return person, sigmoid(np.clip(6 * head, -4, 4))

    def by_face(self, face: Box) -> tuple[Alpha, Alpha]:
        """The typical outlines around a face."""
        centre = (face.x + face.width / 2 - 0.5) * self.size[0] / self.size[1]
        tall, top = HEAD * face.height, face.y - FOREHEAD * face.height
        drawn = [self._outline(centre, top, max(tall, 0.01), broad) for broad in (0.62, 1.0)]
        maps = np.mean(np.asarray(drawn, np.float32), axis=0)
        return cv2.resize(maps[0], self.size), cv2.resize(maps[1], self.size)

    def by_colour(self, bins: Bins, skin: Alpha) -> tuple[Alpha, Alpha, float]:
        """The outlines whose inside differs most in colour from the outside and whose face has the
        colour of skin. The last value is the information, in nats per pixel, that colour gives
        about the outline."""
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
        """The outlines most similar to an alpha, ``float32 (h, w)``."""
        small = cv2.resize(alpha, self.grid, interpolation=cv2.INTER_AREA).ravel()
        fit = self.inside @ small + self.outside @ (1 - small)
        return self._average(np.asarray(300 * fit / small.size + self.usual, np.float32))

    def likeness(self, mask: Alpha) -> float:
        """The intersection over union of a mask, ``float32 (h, w)``, with the most similar outline:
        about 0.8 for one person in front of a webcam, less for anything else."""
        small = cv2.resize(mask, self.grid, interpolation=cv2.INTER_AREA).ravel()
        both = self.persons @ small
        return float((both / (self.persons.sum(1) + small.sum() - both)).max())

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
