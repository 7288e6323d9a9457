"""What a training loop is given: a task, and how it is to be run."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from realtime_bg.training.batches import Batch
from realtime_bg.training.datasets import Items

WARM_UP = 0.02  # share of the steps in which the learning rate grows from 0


def warm_cosine(step: int, total: int) -> float:
    """The learning rate's factor: a short warm-up, then half a cosine down to nothing."""
    warm = max(1, round(WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


@dataclass
class Task:
    """What is trained. A new kind of training is a function that makes one of these.

    ``train`` and ``val`` are asked for ``(epoch, index, step)``, epoch and step 0 in validation,
    and give a tuple of tensors, or a text that says why there is none. ``loss``: a training batch
    on the model's device -> ``loss`` and its named parts. ``scores``: a validation batch -> a list
    with one value per picture for each figure; the largest mean of ``best`` makes a network the
    best.
    ``schedule``: called with (step, all steps) before each step; the learning rate's factor.
    ``rates``: the learning rate's factor of parameters whose names begin so. ``average``: share of
    the averaged weights that stays from step to step (0: none); the average is what is kept.
    ``export``: writes what engines take from the best network, on the CPU, to a path.
    """

    model: nn.Module
    train: Items
    val: Items
    loss: Callable[[nn.Module, Batch], dict[str, Tensor]]
    scores: Callable[[nn.Module, Batch], dict[str, list[float]]]
    export: Callable[[nn.Module, Path], None]
    best: str = "iou"
    schedule: Callable[[int, int], float] = warm_cosine
    rates: dict[str, float] = field(default_factory=dict)
    average: float = 0.0


@dataclass(frozen=True)
class Run:
    """How it is trained. ``settings`` is what the run was begun with, kept in its checkpoints:
    those named in ``free`` may be others when it is resumed."""

    out: Path
    settings: dict[str, Any]
    epochs: int
    steps: int | None
    batch: int
    lr: float
    seed: int
    workers: int = 0
    device: str = "auto"
    amp: bool = True
    save_every: int = 500
    log_every: int = 50
    resume: bool = False
    free: tuple[str, ...] = ("epochs", "steps", "lr")
