"""The options and the error handling shared by the training scripts' command lines."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime_bg.errors import RealtimeBgError, reason
from realtime_bg.frames import Size
from realtime_bg.settings import check_device, check_size, parse_size
from realtime_bg.system.console import say, show_logs
from realtime_bg.training.loop import fit
from realtime_bg.training.task import Run, Task


def number(kind: type, low: float, high: float = float("inf")) -> Callable[[str], Any]:
    """Return an argparse type: a number of ``kind`` from ``low`` to ``high``."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: must be from {low:g} to {high:g}")
        return value

    parse.__name__ = kind.__name__  # argparse shows it for text that is not a number
    return parse


def size(text: str) -> Size:
    """An argparse type: WIDTHxHEIGHT, or one number for a square."""
    try:
        value: Any = check_size(parse_size(text if "x" in text.lower() else f"{text}x{text}"))  # type: ignore[arg-type]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if min(value) < 32:
        raise argparse.ArgumentTypeError(f"{text}: both sides must be at least 32 pixels")
    return value


def device(text: str) -> str:
    """An argparse type: see `check_device`."""
    try:
        return check_device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_options(parser: argparse.ArgumentParser, out: str, epochs: int) -> None:
    """Add the options of every training run."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(out),
        metavar="FOLDER",
        help="folder for checkpoints, logs and the result (default %(default)s)",
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in --out")
    parser.add_argument(
        "--epochs",
        type=number(int, 1),
        default=epochs,
        help="passes over the data (default %(default)s)",
    )
    parser.add_argument("--steps", type=number(int, 1), help="number of steps, instead of --epochs")
    parser.add_argument("--batch", type=number(int, 1), help="batch size")
    parser.add_argument("--size", type=size, help="network input: WxH, or one number for a square")
    parser.add_argument("--lr", type=number(float, 1e-9, 10), help="peak learning rate")
    parser.add_argument(
        "--val",
        type=number(float, 0.001, 0.9),
        default=0.1,
        help="fraction held out for validation (default %(default)s)",
    )
    parser.add_argument("--seed", type=number(int, 0), default=0, help="random seed (default 0)")
    parser.add_argument(
        "--workers",
        type=number(int, 0),
        default=2,
        help="processes that load images (default %(default)s)",
    )
    parser.add_argument("--device", type=device, default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--no-amp", action="store_true", help="train in float32, without mixed precision"
    )
    parser.add_argument(
        "--save-every",
        type=number(int, 1),
        default=500,
        metavar="STEPS",
        help="steps between checkpoints within an epoch (default %(default)s)",
    )
    parser.add_argument(
        "--log-every",
        type=number(int, 1),
        default=50,
        metavar="STEPS",
        help="steps between rows of train.csv (default %(default)s)",
    )


FIXED = ("data", "batch", "size", "val", "seed")  # must be the same when a run is resumed
FREE = ("epochs", "steps", "lr")


def make_run(options: argparse.Namespace, fixed: dict[str, Any]) -> Run:
    """Return the run for parsed options; ``fixed``: the script's own settings that a resumed run
    must keep."""
    settings = {name: getattr(options, name) for name in (*FIXED, *FREE)} | fixed
    settings["size"] = list(options.size)
    return Run(
        out=options.out,
        settings=settings,
        epochs=options.epochs,
        steps=options.steps,
        batch=options.batch,
        lr=options.lr,
        seed=options.seed,
        workers=options.workers,
        device=options.device,
        amp=not options.no_amp,
        save_every=options.save_every,
        log_every=options.log_every,
        resume=options.resume,
        free=FREE,
    )


def train_and_export(task: Task, run: Run, name: str) -> None:
    """Train, then export ``NAME.onnx`` into the run's folder. Raises RealtimeBgError."""
    task.export(fit(task, run), run.out / f"{name}.onnx")


def guarded(train: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run ``train`` and return the exit code: 2 for an error that the user can fix, shown as one
    line; 130 when interrupted."""
    show_logs(False)
    try:
        train(options)
    except RealtimeBgError as error:
        say(str(error), "red")
        return 2
    except OSError as error:  # a full disk, a folder that vanished
        say(f"{error.filename or 'input or output'}: {reason(error)}", "red")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
