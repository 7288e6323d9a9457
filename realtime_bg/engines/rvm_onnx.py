"""Robust Video Matting in ONNX Runtime: the network runs on a reduced frame, its recurrent state
stays on the device.

Lin, Yang, Saleemi, Sengupta 2021, arXiv 2108.11515. The graph has the inputs and outputs of the
released files: ``src``, ``r1i``..``r4i``, ``downsample_ratio`` in, ``fgr``, ``pha``,
``r1o``..``r4o`` out. The frame is resized first, so the network runs at downsample ratio 1;
`refine.py` upsamples alpha and foreground, which costs less than the network's own full-size
refiner. On the CPU the network looks only at the part of the picture with the people in it, see
`_window.py`.
"""

from typing import ClassVar

import cv2
import numpy as np

from realtime_bg import zoo
from realtime_bg.engines._rvm_export import export_cached, rebuilt_cached
from realtime_bg.engines._rvm_steps import STATES, STRIDES, OnnxSteps, OpenVinoSteps, Steps
from realtime_bg.engines._windowed import WindowedEngine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.runtimes.input_size import work_size
from realtime_bg.runtimes.onnx import check_names, open_session, running
from realtime_bg.runtimes.openvino import PROVIDER, compiled
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

RATIO = {"downsample_ratio": 1.0}  # the frame is already reduced


class RvmOnnx(WindowedEngine[Steps]):
    """RVM from an ONNX file, or from a checkpoint, from which one is made on first use."""

    description = "Robust Video Matting in ONNX Runtime (recurrent, hair-fine)"
    strides: ClassVar = STRIDES

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = path = zoo.resolve("rvm", settings)
        path = rebuilt_cached(path) if path.suffix.lower() == ".onnx" else export_cached(path)
        self._path = path
        session, self.provider = open_session(path, settings.device, settings.threads)
        check_names(
            session,
            {"src", "downsample_ratio", *(f"{r}i" for r in STATES)},
            {"fgr", "pha", *(f"{r}o" for r in STATES)},
            "an RVM model",
            path,
        )
        fine = settings.quality == "fine"
        self.work_size = work_size(settings.work_size, size, not self.on_cpu, fine)
        self._session, self._device = session, self.provider
        self._start(self.on_cpu and settings.window)

    def _open(self, shape: Size) -> Steps:
        steps = OnnxSteps(self._session, self._device, shape)
        with running(self._path):
            network = compiled(self._path, self.settings, self._device, steps.shapes, RATIO)
        if network is None:
            return steps
        self.provider = PROVIDER
        return OpenVinoSteps(network)

    def _answer(self, network: Steps, guide: Image | None) -> tuple[Alpha, Image]:
        """Raises EngineError."""
        with self.stats.stage("network"), running(self._path):
            fgr, pha = network.step()
            if not np.isfinite(pha).all():
                raise EngineError(f"{self._path}: gives NaN or infinity")
        return pha[0, 0].copy(), _bgr(fgr[0])


def _bgr(rgb: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image:
    """Convert RGB planes, float32 (3, h, w) in 0..1, to BGR uint8 (h, w, 3)."""
    image: Image = cv2.merge([cv2.convertScaleAbs(plane, alpha=255.0) for plane in rgb[::-1]])
    return image
