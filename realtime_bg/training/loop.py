"""The loop that trains a `Task`: steps, checkpoints, logs, and going on where a run was killed.

A run lives in one folder: ``last.pt`` (everything needed to go on), ``best.pt`` (the network that
scored best, and the settings), ``train.csv`` and ``val.csv``. What chance does depends on the seed
and the step alone, so a run that was killed and resumed is the run that was not.
"""

import copy
import csv
import logging
import math
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, cast

import cv2
import torch
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from realtime_bg.errors import DataError, SettingsError, TrainingError, reason
from realtime_bg.system.console import err, say
from realtime_bg.system.signals import stop_signals
from realtime_bg.training.datasets import Item, Items, Place

log = logging.getLogger(__name__)

Batch: TypeAlias = tuple[Tensor, ...]

CLIP = 1.0  # the gradient's norm is cut to this
WARM_UP = 0.02  # share of the steps in which the learning rate grows from 0
DECAY = 1e-2  # of weights; norms and biases are left alone
# How PyTorch says so: of a GPU, of the computer, and when the system ends a reading process.
TOO_LITTLE = (
    "out of memory",
    "can't allocate memory",
    "is killed by signal: Killed",
    "out of shared memory",
)


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


class Order(Sampler[list[Place]]):
    """Batches of places from step ``start`` to ``total``; every epoch shuffled by seed and epoch.

    What does not fill a batch is left to the next epoch's chance.
    """

    def __init__(self, count: int, batch: int, seed: int, start: int, total: int) -> None:
        self._count, self._batch, self._seed = count, min(batch, count), seed
        self._start, self._total = start, total
        self.per_epoch = count // self._batch

    def __len__(self) -> int:
        return max(0, self._total - self._start)

    def __iter__(self) -> Iterator[list[Place]]:
        step = self._start
        while step < self._total:
            epoch, begin = divmod(step, self.per_epoch)
            chance = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            order = torch.randperm(self._count, generator=chance).tolist()
            for at in range(begin, min(self.per_epoch, begin + self._total - step)):
                yield [(epoch, i, step) for i in order[at * self._batch : (at + 1) * self._batch]]
                step += 1


def collate(items: list[Item], fill: bool) -> tuple[Batch | None, list[str]]:
    """The tensors of the items that could be read (None: of none), and why the others not.

    ``fill``: they are repeated, so that the batch keeps its size.
    """
    bad = [item for item in items if isinstance(item, str)]
    good = [item for item in items if not isinstance(item, str)]
    if good and fill:
        good = (good * len(items))[: len(items)]
    return (tuple(torch.stack(parts) for parts in zip(*good, strict=True)) if good else None), bad


class Log:
    """A CSV file that grows by a row; rows after ``step`` are dropped when a run is resumed."""

    def __init__(self, path: Path, step: int, board: Any = None) -> None:
        self._path, self._board = path, board
        self._names: list[str] = []
        if not step or not path.is_file():
            path.unlink(missing_ok=True)
            return
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            self._names = list(reader.fieldnames or [])
            # a row that was torn by a kill lacks values
            rows = [row for row in reader if None not in row.values() and int(row["step"]) <= step]
        with path.open("w", newline="", encoding="utf-8") as file:
            self._writer(file).writerows([dict(zip(self._names, self._names, strict=True)), *rows])

    def add(self, step: int, row: dict[str, float]) -> None:
        if not self._names:
            self._names = ["step", *row]
            with self._path.open("w", newline="", encoding="utf-8") as file:
                self._writer(file).writeheader()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            self._writer(file).writerow({"step": step} | {k: f"{v:.6g}" for k, v in row.items()})
        for name, value in row.items():
            if self._board is not None:
                self._board.add_scalar(f"{self._path.stem}/{name}", value, step)

    def _writer(self, file: Any) -> "csv.DictWriter[str]":
        return csv.DictWriter(file, self._names, lineterminator="\n")


def fit(task: Task, run: Run) -> nn.Module:
    """Train, then return the best network on the CPU, in evaluation mode.

    Raises TrainingError (a loss that is no number), DataError (nothing can be read),
    SettingsError (a run that cannot be begun or resumed here) and KeyboardInterrupt after a
    request to stop; the run can then be resumed.
    """
    stop, loop = threading.Event(), None
    try:
        loop = _Loop(task, run)
        with stop_signals(stop.set), loop.bar:
            loop.train(stop)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            "batch norm needs more than one picture, or place, in a step; use a larger --batch or "
            "--size, or fewer --levels"
        ) from None
    except RuntimeError as error:
        if not any(sign in str(error) for sign in TOO_LITTLE):
            raise
        raise TrainingError(
            f"too little memory ({reason(error)}); use a smaller --batch, --size or --workers"
        ) from None
    finally:
        if loop is not None and loop.board is not None:
            loop.board.close()
    best = load_checkpoint(run.out / "best.pt")
    task.model.load_state_dict(best["model"])
    return task.model.cpu().eval()


class _Loop:
    def __init__(self, task: Task, run: Run) -> None:
        self.task, self.run = task, run
        self.device = pick_device(run.device)
        self.half = half_type(self.device) if run.amp else None
        self.model = task.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(_groups(self.model, task.rates), lr=run.lr)
        self.kept = self.model  # what is scored and exported
        if task.average:
            self.kept = copy.deepcopy(self.model).requires_grad_(False)
        # Half precision alone has too small a range for gradients; bfloat16 has not.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.half == torch.float16)
        self.step, self.best, self.spent = 0, -math.inf, 0.0
        self.said: set[str] = set()
        self._resume() if run.resume else self._begin()
        order = Order(len(task.train), run.batch, run.seed, 0, 0)
        self.per_epoch = order.per_epoch
        self.total = run.steps or run.epochs * self.per_epoch
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=err, disable=not err.is_terminal)
        self.board = _tensorboard(run.out, self.step)
        self.train_log = Log(run.out / "train.csv", self.step, self.board)
        self.val_log = Log(run.out / "val.csv", self.step, self.board)

    def _begin(self) -> None:
        last = self.run.out / "last.pt"
        if last.exists():
            raise SettingsError(
                f"{self.run.out} holds a run; go on with it by --resume, or choose another --out"
            )
        try:
            self.run.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{self.run.out}: cannot be made ({reason(error)})") from None
        torch.manual_seed(self.run.seed)

    def _resume(self) -> None:
        path = self.run.out / "last.pt"
        if not path.exists():
            raise SettingsError(f"{path}: no such file; begin the run without --resume")
        state = load_checkpoint(path, "; delete it to begin anew")
        for name, value in self.run.settings.items():
            was = state["settings"].get(name)
            if was != value and name not in self.run.free:
                raise SettingsError(
                    f"{path}: the run was begun with {name} {was}, not {value}; "
                    "use the same, or choose another --out"
                )
        try:
            self.model.load_state_dict(state["model"])
            if self.kept is not self.model:
                self.kept.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            if state["scaler"]:  # empty where it was not needed
                self.scaler.load_state_dict(state["scaler"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise TrainingError(f"{path}: does not fit this network ({reason(error)})") from None
        self.step, self.best, self.spent = state["step"], state["best"], state["seconds"]
        torch.set_rng_state(state["chance"])
        if self.device.type == "cuda" and state["cuda_chance"] is not None:
            torch.cuda.set_rng_state(state["cuda_chance"], self.device)

    def train(self, stop: threading.Event) -> None:
        """All steps that are left. ``stop`` saves and raises KeyboardInterrupt."""
        if self.step < self.total or not (self.run.out / "best.pt").exists():
            how = str(self.half or torch.float32).removeprefix("torch.")
            begun = f", going on after step {self.step}" if self.step else ""
            say(
                f"training on {self.device} in {how}: {len(self.task.train)} pictures, "
                f"validation on {len(self.task.val)}, {self.total} steps{begun}"
            )
        started, bar = (
            time.monotonic() - self.spent,
            self.bar.add_task("", total=self.total, completed=self.step, loss=""),
        )
        sums: dict[str, float] = {}
        counted = blind = 0
        self.model.train()
        for batch, bad in self._batches():
            self._say_bad(bad)
            values = self._step(batch) if batch else {}
            self.step += 1
            blind = 0 if batch else blind + 1
            if blind >= min(2 * self.per_epoch, self.total):
                raise DataError("no picture for training can be read any more; see above")
            counted += bool(values)
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value
            self.spent = time.monotonic() - started
            epoch_ends, over = self.step % self.per_epoch == 0, self.step == self.total
            if values:
                self.bar.update(bar, loss=f"loss {values['loss']:.4f}")
            epoch = -(-self.step // self.per_epoch)
            self.bar.update(bar, completed=self.step, description=f"epoch {epoch}")
            if counted and (self.step % self.run.log_every == 0 or epoch_ends or over):
                row = {name: value / counted for name, value in sums.items()}
                rate = self.optimizer.param_groups[0]["lr"]
                about = {"epoch": epoch, "seconds": self.spent, "lr": rate}
                self.train_log.add(self.step, about | row)
                sums, counted = {}, 0
            if epoch_ends or over:
                self._validate(epoch)
            if epoch_ends or over or self.step % self.run.save_every == 0 or stop.is_set():
                self._save()
            if stop.is_set() and not over:
                say(f"stopped after step {self.step} of {self.total}; --resume goes on")
                raise KeyboardInterrupt

    def _batches(self) -> Iterator[tuple[Batch | None, list[str]]]:
        data, run = self.task.train, self.run
        order = Order(len(data), run.batch, run.seed, self.step, self.total)
        return iter(self._loader(data, order, fill=True))

    def _loader(self, data: Items, order: Any, fill: bool) -> DataLoader[Any]:
        return DataLoader(
            cast(Dataset[Any], data),
            batch_sampler=order,
            collate_fn=partial(collate, fill=fill),
            num_workers=self.run.workers,
            worker_init_fn=_quiet_worker,
            pin_memory=self.device.type == "cuda",
            # its own, so that the global one stays where the network's dropout left it
            generator=torch.Generator(),
        )

    def _step(self, batch: Batch) -> dict[str, float]:
        """One step of the optimizer; the loss and its parts."""
        rate = self.run.lr * self.task.schedule(self.step, self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        with torch.autocast(self.device.type, self.half, enabled=self.half is not None):
            losses = self.task.loss(self.model, self._moved(batch))
        values = {name: value.item() for name, value in losses.items()}
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                self._diverged(f"the loss became {values['loss']} at step {self.step + 1}")
            )
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        if not self.scaler.is_enabled() and not norm.isfinite():  # a scaler skips such a step
            raise TrainingError(
                self._diverged(f"the gradient is no number at step {self.step + 1}")
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.kept is not self.model:
            self._average()
        return values

    def _average(self) -> None:
        """Move the averaged weights towards those of now, faster in the first steps."""
        stays = min(self.task.average, (1 + self.step) / (10 + self.step))
        ours, theirs = self.kept.state_dict(), self.model.state_dict()
        with torch.no_grad():
            for name, value in ours.items():
                if value.dtype.is_floating_point:
                    value.lerp_(theirs[name], 1 - stays)
                else:
                    value.copy_(theirs[name])

    def _diverged(self, what: str) -> str:
        saved, again = self.run.out / "last.pt", "try again with"
        if saved.exists():
            again = f"{saved} is from before: go on with --resume and"
        return f"{what}; {again} a lower --lr, or --no-amp"

    def _validate(self, epoch: int) -> None:
        """Score the validation set; keep the network when it is the best so far."""
        self.kept.eval()
        count = len(self.task.val)
        places = [(0, index, 0) for index in range(count)]
        size = min(self.run.batch, count)
        batches = [places[at : at + size] for at in range(0, count, size)]
        scores: dict[str, list[float]] = {}
        with torch.inference_mode():
            for batch, bad in self._loader(self.task.val, batches, fill=False):
                self._say_bad(bad)
                if batch is None:
                    continue
                with torch.autocast(self.device.type, self.half, enabled=self.half is not None):
                    values = self.task.scores(self.kept, self._moved(batch))
                for name, each in values.items():
                    scores.setdefault(name, []).extend(each)
        if not scores:
            raise DataError("not one picture for validation could be read; see above")
        means = {name: float(sum(each) / len(each)) for name, each in scores.items()}
        if not math.isfinite(means[self.task.best]):
            raise TrainingError(
                self._diverged(
                    f"the {self.task.best} became {means[self.task.best]} after step {self.step}"
                )
            )
        better = means[self.task.best] > self.best
        if better or not (self.run.out / "best.pt").exists():
            self.best = means[self.task.best]
            save_checkpoint(
                self.run.out / "best.pt",
                {
                    "settings": self.run.settings,
                    "step": self.step,
                    "scores": means,
                    "model": self.kept.state_dict(),
                },
            )
        self.val_log.add(self.step, {"epoch": epoch, "seconds": self.spent} | means)
        figures = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        say(f"epoch {epoch}, step {self.step}: {figures}{' (best so far)' if better else ''}")
        self.model.train()

    def _save(self) -> None:
        cuda = self.device.type == "cuda"
        save_checkpoint(
            self.run.out / "last.pt",
            {
                "settings": self.run.settings,
                "step": self.step,
                "best": self.best,
                "seconds": self.spent,
                "model": self.model.state_dict(),
                "average": self.kept.state_dict() if self.kept is not self.model else None,
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "chance": torch.get_rng_state(),
                "cuda_chance": torch.cuda.get_rng_state(self.device) if cuda else None,
            },
        )

    def _moved(self, batch: Batch) -> Batch:
        return tuple(tensor.to(self.device, non_blocking=True) for tensor in batch)

    def _say_bad(self, bad: list[str]) -> None:
        """Every file that cannot be read is named once."""
        for text in bad:
            if text not in self.said:
                self.said.add(text)
                log.warning("%s; left out", text)


def _quiet_worker(_: int) -> None:
    """A reading process leaves it to the main one to end both: Ctrl-C reaches them all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)  # these processes are what runs in parallel


def _groups(model: nn.Module, rates: dict[str, float]) -> list[dict[str, Any]]:
    """Parameters by weight decay, or none, and by the factor of their learning rate."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = next((rates[start] for start in rates if name.startswith(start)), 1.0)
            decay = DECAY if parameter.ndim > 1 else 0.0
            groups.setdefault((decay, factor), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "factor": factor}
        for (decay, factor), parameters in groups.items()
    ]


def pick_device(wanted: str) -> torch.device:
    """``auto`` is CUDA where there is one. Raises SettingsError."""
    found = torch.cuda.is_available()
    if wanted.startswith("cuda") and not found:
        raise SettingsError(f"--device {wanted}: PyTorch sees no CUDA here; use --device cpu")
    try:
        return torch.device(("cuda" if found else "cpu") if wanted == "auto" else wanted)
    except RuntimeError as error:
        raise SettingsError(f"--device {wanted}: {reason(error)}") from None


def half_type(device: torch.device) -> torch.dtype | None:
    """The half-precision type that pays on ``device``: bfloat16, float16 on older CUDA devices,
    None on CPUs without bfloat16."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    return torch.bfloat16 if device.type == "cpu" and supported() else None


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """The whole file or the one before. Raises TrainingError."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own word for a full disk is the latter
        partial.unlink(missing_ok=True)
        raise TrainingError(f"{path}: cannot be written ({reason(error)})") from None


def load_checkpoint(path: Path, advice: str = "") -> dict[str, Any]:
    """A file of `save_checkpoint`, on the CPU. Raises TrainingError, whose text ends in
    ``advice``."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(content, dict) and {"settings", "model", "step"} <= content.keys():
            return content
        problem = "not written by this program"
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        problem = reason(error)
    raise TrainingError(f"{path}: not a readable checkpoint ({problem}){advice}")


def _tensorboard(folder: Path, step: int) -> Any:
    """A writer that goes on after ``step``, None where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)
