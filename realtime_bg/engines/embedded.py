"""The model that comes with the program: no download, no network, real time on one CPU core.

What it is and how good it is stands in docs/model-card.md; its network in networks/embedded.py.
The file takes ``src`` (1, 3, H, W), RGB in 0..1, and ``last`` (1, 1, H, W), the alpha of the frame
before (zeros: none), and gives ``pha`` (1, 1, H, W).
"""

import cv2
import numpy as np

from realtime_bg import zoo
from realtime_bg.engines._ort import check_names, open_session
from realtime_bg.engines._worksize import work_size
from realtime_bg.engines.base import Engine
from realtime_bg.frames import Frame, Matte, Size
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats


class Embedded(Engine):
    """Our own small network; the last alpha is its memory."""

    description = "our own small network, built in: needs no download, fast on any CPU"

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = zoo.resolve("embedded", settings, (".onnx",))
        self._session, self.provider = open_session(self.model, settings.device)
        check_names(self._session, {"src", "last"}, {"pha"}, "an embedded model", self.model)
        fine = settings.quality == "fine"
        self.work_size = work_size(settings.work_size, size, self.provider != "CPU", fine)
        width, height = self.work_size
        self._src = np.empty((1, 3, height, width), np.float32)
        self.reset()

    def reset(self) -> None:
        self._last = np.zeros((1, 1, *self.work_size[::-1]), np.float32)

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            small = cv2.resize(frame.image, self.work_size, interpolation=cv2.INTER_AREA)
            rgb = small[:, :, ::-1].transpose(2, 0, 1)
            np.multiply(rgb, np.float32(1 / 255), out=self._src[0])
        with self.stats.stage("network"):
            feed = {"src": self._src, "last": self._last}
            (self._last,) = self._session.run(["pha"], feed)
        return Matte(frame, self._last[0, 0], guide=small)
