"""The model that is shipped with the program: no download needed, real time on one CPU core.

models/README.md describes the model and its accuracy, networks/embedded.py its architecture. The
graph takes ``src`` (1, 3, H, W), RGB in 0..1, and ``last`` (1, 1, H, W), the alpha of the previous
frame (zeros if there is none). It returns ``pha`` (1, 1, H, W).
"""

from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg import zoo
from realtime_bg.engines._window import Array
from realtime_bg.engines._windowed import WindowedEngine
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size
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
SURELY, PROBABLY, POSSIBLY = 0.8, 0.5, 0.12
INNER = np.ones((9, 9), np.uint8)  # around a pixel of the result that lies inside a person
# In a stream, the small size is asked again after so many frames, or in the next one if more than
# this fraction of the alpha, by more than so much, was not as the large size had it
AGAIN, DIFFERENT, BY = 5, 0.002, 0.2
# The network's sigmoid never reaches 0 or 1, so values this close are stretched to them: 10 % less
# error (MAD) on photos, and nothing to blend where nobody is.
SURE = 0.05
# The same for the alpha that is fed back, where a faint false response would otherwise grow to
# certainty within a second: 25 % less error on the demo, and less flicker.
REMEMBERED = 0.3
# a smaller weight than the latter counts as zero in an average
ONE, LEAST = np.float32(1), np.float32(1e-4)


class _View:
    """The network at one size of its input, with the previous alpha, its only history."""

    def __init__(
        self, model: Path, session: Any, provider: str, settings: EngineSettings, size: Size
    ) -> None:
        self.size = width, height = size
        self.src = np.empty((1, 3, height, width), np.float32)
        shapes = {"src": (1, 3, height, width), "last": (1, 1, height, width)}
        network = compiled(model, settings, provider, lambda: shapes)
        self.provider = provider if network is None else PROVIDER
        self._network: Any = session if network is None else network
        self.reset()

    def reset(self) -> None:
        self._last = np.zeros((1, 1, *self.src.shape[2:]), np.float32)

    def state(self) -> list[Array]:
        return [self._last]

    def start_from(self, state: list[Array]) -> None:
        (self._last,) = state

    def remember(self, alpha: Alpha) -> None:
        """The alpha ``float32 (h, w)`` that was shown, for the next frame."""
        self._last = _stretched(alpha, REMEMBERED)[None, None]

    def alpha(self) -> Alpha:
        """The network's answer to ``src``, ``float32 (h, w)``."""
        (alpha,) = self._network.run(["pha"], {"src": self.src, "last": self._last})
        return np.asarray(alpha[0, 0], np.float32)


class Embedded(WindowedEngine[_View]):
    """Runs the built-in network; the previous alpha is its only history.

    Where the work size is large, the network looks at the whole picture, and the small size says
    who is there (see `joined`), which costs a third of a frame's time at 448x256, on one frame of
    five while both agree. Otherwise it looks at the people, see `_window.py`.
    """

    description = "the built-in network: needs no download, fast on any CPU"
    least_scale = 0.75  # at 144x80 its error is four times as high
    strides: ClassVar = (1,)

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = zoo.resolve("embedded", settings, (".onnx",))
        self._session, self._device = open_session(self.model, settings.device, settings.threads)
        check_names(self._session, {"src", "last"}, {"pha"}, "an embedded model", self.model)
        fine = settings.quality == "fine"
        self.work_size = work_size(settings.work_size, size, self._device != "CPU", fine)
        large = self.work_size[0] * self.work_size[1] > 1.5 * SMALL
        self._small = self._open(fitting(size, SMALL)) if large else None
        narrows = self._device == "CPU" and settings.window and not large
        self._start(narrows)
        self.provider = self._network.provider
        self.reset()

    def _open(self, shape: Size) -> _View:
        assert self.model is not None
        return _View(self.model, self._session, self._device, self.settings, shape)

    def reset(self) -> None:
        super().reset()
        self._rest, self._differ = 0, False
        if self._small is not None:
            self._small.reset()

    def _answer(self, network: _View, guide: Image | None) -> tuple[Alpha, None]:
        with self.stats.stage("network"):
            alpha = network.alpha()
            if self._small is not None and guide is not None:
                alpha = self._checked(self._small, alpha, guide)
            network.remember(alpha)
        return _stretched(alpha, SURE), None

    def _checked(self, view: _View, alpha: Alpha, guide: Image) -> Alpha:
        """The alpha of the large size, joined with that of the small one if it is asked."""
        self._rest -= 1
        if self._rest > 0:
            return alpha
        reduced(guide, view.size, view.src[0])
        small = view.alpha()
        view.remember(small)
        both = joined(resize(small, self.work_size), alpha)
        changed = float(np.mean(cv2.absdiff(both, alpha) > BY))
        # The alpha must not jump between frames with and without the small size's answer.
        self._differ = changed > (DIFFERENT / 2 if self._differ else DIFFERENT)
        self._rest = 0 if self._differ else AGAIN
        return both if self._differ else alpha

    def matte_photo(self, frame: Frame, repeats: int) -> Matte:
        """Run the network on the photo at two sizes, each also mirrored, and join the results (see
        `joined`); then again at the large size with that as the previous alpha. At a fifth of the
        computing time the error is lower than that of a mean over three larger sizes, because a
        close person does not fit into what the network sees at once at a large size.
        """
        if self.settings.quality != "fine" or self.settings.work_size is not None:
            return super().matte_photo(frame, repeats)
        width, height = fitting(frame.size, RESULT)
        guide = reduced(frame.image, (width, height))
        views = []
        for size in (fitting(frame.size, area) for area in (SMALL, LARGE)):
            views.append(np.empty((1, 3, *size[::-1]), np.float32))
            reduced(frame.image, size, views[-1][0])
        unknown = np.zeros((height, width), np.float32)
        small, large = (self._logits(src, unknown) for src in views)
        small = _sigmoid(small)
        known = _stretched(joined(small, _sigmoid(large)), REMEMBERED)
        large = (large + self._logits(views[1], known)) * np.float32(0.5)
        return Matte(frame, _stretched(joined(small, _sigmoid(large)), SURE), guide=guide)

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


def joined(small: Alpha, large: Alpha) -> Alpha:
    """Alphas ``float32 (h, w)`` of two input sizes as one: that of the ``large`` one, but inside
    the people whom the ``small`` one is sure of no holes, and no parts that touch none of its
    people."""
    inside = cv2.erode((small > SURELY).astype(np.uint8), INNER) > 0
    result = np.where(inside, np.maximum(small, large), large)
    count, parts = cv2.connectedComponents((result > POSSIBLY).astype(np.uint8))
    known = np.zeros(count, bool)
    known[parts[small > PROBABLY]] = True
    known[0] = True  # what is nobody stays as it is
    if known[1:].any():
        result[~known[parts]] = 0
    return result


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(ONE / (ONE + np.exp(-logits)), np.float32)


def _stretched(alpha: NDArray[np.float32], ends: float) -> NDArray[np.float32]:
    """A new array in which the range ``ends`` to 1 - ``ends`` is stretched to 0..1."""
    stretched = (alpha - np.float32(ends)) * np.float32(1 / (1 - 2 * ends))
    return np.clip(stretched, 0, 1, out=stretched)
