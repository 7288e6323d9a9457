"""Robust Video Matting in ONNX Runtime: the network runs on a reduced frame, its recurrent state
stays on the device.

Lin, Yang, Saleemi, Sengupta 2021, arXiv 2108.11515. The graph has the inputs and outputs of the
released files: ``src``, ``r1i``..``r4i``, ``downsample_ratio`` in, ``fgr``, ``pha``,
``r1o``..``r4o`` out. The frame is resized first, so the network runs at downsample ratio 1;
`refine.py` upsamples alpha and foreground, which costs less than the network's own full-size
refiner. On the CPU the network looks only at the part of the picture with the people in it, see
`_window.py`.
"""

import cv2
import numpy as np

from realtime_bg import zoo
from realtime_bg.engines._rvm_export import export_cached, rebuilt_cached
from realtime_bg.engines._rvm_steps import STATES, STRIDES, Array, OnnxSteps, OpenVinoSteps, Steps
from realtime_bg.engines._window import Window, Windows, moved_state, pasted
from realtime_bg.engines.base import Engine
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, Image, Matte, Size
from realtime_bg.imaging.reduction import reduced
from realtime_bg.runtimes.input_size import work_size
from realtime_bg.runtimes.onnx import check_names, open_session, running
from realtime_bg.runtimes.openvino import PROVIDER, compiled
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

RATIO = {"downsample_ratio": 1.0}  # the frame is already reduced


class RvmOnnx(Engine):
    """RVM from an ONNX file, or from a checkpoint, from which one is made on first use."""

    description = "Robust Video Matting in ONNX Runtime (recurrent, hair-fine)"

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
        on_cpu = self.provider == "CPU"
        self.work_size = work_size(settings.work_size, size, not on_cpu, fine)
        self._session, self._device = session, self.provider
        self._opened: dict[Size, Steps] = {}
        self._steps = self._open(self.work_size)
        self._windows = Windows(self.work_size, size)
        self._narrows = on_cpu and settings.window
        self._seen = self._windows.whole  # by the last step
        width, height = self._windows.map
        self._planes = np.empty((3, height, width), np.float32)

    def _open(self, shape: Size) -> Steps:
        """The network for inputs of this (width, height), opened once."""
        steps = self._opened.get(shape)
        if steps is None:
            steps = plain = OnnxSteps(self._session, self._device, shape)
            with running(self._path):
                network = compiled(self._path, self.settings, self._device, plain.shapes, RATIO)
            if network is not None:
                steps, self.provider = OpenVinoSteps(network), PROVIDER
            self._opened[shape] = steps
        return steps

    def reset(self) -> None:
        self._windows.reset()
        self._seen = self._windows.whole
        self._steps = self._open(self.work_size)
        self._steps.reset()

    def matte(self, frame: Frame) -> Matte:
        windows = self._windows
        if windows.now != windows.whole:
            with self.stats.stage("resize"):
                guide = reduced(frame.image, windows.map, self._planes)
            if not windows.restless(guide):
                return self._narrow(frame, guide)
            seen, state = self._seen, [one.copy() for one in self._steps.state()]
            matte = self._wide(frame)
            if windows.meets(matte.alpha):
                return matte
            self._steps, self._seen = self._open(seen.shape), seen
            self._steps.start_from(state)
            return self._narrow(frame, guide)
        matte = self._wide(frame)
        if self._narrows:
            assert matte.guide is not None
            windows.restless(matte.guide)
            windows.follow(matte.alpha)
        return matte

    def _wide(self, frame: Frame) -> Matte:
        """The matte of the whole picture."""
        with self.stats.stage("resize"):
            self._turn_to(self._windows.whole)
            guide = reduced(frame.image, self.work_size, self._steps.src[0])
        fgr, pha = self._step()
        return Matte(frame, pha[0, 0].copy(), _bgr(fgr[0]), guide)

    def _narrow(self, frame: Frame, guide: Image) -> Matte:
        """The matte of what the window shows; nobody is outside of it. ``guide``: the map."""
        window = self._windows.now
        with self.stats.stage("resize"):
            self._turn_to(window)
            left, top, right, bottom = window.box
            for plane, target in zip(self._planes, self._steps.src[0], strict=True):
                part = plane[top:bottom, left:right]
                cv2.resize(part, window.shape, dst=target, interpolation=cv2.INTER_AREA)
        fgr, pha = self._step()
        alpha = pasted(pha[0, 0], window, np.zeros(guide.shape[:2], np.float32))
        self._windows.follow(alpha)
        return Matte(frame, alpha, pasted(_bgr(fgr[0]), window, guide.copy()), guide)

    def _step(self) -> tuple[Array, Array]:
        """Run the network. Raises EngineError."""
        with self.stats.stage("network"), running(self._path):
            fgr, pha = self._steps.step()
            if not np.isfinite(pha).all():
                raise EngineError(f"{self._path}: gives NaN or infinity")
        return fgr, pha

    def _turn_to(self, window: Window) -> None:
        """Continue with what a window shows."""
        if window != self._seen:
            state = [
                moved_state(one, stride, self._seen, window)
                for one, stride in zip(self._steps.state(), STRIDES, strict=True)
            ]
            self._steps, self._seen = self._open(window.shape), window
            self._steps.start_from(state)


def _bgr(rgb: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image:
    """Convert RGB planes, float32 (3, h, w) in 0..1, to BGR uint8 (h, w, 3)."""
    image: Image = cv2.merge([cv2.convertScaleAbs(plane, alpha=255.0) for plane in rgb[::-1]])
    return image
