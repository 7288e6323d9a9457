"""The training task of the inpainting network (Liu et al. 2018, arXiv 1804.07723), and its random
holes."""

import math
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from realtime_bg.errors import DataError
from realtime_bg.frames import Image, Size
from realtime_bg.imaging.geometry import fit
from realtime_bg.networks.partial_conv import PartialConvUNet
from realtime_bg.system.console import say
from realtime_bg.training.batches import Batch
from realtime_bg.training.datasets import Example, Position, as_tensor, split
from realtime_bg.training.export import export
from realtime_bg.training.labelled import Mask, is_clip, pairs, read_image, warn_left_out
from realtime_bg.training.losses import inpaint_loss
from realtime_bg.training.task import Task

HOLE = (0.05, 0.5)  # fraction of the image
ZOOM = 2.0  # largest random zoom
FINETUNE_RATE = 0.25  # the learning rate's factor in the second stage: 5e-5 after 2e-4


def irregular_mask(size: Size, rng: np.random.Generator) -> Mask:
    """Draw random holes, ``uint8 (H, W)``, 255 is known: strokes and blobs until they cover a
    fraction within HOLE."""
    width, height = size
    hole = np.zeros((height, width), np.uint8)
    # Below the upper bound by a margin, because every shape adds many pixels at once.
    wanted = rng.uniform(HOLE[0], HOLE[1] - 0.02)
    while True:
        before = hole.copy()
        (_stroke if rng.random() < 0.7 else _blob)(hole, rng)
        share = np.count_nonzero(hole) / hole.size
        if share > HOLE[1]:
            hole = before
        elif share >= wanted:
            return 255 - hole


def _stroke(hole: Mask, rng: np.random.Generator) -> None:
    """Draw a meandering line, 1/40 to 1/10 of the shorter side wide."""
    side = min(hole.shape)
    at = rng.uniform(0, 1, 2) * hole.shape[::-1]
    heading = rng.uniform(0, 2 * math.pi)
    thickness = max(1, round(side * rng.uniform(0.025, 0.1)))
    points = [at]
    for _ in range(int(rng.integers(3, 12))):
        heading += rng.normal(0, 0.6)
        length = side * rng.uniform(0.03, 0.15)
        at = at + length * np.array([math.cos(heading), math.sin(heading)])
        points.append(at)
    cv2.polylines(hole, [np.asarray(points, np.int32)], False, 255, thickness)


def _blob(hole: Mask, rng: np.random.Generator) -> None:
    """Draw a disc with a wavy outline; its radius is 1/20 to 1/5 of the shorter side."""
    angles = np.linspace(0, 2 * math.pi, 32, endpoint=False)
    radius = np.full(angles.shape, min(hole.shape) * rng.uniform(0.05, 0.2))
    for waves in (2, 3, 5):
        radius *= 1 + rng.uniform(0, 0.25) * np.sin(waves * angles + rng.uniform(0, 7))
    centre = rng.uniform(0, 1, 2) * hole.shape[::-1]
    points = centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    cv2.fillPoly(hole, [np.asarray(points, np.int32)], 255)


class ImagesWithHoles:
    """Images with random holes: RGB ``uint8 (3, H, W)`` and a mask ``uint8 (1, H, W)``, 255 where
    it is known. In validation every image always has the same crop and hole."""

    def __init__(self, paths: list[Path], size: Size, seed: int, vary: bool) -> None:
        self._paths, self._size, self._seed, self._vary = paths, size, seed, vary

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, position: Position) -> Example:
        try:
            image = read_image(self._paths[position[1]])
        except DataError as error:
            return str(error)
        rng = np.random.default_rng((self._seed, *position))
        image = self._window(image, rng if self._vary else None)
        known = irregular_mask(self._size, rng)
        return as_tensor(image[:, :, ::-1]), as_tensor(known[:, :, None])

    def _window(self, image: Image, rng: np.random.Generator | None) -> Image:
        """Return a crop of ``size``: random, or without ``rng`` the largest centre crop."""
        width, height = self._size
        if rng is None:
            return fit(image, self._size, "cover")
        zoom = rng.uniform(1, ZOOM)
        image = fit(image, (round(width * zoom), round(height * zoom)), "cover")
        left = int(rng.integers(image.shape[1] - width + 1))
        top = int(rng.integers(image.shape[0] - height + 1))
        image = image[top : top + height, left : left + width]
        return image[:, ::-1] if rng.random() < 0.5 else image


def open_pictures(root: Path, fraction: float, seed: int) -> tuple[list[Path], list[Path]]:
    """Return the training and the validation images of ``root/images``, or of ``root`` itself.
    Raises DataError."""
    found = pairs(root, masks=False)
    warn_left_out([one.name for one in found if is_clip(one.image)], f"{root}: not images:")
    paths = [one.image for one in found if not is_clip(one.image)]
    train, val = split([path.stem for path in paths], fraction, seed, str(root))
    return [paths[i] for i in train], [paths[i] for i in val]


def inpaint_task(
    model: PartialConvUNet,
    size: Size,
    seed: int,
    finetune: float,
    train: list[Path],
    val: list[Path],
    features: nn.Module | None,
) -> Task:
    """Return the task: filling irregular holes; the best network has the highest PSNR in them.

    In the last ``finetune`` fraction of the steps the encoder's batch norms keep their statistics,
    which the holes distort, and the learning rate is a quarter. ``features``: see `inpaint_loss`.
    """

    def loss(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        truth, known = (tensor / 255 for tensor in batch)
        if features is not None:
            features.to(truth.device)
        return inpaint_loss(network(truth * known, known), truth, known, features)

    def schedule(step: int, total: int) -> float:
        second = step >= round(total * (1 - finetune))
        if second != model.freeze_encoder:
            model.freeze_encoder = second
            model.train()
        return FINETUNE_RATE if second else 1.0

    def export_filler(best: nn.Module, path: Path) -> None:
        rng = np.random.default_rng(0)
        cases = []
        for width, height in (size, (size[0] - 3, size[1] * 9 // 16 + 1)):
            known = torch.from_numpy(irregular_mask((width, height), rng))[None, None] / 255
            picture = torch.from_numpy(rng.random((1, 3, height, width), np.float32))
            cases.append({"image": picture * known, "mask": known})
        row = {
            "engine": "inpaint",
            "licence": "unknown",
            "card": "none",
            "network": {"layout": "nchw", "order": "rgb"},
        }
        worst = export(_Filled(best).eval(), cases, "filled", row, path)
        say(
            f"wrote {path} and {path.with_suffix('.yaml').name}; ONNX Runtime differs from PyTorch "
            f"by {worst:.1e}"
        )
        say(f"use it: REALTIME_BG_BACKGROUND__INPAINT={path} realtime-bg image --erase chair a.jpg")

    return Task(
        model,
        ImagesWithHoles(train, size, seed, vary=True),
        ImagesWithHoles(val, size, seed, vary=False),
        loss,
        _scores,
        export_filler,
        best="psnr",
        schedule=schedule,
    )


def _scores(model: nn.Module, batch: Batch) -> dict[str, list[float]]:
    """Return every image's PSNR in dB and mean absolute difference x 1e3 within the hole."""
    truth, known = (tensor / 255 for tensor in batch)
    out = model(truth * known, known).float().clamp(0, 1)
    hole = (1 - known).expand_as(truth)
    area = hole.sum((1, 2, 3)).clamp(min=1)
    off = hole * (out - truth)
    mse = (off**2).sum((1, 2, 3)) / area
    psnr = -10 * mse.clamp(min=1e-10).log10()
    return {"psnr": psnr.tolist(), "mad": (off.abs().sum((1, 2, 3)) / area * 1e3).tolist()}


class _Filled(nn.Module):
    """The network as engines run it: known pixels are kept, the others are predicted, in 0..1."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        out = self.network(image * mask, mask).clamp(0, 1)
        return image * mask + out * (1 - mask)
