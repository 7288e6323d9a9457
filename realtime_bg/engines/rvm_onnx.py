"""Robust Video Matting in ONNX Runtime: the network on the small frame, its state on the device.

Lin, Yang, Saleemi, Sengupta 2021, arXiv 2108.11515. The file has the released contract: ``src``,
``r1i``..``r4i``, ``downsample_ratio`` in, ``fgr``, ``pha``, ``r1o``..``r4o`` out. The network runs
at ratio 1 on a frame already made small; alpha and foreground are upsampled by `refine.py`, which
costs less than the network's own full-size refiner.
"""

import cv2
import numpy as np
import onnxruntime as ort

from realtime_bg import zoo
from realtime_bg.engines._ort import check_names, open_session, running
from realtime_bg.engines._worksize import work_size
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Image, Matte, Size
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

STATES = ("r1", "r2", "r3", "r4")


class RvmOnnx(Engine):
    """RVM from an ONNX file, or from a checkpoint exported to one on first use."""

    description = "Robust Video Matting in ONNX Runtime (recurrent, hair-fine)"

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self.model = path = zoo.resolve("rvm", settings)
        if path.suffix.lower() != ".onnx":
            path = zoo.export_cached(path)
        self._path = path
        self._session, self.provider = open_session(path, settings.device)
        check_names(
            self._session,
            {"src", "downsample_ratio", *(f"{r}i" for r in STATES)},
            {"fgr", "pha", *(f"{r}o" for r in STATES)},
            "an RVM model",
            path,
        )
        device, _, index = self.provider.lower().partition(":")
        self._device, self._index = device, int(index or 0)
        fine = settings.quality == "fine"
        self.work_size = work_size(settings.work_size, size, device == "cuda", fine)
        width, height = self.work_size
        # Written in place for every frame; ONNX Runtime reads and writes these very arrays.
        self._src = np.empty((1, 3, height, width), np.float32)
        self._fgr = np.empty((1, 3, height, width), np.float32)
        self._pha = np.empty((1, 1, height, width), np.float32)
        self._binding = self._session.io_binding()
        self._binding.bind_cpu_input("downsample_ratio", np.ones(1, np.float32))
        for name, array in (("fgr", self._fgr), ("pha", self._pha)):
            self._binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        self.reset()

    def reset(self) -> None:
        zeros = np.zeros((1, 1, 1, 1), np.float32)
        start = ort.OrtValue.ortvalue_from_numpy(zeros, self._device, self._index)
        self._state = [start] * len(STATES)

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            small = cv2.resize(frame.image, self.work_size, interpolation=cv2.INTER_AREA)
            rgb = small[:, :, ::-1].transpose(2, 0, 1)
            np.multiply(rgb, np.float32(1 / 255), out=self._src[0])
        with self.stats.stage("network"), running(self._path):
            self._run()
            if not np.isfinite(self._pha).all():
                raise EngineError(f"{self._path}: gives NaN or infinity")
        return Matte(frame, self._pha[0, 0].copy(), _bgr(self._fgr[0]), small)

    def _run(self) -> None:
        binding = self._binding
        binding.bind_cpu_input("src", self._src)
        for name, value in zip(STATES, self._state, strict=True):
            binding.bind_ortvalue_input(f"{name}i", value)
            binding.bind_output(f"{name}o", self._device, self._index)
        self._session.run_with_iobinding(binding)
        # Outputs come in the order of their first binding: fgr, pha, then the states.
        self._state = binding.get_outputs()[-len(STATES) :]


def _bgr(rgb: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image:
    """Planes RGB float32 (3, h, w) in 0..1 -> BGR uint8 (h, w, 3)."""
    image: Image = cv2.merge([cv2.convertScaleAbs(plane, alpha=255.0) for plane in rgb[::-1]])
    return image
