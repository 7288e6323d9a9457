"""What `image` and `video` do with ``--cluster``: the options, the progress bar and the report."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_bg.errors import SettingsError, SinkError
from realtime_bg.media.suffixes import MOVING_BACKGROUNDS, PHOTOS
from realtime_bg.settings import Settings
from realtime_bg.system.console import err, say
from realtime_bg.system.file_names import names_folder
from realtime_bg.system.signals import stop_signals

if TYPE_CHECKING:
    from realtime_bg.cluster.bulk import Cluster, Outcome
    from realtime_bg.cluster.progress import View
    from realtime_bg.photos.batch import PhotoOptions
    from realtime_bg.videos.convert import VideoOptions

Address = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="auto|local|ray://HOST:PORT",
        show_default=False,
        help="Work on a Ray cluster: the one that runs here, one started for this call, or one "
        "elsewhere. Inputs and output may be URLs (s3://, gs://, sftp://). See docs/cluster.md.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, show_default="all there is room for", help="With --cluster: how many."),
]
Cpus = Annotated[
    float | None,
    typer.Option(
        "--cpus-per-worker",
        min=0,
        show_default="1",
        help="With --cluster: processors that each worker reserves.",
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        min=0,
        show_default="1 where there are GPUs",
        help="With --cluster: GPUs that each worker reserves, such as 0.25.",
    ),
]


def chosen(
    address: str | None, workers: int | None, cpus: float | None, gpus: float | None
) -> "Cluster | None":
    """The cluster that the options mean, or None. Raises SettingsError."""
    if address is None:
        if (workers, cpus, gpus) != (None, None, None):
            raise SettingsError(
                "--workers, --cpus-per-worker and --gpus-per-worker are for --cluster; give it, "
                "for example --cluster local"
            )
        return None
    if address not in ("auto", "local") and not address.startswith("ray://"):
        raise SettingsError(f"--cluster {address!r}: write auto, local or ray://HOST:10001")
    from realtime_bg.cluster.bulk import Cluster

    return Cluster(address, workers, cpus, gpus)


def photos(
    where: "Cluster",
    settings: Settings,
    options: "PhotoOptions",
    inputs: list[str],
    out: str | None,
    overwrite: bool,
) -> None:
    """Process photos on a cluster, with a bar and a report. Raises RealtimeBgError and
    typer.Exit."""
    from realtime_bg.cluster.bulk import Run

    if out is None or "-" in (out, *inputs):
        raise SinkError("--cluster needs a folder for the results; give --directory")
    _check_folder(out, PHOTOS)
    run = Run(where, settings, options, out, overwrite)
    _run(lambda stop, tick: run.photos(inputs, stop, tick), "photos")


def videos(
    where: "Cluster",
    settings: Settings,
    options: "VideoOptions",
    inputs: list[str],
    out: str,
    overwrite: bool,
) -> None:
    """Convert videos on a cluster, with a bar and a report. Raises RealtimeBgError and
    typer.Exit."""
    from realtime_bg.cluster.bulk import Run

    _check_folder(out, MOVING_BACKGROUNDS)
    run = Run(where, settings, options, out, overwrite)
    _run(lambda stop, tick: run.videos(inputs, stop, tick), "frames")


def _check_folder(out: str, suffixes: tuple[str, ...]) -> None:
    """Raise SinkError if the output is called like a file."""
    if out.lower().endswith(suffixes) and not names_folder(out):
        raise SinkError(f"--cluster fills a folder, and {out} is called like a file; write {out}/")


def _run(do: Callable[[threading.Event, Callable[["View"], None]], "Outcome"], unit: str) -> None:
    stop = threading.Event()
    with stop_signals(stop.set), _bar(unit) as tick:
        outcome = do(stop, tick)
    _report(outcome, stop.is_set())


def _report(outcome: "Outcome", interrupted: bool) -> None:
    """Print how a run ended. Raises typer.Exit unless everything is done."""
    for line in outcome.failed:
        say(line, "red")
    parts = [f"{outcome.done} done in {outcome.folder}" if outcome.done else "0 done"]
    if outcome.skipped:
        parts += [f"{outcome.skipped} already existed (--overwrite redoes them)"]
    if outcome.changed:
        parts += [f"{outcome.changed} of them made from other files or with other settings"]
    parts += [f"{len(outcome.failed)} failed"] * bool(outcome.failed)
    text = ", ".join(parts)
    say(f"interrupted; {text}; the same command goes on from here" if interrupted else text)
    if interrupted or outcome.failed:
        raise typer.Exit(130 if interrupted else 1)


@contextmanager
def _bar(unit: str) -> Iterator[Callable[["View"], None]]:
    """A progress bar for all workers. ``unit``: what rates count, such as frames."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, disable=not err.is_terminal) as shown:
        task = shown.add_task("starting workers", total=None)

        def update(view: "View") -> None:
            shown.update(
                task, completed=view.done, total=view.total, description=described(view, unit)
            )

        yield update


def described(view: "View", unit: str) -> str:
    """``3/40, 81.5 photos/s, 0:12:05 left; node-1 40.2, node-2 41.3``."""
    text = f"{view.made}/{view.results}"
    if not view.nodes:
        return f"{text}, starting workers"
    text += f", {view.rate:.1f} {unit}/s"
    if view.eta is not None:
        minutes, seconds = divmod(round(view.eta), 60)
        text += f", {minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"
    if len(view.nodes) > 1:
        text += "; " + ", ".join(f"{name} {rate:.1f}" for name, rate in sorted(view.nodes.items()))
    return text
