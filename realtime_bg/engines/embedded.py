"""The model that comes with the program: no download, no network, real time on one CPU core.

What it is and how good it is stands in models/README.md; its network in networks/embedded.py.
The file takes ``src`` (1, 3, H, W), RGB in 0..1, and ``last`` (1, 1, H, W), the alpha of the frame
before (zeros: none), and gives ``pha`` (1, 1, H, W).
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg import zoo
from realtime_bg.engines.base import Engine
from realtime_bg.frames import Frame, Image, Matte, Size
from realtime_bg.imaging.geometry import resize
from realtime_bg.runtimes.input_size import fitting, work_size
from realtime_bg.runtimes.onnx import check_names, open_session
from realtime_bg.runtimes.openvino import PROVIDER, compiled
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

AREAS = 448 * 256, 640 * 360, 900 * 506  # in which a photo is seen
# Answers this near to 0 and 1 are meant to be 0 and 1, which the network's sigmoid never reaches:
# a tenth less error (MAD) on photos, and nothing to blend where nobody is.
SURE = 0.05
# The same for what it remembers: fed back, a faint suspicion grows into certainty in a second. On
# the demo a quarter less error, with less flicker.
REMEMBERED = 0.3
ONE, LEAST = np.float32(1), np.float32(1e-4)  # the latter counts as none in an average


class Embedded(Engine):
    """Our own small network; the last alpha is its memory."""

    description = "our own small network, built in: needs no download, fast on any CPU"
    least_scale = 0.75  # at 144x80 its error is four times as large

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = zoo.resolve("embedded", settings, (".onnx",))
        self._session, self.provider = open_session(self.model, settings.device)
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
            small = _resized(frame.image, self.work_size, self._src)
        with self.stats.stage("network"):
            feed = {"src": self._src, "last": self._last}
            (alpha,) = self._network.run(["pha"], feed)
            self._last = _stretched(alpha, REMEMBERED)
        return Matte(frame, _stretched(alpha[0, 0], SURE), guide=small)

    def matte_photo(self, frame: Frame, repeats: int) -> Matte:
        """Without haste a photo is seen in several sizes, each also mirrored, and what the network
        says of them is averaged, as logits; then all but the largest once more, with that as the
        alpha of the frame before, and the mean of both counts: a tenth fewer mistakes than in one.
        """
        if self.settings.quality != "fine" or self.settings.work_size is not None:
            return super().matte_photo(frame, repeats)
        views, pictures = [], []
        for size in (fitting(frame.size, area) for area in AREAS):
            views.append(np.empty((1, 3, *size[::-1]), np.float32))
            pictures.append(_resized(frame.image, size, views[-1]))
        guide = pictures[-2]
        first = self._averaged(views, np.zeros(guide.shape[:2], np.float32))
        known = _stretched(_sigmoid(first), REMEMBERED)
        both = (first + self._averaged(views[:-1], known)) * np.float32(0.5)
        return Matte(frame, _stretched(_sigmoid(both), SURE), guide=guide)

    def _averaged(
        self, views: list[NDArray[np.float32]], before: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The mean logits of a photo in several sizes, RGB (1, 3, h, w) each, at the size of
        ``before``, which is the alpha it is seen with."""
        height, width = before.shape
        logits = np.zeros_like(before)
        for src in views:
            last = resize(before, (src.shape[3], src.shape[2]))[None, None]
            for flip in (slice(None), slice(None, None, -1)):
                feed = {"src": src[..., flip], "last": last[..., flip]}
                feed = {name: np.ascontiguousarray(value) for name, value in feed.items()}
                alpha = self._session.run(["pha"], feed)[0][0, 0, :, flip]
                alpha = resize(np.ascontiguousarray(alpha), (width, height))
                alpha = alpha.clip(LEAST, 1 - LEAST)
                logits += np.log(alpha / (1 - alpha))
        return logits / np.float32(2 * len(views))


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ONE / (ONE + np.exp(-logits)), np.float32)


def _stretched(alpha: NDArray[np.float32], ends: float) -> NDArray[np.float32]:
    """A new array in which ``ends`` and 1 - ``ends`` have become 0 and 1."""
    stretched = (alpha - np.float32(ends)) * np.float32(1 / (1 - 2 * ends))
    return np.clip(stretched, 0, 1, out=stretched)


def _resized(image: Image, size: Size, src: NDArray[np.float32]) -> Image:
    """The picture at ``size``, also as the network's input."""
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    np.multiply(small[:, :, ::-1].transpose(2, 0, 1), np.float32(1 / 255), out=src[0])
    return small
