"""Finds the person as a few colour clusters of the picture.

Lloyd, "Least squares quantization in PCM", 1982, seeded as in Arthur and Vassilvitskii,
"k-means++", SODA 2007, over colour and position.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.classical._shared import SmallEngine, disk, filled, pieces, skin
from realtime_bg.frames import Alpha, Image

ROUNDS = 10  # of Lloyd's algorithm on the first frame; later frames take one
PERSON = 0.4  # log-odds above which a cluster is person
ALIKE = 7.0  # distance in Lab units within which two clusters have the same colour
SPREAD = 40.0  # Lab units that correspond to the width of the picture if `position` is 1


class KMeans(SmallEngine):
    """Clusters pixels by Lab colour and position. A cluster is person or room depending on where it
    lies, on its similarity to skin, and on what it was in the last frame, whose centres initialise
    the next one."""

    description = "no weights: colour clusters; for clothes unlike the room"
    LONG_SIDE = 160

    def reset(self) -> None:
        super().reset()
        self._centres: NDArray[np.float32] | None = None

    def solve(self, small: Image, time: float) -> Alpha | None:
        lab = cv2.cvtColor(cv2.GaussianBlur(small, (3, 3), 0), cv2.COLOR_BGR2LAB)
        labels = self._cluster(self._features(lab))
        if labels is None:
            return None
        odds = self._odds(labels, skin(lab))
        likely = cv2.GaussianBlur(odds[labels].reshape(lab.shape[:2]), (0, 0), 1)
        mask = np.asarray(likely > PERSON, np.uint8)
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disk(1))
        mask = filled(pieces(mask, self.place), 0.03)
        return self.softened(mask, small) if self.plausible(mask) else None

    def _features(self, lab: Image) -> NDArray[np.float32]:
        """L, a, b, x, y of each pixel, ``float32 (h * w, 5)``, in Lab units."""
        height, width = lab.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        scale = SPREAD * self.settings.kmeans.position / max(width, height)
        light, a, b = (channel.astype(np.float32) for channel in cv2.split(lab))
        # Lightness has half the weight: folds and shadows change it within one piece of cloth.
        features = (light * 0.5, a, b, x * scale, y * scale)
        return np.stack([feature.ravel() for feature in features], axis=1)

    def _cluster(self, features: NDArray[np.float32]) -> NDArray[np.int32] | None:
        """The cluster of each pixel, ``int32 (h * w,)``; None if there is only one colour."""
        wanted = self.settings.kmeans.clusters
        if len(features) < wanted or float(features[:, :3].std(0).max()) < 2:
            return None
        if self._centres is None:
            cv2.setRNGSeed(7)  # its initialisation is random
            stop = (cv2.TERM_CRITERIA_COUNT, ROUNDS, 0.0)
            _, labels, self._centres = cv2.kmeans(
                features, wanted, None, stop, 1, cv2.KMEANS_PP_CENTERS
            )
            return np.asarray(labels, np.int32).ravel()
        far = (self._centres**2).sum(1) - 2 * (features @ self._centres.T)
        labels = np.asarray(far.argmin(1), np.int32)
        sizes = np.bincount(labels, minlength=wanted)
        sums = [np.bincount(labels, feature, wanted) for feature in features.T]
        means = np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None]
        self._centres[sizes > 0] = means[sizes > 0]  # an empty cluster keeps its centre
        return labels

    def _odds(self, labels: NDArray[np.int32], flesh: Alpha) -> Alpha:
        """The log-odds of person against room for each cluster, ``float32 (k,)``."""
        assert self._centres is not None
        count = len(self._centres)

        # Clusters of similar colour share their evidence, so that a wall stays one wall in light
        # and shade.

        colours = self._centres[:, :3]
        near = ((colours[:, None] - colours[None]) ** 2).sum(2)
        like = np.exp(-near / (2 * ALIKE**2))

        def shares(weights: NDArray[np.float32]) -> NDArray[np.float32]:
            sums = like @ np.bincount(labels, weights.ravel(), count)
            return np.asarray(sums / max(sums.sum(), 1e-6), np.float32)

        inside = shares(self.place**3)
        outside = shares(self.border.astype(np.float32))
        odds = np.log((inside + 0.01) / (outside + 0.01))
        # a cluster stays what it was, unless its position contradicts that
        if self.alpha is not None:
            were = shares(self.alpha), shares(1 - self.alpha)
            odds = 0.6 * odds + 0.6 * np.log((were[0] + 0.01) / (were[1] + 0.01))
        sizes = np.maximum(np.bincount(labels, minlength=count), 1)
        odds += 1.5 * np.bincount(labels, (flesh * self.place).ravel(), count) / sizes
        return np.asarray(odds, np.float32)
