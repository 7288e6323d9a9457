"""The training loop for a `Task`: steps, validation, checkpoints, logs and resuming.

A run has one folder: ``last.pt`` (everything needed to resume), ``best.pt`` (the network with the
best score, and the settings), ``train.csv`` and ``val.csv``. Randomness depends on the seed and the
step alone, so a run that is interrupted and resumed gives the same result.
"""

import copy
import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

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
from torch import nn
from torch.utils.data import DataLoader, Dataset

from realtime_bg.errors import DataError, SettingsError, TrainingError, reason
from realtime_bg.system.console import err, say
from realtime_bg.system.signals import stop_signals
from realtime_bg.training.batches import Batch, Order, collate
from realtime_bg.training.checkpoints import load_checkpoint, save_checkpoint
from realtime_bg.training.datasets import Examples
from realtime_bg.training.devices import half_type, pick_device
from realtime_bg.training.log import Log, _tensorboard
from realtime_bg.training.task import Run, Task

log = logging.getLogger(__name__)


CLIP = 1.0  # the gradient's norm is clipped to this
DECAY = 1e-2  # weight decay; not for norms and biases
# PyTorch's messages for GPU memory, main memory, and a worker killed by the system.
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "is killed by signal: Killed",
    "out of shared memory",
)


def fit(task: Task, run: Run) -> nn.Module:
    """Train and return the best network on the CPU, in evaluation mode.

    Raises TrainingError (the loss is not finite), DataError (nothing can be read), SettingsError
    (the run cannot be started or resumed here) and KeyboardInterrupt after a request to stop; the
    run can then be resumed.
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
            "batch norm needs more than one value per channel; use a larger --batch or "
            "--size, or fewer --levels"
        ) from None
    except RuntimeError as error:
        if not any(sign in str(error) for sign in OUT_OF_MEMORY):
            raise
        raise TrainingError(
            f"out of memory ({reason(error)}); use a smaller --batch, --size or --workers"
        ) from None
    finally:
        if loop is not None and loop.board is not None:
            loop.board.close()
    best = load_checkpoint(run.out / "best.pt")
    task.model.load_state_dict(best["model"])
    return task.model.cpu().eval()


class _Loop:
    """One training run. The class is long because all of it shares one state: what a checkpoint
    holds and what a resumed run must restore."""

    def __init__(self, task: Task, run: Run) -> None:
        self.task, self.run = task, run
        self.device = pick_device(run.device)
        self.half = half_type(self.device) if run.amp else None
        self.model = task.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(_groups(self.model, task.rates), lr=run.lr)
        self.evaluated = self.model  # the network that is validated and exported
        if task.average:
            self.evaluated = copy.deepcopy(self.model).requires_grad_(False)
        # The range of float16 is too small for gradients without scaling; that of bfloat16 is not.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.half == torch.float16)
        self.step, self.best, self.spent = 0, -math.inf, 0.0
        self.warned: set[str] = set()
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
                f"{self.run.out} contains a run; continue it with --resume, or choose another --out"
            )
        try:
            self.run.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{self.run.out}: cannot be created ({reason(error)})") from None
        torch.manual_seed(self.run.seed)

    def _resume(self) -> None:
        path = self.run.out / "last.pt"
        if not path.exists():
            raise SettingsError(f"{path}: no such file; start the run without --resume")
        state = load_checkpoint(path, "; delete it to start again")
        for name, value in self.run.settings.items():
            was = state["settings"].get(name)
            if was != value and name not in self.run.free:
                raise SettingsError(
                    f"{path}: the run was started with {name} {was}, not {value}; "
                    "use the same value, or choose another --out"
                )
        try:
            self.model.load_state_dict(state["model"])
            if self.evaluated is not self.model:
                self.evaluated.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            if state["scaler"]:  # empty if it was not used
                self.scaler.load_state_dict(state["scaler"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise TrainingError(f"{path}: does not fit this network ({reason(error)})") from None
        self.step, self.best, self.spent = state["step"], state["best"], state["seconds"]
        torch.set_rng_state(state["chance"])
        if self.device.type == "cuda" and state["cuda_chance"] is not None:
            torch.cuda.set_rng_state(state["cuda_chance"], self.device)

    def train(self, stop: threading.Event) -> None:
        """Run the remaining steps. ``stop`` saves a checkpoint and raises KeyboardInterrupt."""
        if self.step < self.total or not (self.run.out / "best.pt").exists():
            how = str(self.half or torch.float32).removeprefix("torch.")
            begun = f", continuing after step {self.step}" if self.step else ""
            say(
                f"training on {self.device} in {how}: {len(self.task.train)} pictures, "
                f"validation on {len(self.task.val)}, {self.total} steps{begun}"
            )
        started, bar = (
            time.monotonic() - self.spent,
            self.bar.add_task("", total=self.total, completed=self.step, loss=""),
        )
        sums: dict[str, float] = {}
        counted = unreadable = 0
        self.model.train()
        for batch, problems in self._batches():
            self._warn_unreadable(problems)
            values = self._step(batch) if batch else {}
            self.step += 1
            unreadable = 0 if batch else unreadable + 1
            if unreadable >= min(2 * self.per_epoch, self.total):
                raise DataError("no training images can be read any more; see above")
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
                say(f"stopped after step {self.step} of {self.total}; continue with --resume")
                raise KeyboardInterrupt

    def _batches(self) -> Iterator[tuple[Batch | None, list[str]]]:
        data, run = self.task.train, self.run
        order = Order(len(data), run.batch, run.seed, self.step, self.total)
        return iter(self._loader(data, order, fill=True))

    def _loader(self, data: Examples, order: Any, fill: bool) -> DataLoader[Any]:
        return DataLoader(
            cast(Dataset[Any], data),
            batch_sampler=order,
            collate_fn=partial(collate, fill=fill),
            num_workers=self.run.workers,
            worker_init_fn=_quiet_worker,
            pin_memory=self.device.type == "cuda",
            # not the global one, whose state belongs to the network's dropout
            generator=torch.Generator(),
        )

    def _step(self, batch: Batch) -> dict[str, float]:
        """Run one optimizer step; return the loss and its parts."""
        rate = self.run.lr * self.task.schedule(self.step, self.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        with torch.autocast(self.device.type, self.half, enabled=self.half is not None):
            losses = self.task.loss(self.model, self._to_device(batch))
        values = {name: value.item() for name, value in losses.items()}
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                self._diverged(f"the loss became {values['loss']} at step {self.step + 1}")
            )
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses["loss"]).backward()
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        # with a scaler such a step is skipped
        if not self.scaler.is_enabled() and not norm.isfinite():
            raise TrainingError(
                self._diverged(f"the gradient is not finite at step {self.step + 1}")
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.evaluated is not self.model:
            self._average()
        return values

    def _average(self) -> None:
        """Update the moving average of the weights, faster in the first steps."""
        stays = min(self.task.average, (1 + self.step) / (10 + self.step))
        ours, theirs = self.evaluated.state_dict(), self.model.state_dict()
        with torch.no_grad():
            for name, value in ours.items():
                if value.dtype.is_floating_point:
                    value.lerp_(theirs[name], 1 - stays)
                else:
                    value.copy_(theirs[name])

    def _diverged(self, what: str) -> str:
        saved, again = self.run.out / "last.pt", "try again with"
        if saved.exists():
            again = f"{saved} is from before: continue with --resume and"
        return f"{what}; {again} a lower --lr, or --no-amp"

    def _validate(self, epoch: int) -> None:
        """Score the validation set; save the network if it is the best so far."""
        self.evaluated.eval()
        count = len(self.task.val)
        places = [(0, index, 0) for index in range(count)]
        size = min(self.run.batch, count)
        batches = [places[at : at + size] for at in range(0, count, size)]
        scores: dict[str, list[float]] = {}
        with torch.inference_mode():
            for batch, problems in self._loader(self.task.val, batches, fill=False):
                self._warn_unreadable(problems)
                if batch is None:
                    continue
                with torch.autocast(self.device.type, self.half, enabled=self.half is not None):
                    values = self.task.scores(self.evaluated, self._to_device(batch))
                for name, each in values.items():
                    scores.setdefault(name, []).extend(each)
        if not scores:
            raise DataError("no validation images could be read; see above")
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
                    "model": self.evaluated.state_dict(),
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
                "average": self.evaluated.state_dict()
                if self.evaluated is not self.model
                else None,
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "chance": torch.get_rng_state(),
                "cuda_chance": torch.cuda.get_rng_state(self.device) if cuda else None,
            },
        )

    def _to_device(self, batch: Batch) -> Batch:
        return tuple(tensor.to(self.device, non_blocking=True) for tensor in batch)

    def _warn_unreadable(self, problems: list[str]) -> None:
        """Warn once about each file that cannot be read."""
        for text in problems:
            if text not in self.warned:
                self.warned.add(text)
                log.warning("%s; left out", text)


def _quiet_worker(_: int) -> None:
    """Ignore Ctrl-C in a data loading process: the main process ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)  # the processes already run in parallel


def _groups(model: nn.Module, rates: dict[str, float]) -> list[dict[str, Any]]:
    """Group the parameters by weight decay and by their learning rate's factor."""
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
