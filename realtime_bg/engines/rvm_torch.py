"""Robust Video Matting in PyTorch: half precision on CUDA, a reduced frame on the CPU.

Lin, Yang, Saleemi, Sengupta 2021, arXiv 2108.11515; the network itself is `networks/rvm.py`. On
CUDA the frame is uploaded once as uint8. Everything, including the network's own refiner, runs on
the device in fp16 with channels-last tensors, and unless other settings need the alpha, only the
composite is downloaded (`_rvm_device.py`). On the CPU the network runs on a reduced frame at
downsample ratio 1, and `refine.py` upsamples.
"""

import logging
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from realtime_bg import zoo
from realtime_bg.engines._rvm_device import RvmStep
from realtime_bg.engines.base import Engine
from realtime_bg.errors import ModelError
from realtime_bg.frames import DeviceMatte, Frame, Matte, Size
from realtime_bg.networks.checkpoint import read_tensors
from realtime_bg.networks.rvm import RVM
from realtime_bg.runtimes.input_size import work_size
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

CHECKPOINTS = (".safetensors", ".pth", ".pt")


class RvmTorch(Engine):
    """RVM from a PyTorch or safetensors checkpoint."""

    description = "Robust Video Matting in PyTorch (fp16 on CUDA; takes .pth and .safetensors)"

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        self._device = _device(settings.device)
        cuda = self._device.type == "cuda"
        self.provider = str(self._device).upper()
        self.work_size = work_size(settings.work_size, size, cuda, settings.quality == "fine")
        kind = torch.float16 if cuda else torch.float32
        self.model = zoo.resolve("rvm", settings, CHECKPOINTS)
        self._network = load_rvm(self.model).eval().to(self._device, kind)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        ratio = self.work_size[0] / size[0]
        self._step = RvmStep(self._network, size, ratio, self._device, kind) if cuda else None
        self.reset()

    def reset(self) -> None:
        self._state: list[Tensor | None] = [None] * 4
        if self._step is not None:
            self._step.reset()

    @torch.inference_mode()
    def matte(self, frame: Frame) -> Matte | DeviceMatte:
        if self._step is not None:
            with self.stats.stage("network"):
                return self._step(frame)
        with self.stats.stage("resize"):
            small = cv2.resize(frame.image, self.work_size, interpolation=cv2.INTER_AREA)
        with self.stats.stage("network"):
            src = torch.from_numpy(small).flip(2).permute(2, 0, 1)[None].float() / 255
            src = src.contiguous(memory_format=torch.channels_last)
            fgr, pha, *self._state = self._network(src, *self._state)
            colour = fgr[0].flip(0).permute(1, 2, 0).mul(255).round().to(torch.uint8)
            alpha = pha[0, 0].contiguous().numpy()
            foreground = np.ascontiguousarray(colour.numpy())
        return Matte(frame, alpha, foreground, small)


def load_rvm(path: Path) -> RVM:
    """The network for a checkpoint; the names of its tensors determine the backbone and the
    refiner.

    Raises ModelError if the tensors are not those of RVM.
    """
    tensors = {name: torch.from_numpy(value) for name, value in read_tensors(path).items()}
    network = RVM(
        "resnet50" if "backbone.conv1.weight" in tensors else "mobilenetv3",
        "deep_guided_filter" if "refiner.box_filter.weight" in tensors else "fast_guided_filter",
    )
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).split("\n")[1].strip()
        raise ModelError(f"{path}: not an RVM checkpoint ({first[:160]})") from None
    return network


def _device(wanted: str) -> torch.device:
    """``auto`` means CUDA if PyTorch can use it. If CUDA was requested and is not available, a
    message says so once."""
    if wanted == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda:0" if wanted in ("auto", "cuda") else wanted)
    if torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count():
        return device
    if wanted != "auto":
        reason = "no such GPU" if torch.cuda.is_available() else "PyTorch finds no usable GPU"
        log.warning("CUDA is not used: %s; running on the CPU", reason)
    return torch.device("cpu")
