"""The model that is shipped with the program: no download needed, real time on one CPU core.

models/README.md describes the model and its accuracy, networks/embedded.py its architecture. The
graph takes ``src`` (1, 3, H, W), RGB in 0..1, and ``last`` (1, 1, H, W), the alpha of the previous
frame (zeros if there is none). It returns ``pha`` (1, 1, H, W).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg import zoo
from realtime_bg.engines.base import Engine
from realtime_bg.frames import Frame, Matte, Size
from realtime_bg.imaging.geometry import resize
from realtime_bg.imaging.reduction import reduced
from realtime_bg.runtimes.input_size import fitting, work_size
from realtime_bg.runtimes.onnx import check_names, open_session
from realtime_bg.runtimes.openvino import PROVIDER, compiled
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

# Pixels at which the network runs on a photo: it tells best at the small size what is a person, and
# at the large one where that person ends, arms included
SMALL, LARGE = 256 * 144, 448 * 256
RESULT = 640 * 360  # pixels of a photo's alpha
SURELY, POSSIBLY = 1.5, -2.0  # logits: 0.8 and 0.1
INNER = np.ones((9, 9), np.uint8)  # around a pixel of the result that lies inside a person
NOBODY = -6.0  # a logit
# The network's sigmoid never reaches 0 or 1, so values this close are stretched to them: 10 % less
# error (MAD) on photos, and nothing to blend where nobody is.
SURE = 0.05
# The same for the alpha that is fed back, where a faint false response would otherwise grow to
# certainty within a second: 25 % less error on the demo, and less flicker.
REMEMBERED = 0.3
# a smaller weight than the latter counts as zero in an average
ONE, LEAST = np.float32(1), np.float32(1e-4)


class Embedded(Engine):
    """Runs the built-in network; the previous alpha is its only history."""

    description = "the built-in network: needs no download, fast on any CPU"
    least_scale = 0.75  # at 144x80 its error is four times as high

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = zoo.resolve("embedded", settings, (".onnx",))
        self._session, self.provider = open_session(self.model, settings.device, settings.threads)
        check_names(self._session, {"src", "last"}, {"pha"}, "an embedded model", self.model)
        fine = settings.quality == "fine"
        self.work_size = work_size(settings.work_size, size, self.provider != "CPU", fine)
        width, height = self.work_size
        self._src = np.empty((1, 3, height, width), np.float32)
        self._network: Any = self._session
        shapes = {"src": (1, 3, height, width), "last": (1, 1, height, width)}
        network = compiled(self.model, settings, self.provider, lambda: shapes)
        if network is not None:
            self._network, self.provider = network, PROVIDER
        self.reset()

    def reset(self) -> None:
        self._last = np.zeros((1, 1, *self.work_size[::-1]), np.float32)

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            small = reduced(frame.image, self.work_size, self._src[0])
        with self.stats.stage("network"):
            feed = {"src": self._src, "last": self._last}
            (alpha,) = self._network.run(["pha"], feed)
            self._last = _stretched(alpha, REMEMBERED)
        return Matte(frame, _stretched(alpha[0, 0], SURE), guide=small)

    def matte_photo(self, frame: Frame, repeats: int) -> Matte:
        """Run the network on the photo at two sizes, each also mirrored, and join the results (see
        `joined`); then again at the large size with that as the previous alpha. At a fifth of the
        computing time the error is lower than that of a mean over three larger sizes, because a
        close person does not fit into what the network sees at once at a large size.
        """
        if self.settings.quality != "fine" or self.settings.work_size is not None:
            return super().matte_photo(frame, repeats)
        width, height = fitting(frame.size, RESULT)
        guide = reduced(frame.image, (width, height), np.empty((3, height, width), np.float32))
        views = []
        for size in (fitting(frame.size, area) for area in (SMALL, LARGE)):
            views.append(np.empty((1, 3, *size[::-1]), np.float32))
            reduced(frame.image, size, views[-1][0])
        unknown = np.zeros((height, width), np.float32)
        small, large = (self._logits(src, unknown) for src in views)
        known = _stretched(_sigmoid(joined(small, large)), REMEMBERED)
        large = (large + self._logits(views[1], known)) * np.float32(0.5)
        return Matte(frame, _stretched(_sigmoid(joined(small, large)), SURE), guide=guide)

    def _logits(self, src: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean logits for a photo, RGB (1, 3, h, w), and its mirror image, resized to the size
        of ``before``, which is the previous alpha given to the network."""
        height, width = before.shape
        last = resize(before, (src.shape[3], src.shape[2]))[None, None]
        logits = np.zeros_like(before)
        for flip in (slice(None), slice(None, None, -1)):
            feed = {"src": src[..., flip], "last": last[..., flip]}
            feed = {name: np.ascontiguousarray(value) for name, value in feed.items()}
            alpha = self._session.run(["pha"], feed)[0][0, 0, :, flip]
            alpha = resize(np.ascontiguousarray(alpha), (width, height))
            alpha = alpha.clip(LEAST, 1 - LEAST)
            logits += np.log(alpha / (1 - alpha))
        return logits * np.float32(0.5)


def joined(small: NDArray[np.float32], large: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits ``float32 (h, w)`` of two input sizes as one: those of the ``large`` one, but inside
    the people whom the ``small`` one is sure of no holes, and no parts that touch none of its
    people."""
    inside = cv2.erode((small > SURELY).astype(np.uint8), INNER) > 0
    result = np.where(inside, np.maximum(small, large), large)
    count, parts = cv2.connectedComponents((result > POSSIBLY).astype(np.uint8))
    known = np.zeros(count, bool)
    known[parts[small > 0]] = True
    known[0] = True  # what is nobody stays as it is
    if known[1:].any():
        result[~known[parts]] = NOBODY
    return result


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ONE / (ONE + np.exp(-logits)), np.float32)


def _stretched(alpha: NDArray[np.float32], ends: float) -> NDArray[np.float32]:
    """A new array in which the range ``ends`` to 1 - ``ends`` is stretched to 0..1."""
    stretched = (alpha - np.float32(ends)) * np.float32(1 / (1 - 2 * ends))
    return np.clip(stretched, 0, 1, out=stretched)
