"""The architectures that can be trained for person segmentation, and their training task.

A new architecture is a row of `ARCHS`. One that maps photos to logits needs nothing else; one with
other data, another loss or another interface (recurrent, clips) names the function that makes its
`Task`, with the signature of `still_task`.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from realtime_bg.errors import MissingPackageError, TrainingError, reason
from realtime_bg.frames import Size
from realtime_bg.installing import add_extra
from realtime_bg.networks import IMAGENET_MEAN, IMAGENET_STD
from realtime_bg.system.console import say
from realtime_bg.training import metrics
from realtime_bg.training.batches import Batch
from realtime_bg.training.checkpoints import load_checkpoint
from realtime_bg.training.datasets import Photos, Windows
from realtime_bg.training.export import export
from realtime_bg.training.losses import bce_dice
from realtime_bg.training.task import Task


class Arch(NamedTuple):
    """An architecture. ``network``: "module:name" of its constructor. ``size`` (width, height),
    ``batch`` and ``lr`` are defaults. ``task``: "module:function" that makes its task."""

    network: str
    size: Size
    batch: int
    lr: float
    task: str = "realtime_bg.training.segmentation:still_task"


ARCHS = {
    "unet": Arch("realtime_bg.networks.unet:UNet", (256, 256), 32, 1e-3),
    "fcdensenet103": Arch("realtime_bg.networks.fcdensenet:FCDenseNet103", (224, 224), 8, 1e-3),
    "embedded": Arch(
        "realtime_bg.networks.embedded:Embedded",
        (256, 144),
        16,
        2e-3,
        "realtime_bg.training.embedded:embedded_task",
    ),
    "deeplabv3": Arch("realtime_bg.training.segmentation:deeplabv3", (384, 384), 8, 1e-4),
}


def import_name(spec: str) -> Callable[..., Any]:
    """Import and return what "module:name" refers to."""
    module, _, name = spec.partition(":")
    return getattr(import_module(module), name)


def make_task(
    arch: Arch,
    options: dict[str, Any],
    size: Size,
    seed: int,
    train: Photos,
    val: Photos,
    start: Path | None = None,
    **more: Any,
) -> Task:
    """Return the task of an architecture; ``options`` go to its network's constructor, ``more`` to
    the function that makes the task. ``start``: a ``best.pt`` with the initial weights; raises
    TrainingError if they do not fit."""
    torch.manual_seed(seed)  # for the initial weights
    task: Task = import_name(arch.task)(
        import_name(arch.network)(**options), size, seed, train, val, **more
    )
    if start is not None:
        load_weights(task.model, start)
    return task


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a checkpoint's weights into ``model``; those of a teacher may be missing. Raises
    TrainingError."""
    weights = load_checkpoint(path).get("model")
    if not isinstance(weights, dict):
        raise TrainingError(f"{path}: contains no network")
    try:
        mismatch = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise TrainingError(f"{path}: another network's weights ({reason(error)})") from None
    different = [
        name
        for name in mismatch.missing_keys + mismatch.unexpected_keys
        if not name.startswith("teacher.")
    ]
    if different:
        raise TrainingError(
            f"{path}: another network's weights ({different[0]} and {len(different) - 1} "
            "further names differ)"
        )


def still_task(model: nn.Module, size: Size, seed: int, train: Photos, val: Photos) -> Task:
    """Return the task that maps single photos to person logits: (N, 3, H, W) normalised -> (N, 1,
    H, W)."""

    def export_still(best: nn.Module, path: Path) -> None:
        width, height = size
        rng = torch.Generator().manual_seed(0)
        cases = []
        for sides in ((height, width), (height * 9 // 16 + 1, width - 3)):
            picture = torch.randint(0, 256, (1, 3, *sides), dtype=torch.uint8, generator=rng)
            cases.append({"image": _normalised(picture)})
        network = {
            "layout": "nchw",
            "order": "rgb",
            "mean": list(IMAGENET_MEAN),
            "std": list(IMAGENET_STD),
            "output": "probability",
            "person": 0,
        }
        row = {"engine": "semantic", "licence": "unknown", "card": "none", "network": network}
        worst = export(nn.Sequential(best, nn.Sigmoid()).eval(), cases, "person", row, path)
        say(
            f"wrote {path} and {path.with_suffix('.yaml').name}; ONNX Runtime differs from PyTorch "
            f"by {worst:.1e}"
        )
        say(f"use it: realtime-bg --engine semantic --model {path}")

    return Task(
        model, Windows(train, size, seed), Windows(val, size, None), _loss, _scores, export_still
    )


def _normalised(image: Tensor) -> Tensor:
    """Normalise RGB ``uint8 (N, 3, H, W)`` with ImageNet's statistics."""
    mean, std = (
        torch.tensor(values, device=image.device).view(3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return ((image / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def _loss(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    image, target = batch
    mask, valid = (target[:, n : n + 1] / 255 for n in range(2))
    return bce_dice(model(_normalised(image)), mask, (valid > 0.5).float())


def _scores(model: nn.Module, batch: Batch) -> dict[str, list[float]]:
    return picture_scores(model(_normalised(batch[0])), batch[1])


def picture_scores(logits: Tensor, target: Tensor) -> dict[str, list[float]]:
    """Return IoU and MAD of every image, over the valid part of its mask. ``logits``: (N, 1, H, W);
    ``target``: ``uint8 (N, 2, H, W)``, mask and validity."""
    mask, valid = (target[:, n] / 255 for n in range(2))
    known = (valid > 0.5).float()
    alphas = (logits.float().sigmoid()[:, 0] * known).cpu().numpy()
    truths = (mask * known).cpu().numpy()
    shares = known.mean((1, 2)).clamp(min=1e-6).tolist()
    ious = [metrics.iou(*pair) for pair in zip(alphas, truths, strict=True)]
    mads = [metrics.mad(*pair) / share for *pair, share in zip(alphas, truths, shares, strict=True)]
    return {"iou": ious, "mad": mads}


class _Logits(nn.Module):
    """Returns the map from torchvision's dictionary of outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.network(x)["out"]
        return out


def deeplabv3(pretrained: bool = True) -> nn.Module:
    """Return torchvision's DeepLabV3 (Chen et al. 2017, arXiv 1706.05587) on ResNet-50 with one
    class instead of 21. ``pretrained``: use its weights, which torchvision downloads.

    Raises MissingPackageError without a working torchvision.
    """
    try:
        from torchvision.models.segmentation import deeplabv3_resnet50
    except Exception as error:  # a version that does not match PyTorch raises many types
        raise MissingPackageError(
            f"deeplabv3 needs torchvision, which cannot be used here ({reason(error)}); "
            f"run: {add_extra('train')}"
        ) from None
    if pretrained:
        say("deeplabv3 starts with torchvision's weights (BSD-3-Clause; trained on COCO)")
        network = deeplabv3_resnet50(weights="DEFAULT")
    else:
        network = deeplabv3_resnet50(weights=None, weights_backbone=None)
    network.aux_classifier = None
    last = network.classifier[-1]
    network.classifier[-1] = nn.Conv2d(last.in_channels, 1, 1)
    return _Logits(network)
