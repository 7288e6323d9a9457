"""The model that is shipped with the program: no download needed, real time on one CPU core.

models/README.md describes the model and its accuracy, networks/embedded.py its architecture. The
graph takes ``src`` (1, 3, H, W), RGB in 0..1, and ``last`` (1, 1, H, W), the alpha of the previous
frame (zeros if there is none). It returns ``pha`` (1, 1, H, W).
"""

from typing import Any

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

AREAS = 448 * 256, 640 * 360, 900 * 506  # pixels at which the network runs on a photo
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
        """Test-time augmentation: the network runs on the photo at several sizes, each also
        mirrored, and the logits are averaged. It then runs again on all but the largest size, with
        that result as the previous alpha, and the two results are averaged. The error is 10 % lower
        than with a single run.
        """
        if self.settings.quality != "fine" or self.settings.work_size is not None:
            return super().matte_photo(frame, repeats)
        views, pictures = [], []
        for size in (fitting(frame.size, area) for area in AREAS):
            views.append(np.empty((1, 3, *size[::-1]), np.float32))
            pictures.append(reduced(frame.image, size, views[-1][0]))
        guide = pictures[-2]
        first = self._averaged(views, np.zeros(guide.shape[:2], np.float32))
        known = _stretched(_sigmoid(first), REMEMBERED)
        both = (first + self._averaged(views[:-1], known)) * np.float32(0.5)
        return Matte(frame, _stretched(_sigmoid(both), SURE), guide=guide)

    def _averaged(
        self, views: list[NDArray[np.float32]], before: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The mean logits for a photo at several sizes, each RGB (1, 3, h, w), resized to the size
        of ``before``, which is the previous alpha given to the network."""
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
    """A new array in which the range ``ends`` to 1 - ``ends`` is stretched to 0..1."""
    stretched = (alpha - np.float32(ends)) * np.float32(1 / (1 - 2 * ends))
    return np.clip(stretched, 0, 1, out=stretched)
