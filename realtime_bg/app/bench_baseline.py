"""The baseline of `bench`: RVM in PyTorch in the usual way, frame by frame."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from realtime_bg.engines.rvm_torch import load_rvm
from realtime_bg.frames import Image


class BaselineLoop:
    """In single precision, each picture is converted on the CPU, uploaded, matted at full size with
    the network's refiner, blended and downloaded. ``ratio``: the downsample ratio."""

    def __init__(self, model: Path, ratio: float, device: str) -> None:
        self._device, self._ratio = torch.device(device), ratio
        self._network = load_rvm(model).eval().to(self._device)
        self._state: list[Tensor | None] = [None] * 4

    @torch.inference_mode()
    def __call__(self, image: Image, background: Image) -> Image:
        """The composite, BGR ``uint8 (H, W, 3)`` like both arguments."""
        src, behind = (self._tensor(picture) for picture in (image, background))
        fgr, pha, *self._state = self._network(src, *self._state, downsample_ratio=self._ratio)
        com = fgr * pha + behind * (1 - pha)
        rgb = com[0].mul(255).byte().cpu().permute(1, 2, 0).numpy()
        return np.ascontiguousarray(rgb[:, :, ::-1])

    def _tensor(self, picture: Image) -> Tensor:
        rgb = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1))
        return torch.from_numpy(rgb).to(self._device).float().div(255).unsqueeze(0)
