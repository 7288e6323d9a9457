"""The inputs of the training loop: the task, and how to run it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from realtime_bg.training.batches import Batch
from realtime_bg.training.datasets import Examples

WARM_UP = 0.02  # fraction of the steps in which the learning rate rises from 0


def warm_cosine(step: int, total: int) -> float:
    """Return the learning rate's factor: a short linear warm-up, then half a cosine down to 0."""
    warm = max(1, round(WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


@dataclass
class Task:
    """What is trained. A new kind of training is a function that returns a `Task`.

    ``train`` and ``val`` are indexed by ``(epoch, index, step)``, epoch and step 0 in validation,
    and return a tuple of tensors, or a text that says why there is none. ``loss``: a training batch
    on the model's device -> ``loss`` and its named parts. ``scores``: a validation batch -> for
    each score a list with one value per image. ``export``: writes the best network, on the CPU, to
    a path in the engines' format. ``best``: the score whose highest mean selects the best network.
    ``schedule``: (step, total steps) -> the learning rate's factor, called before each step.
    ``rates``: the learning rate's factor for parameters whose names start with the key.
    ``average``: decay of the moving average of the weights (0: no average); the average is
    validated and exported.
    """

    model: nn.Module
    train: Examples
    val: Examples
    loss: Callable[[nn.Module, Batch], dict[str, Tensor]]
    scores: Callable[[nn.Module, Batch], dict[str, list[float]]]
    export: Callable[[nn.Module, Path], None]
    best: str = "iou"
    schedule: Callable[[int, int], float] = warm_cosine
    rates: dict[str, float] = field(default_factory=dict)
    average: float = 0.0


@dataclass(frozen=True)
class Run:
    """How it is trained. ``settings`` are stored in the checkpoints; only those named in ``free``
    may change when the run is resumed."""

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
