"""The loop that trains a `Task`: steps, checkpoints, logs, and going on where a run was killed.

A run lives in one folder: ``last.pt`` (everything needed to go on), ``best.pt`` (the network that
scored best, and the settings), ``train.csv`` and ``val.csv``. What chance does depends on the seed
and the step alone, so a run that was killed and resumed is the run that was not.
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
from realtime_bg.training.datasets import Items
from realtime_bg.training.devices import half_type, pick_device
from realtime_bg.training.log import Log, _tensorboard
from realtime_bg.training.task import Run, Task

log = logging.getLogger(__name__)


CLIP = 1.0  # the gradient's norm is cut to this
DECAY = 1e-2  # of weights; norms and biases are left alone
# How PyTorch says so: of a GPU, of the computer, and when the system ends a reading process.
TOO_LITTLE = (
    "out of memory",
    "can't allocate memory",
    "is killed by signal: Killed",
    "out of shared memory",
)


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
    """One run. Long, because everything here is one state: what a checkpoint holds, and what a
    resumed run must have again."""

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
