"""The command `image`, and what it shares with `video`: parsing and progress."""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from realtime_bg.cli import cluster as remote
from realtime_bg.cli import completion
from realtime_bg.cli.options import (
    Box,
    Classes,
    Config,
    Device,
    Engine,
    Instances,
    Model,
    Offline,
    Score,
    Verbose,
    WorkSize,
    engine_flags,
    listed,
)
from realtime_bg.errors import SettingsError, SinkError
from realtime_bg.settings import Settings, at_home, load
from realtime_bg.system.console import err, say, show_logs

Options = TypeVar("Options", bound=BaseModel)
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files.")]
Directory = Annotated[
    str | None,
    typer.Option(
        "--directory",
        "-d",
        help=("Folder for the results, which keep the names and subfolders of the photos."),
    ),
]


def image(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN...",
            show_default=False,
            help=(
                "Photos, folders, patterns, or - for standard input: "
                "JPEG, PNG, WebP, TIFF, HEIC, AVIF."
            ),
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help=(
                "The result: .png, .webp, .jpg, .tiff, a folder (as --directory), or - for "
                "standard output."
            ),
            show_default="beside the photo",
        ),
    ] = None,
    directory: Directory = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            "-b",
            show_default="none",
            help="As in `run`; without it, the result is transparent.",
            autocompletion=completion.backgrounds,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="png, webp, jpg or tiff.", show_default="by the suffix"),
    ] = None,
    alpha_only: Annotated[
        bool, typer.Option("--alpha-only", help="Write only the alpha, in grey.")
    ] = False,
    foreground_only: Annotated[
        bool,
        typer.Option(
            "--foreground-only",
            help="Write only the foreground colours over black, without blending.",
        ),
    ] = False,
    trim: Annotated[bool, typer.Option("--trim", help="Crop to the person.")] = False,
    erase: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS,...",
            help=(
                'Keep the photo, but remove these COCO classes: car,"cell phone". Needs a model '
                'for the engine "instance".'
            ),
        ),
    ] = None,
    depth: Annotated[int, typer.Option(help="Bits of the alpha in a PNG: 8 or 16.")] = 8,
    quality: Annotated[int, typer.Option(help="Quality of JPEG and WebP, 1 to 100.")] = 95,
    exif: Annotated[
        bool,
        typer.Option("--keep-exif", help=("Keep the camera's metadata: date, settings, place.")),
    ] = False,
    overwrite: Overwrite = False,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    classes: Classes = None,
    instances: Instances = None,
    score: Score = None,
    box: Box = None,
    work_size: WorkSize = None,
    cluster: remote.Address = None,
    workers: remote.Workers = None,
    cpus_per_worker: remote.Cpus = None,
    gpus_per_worker: remote.Gpus = None,
    config: Config = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Cut people out of photos, or put them in front of another background."""
    from realtime_bg.photos import batch as photos
    from realtime_bg.system.signals import stop_signals

    show_logs(verbose)
    if alpha_only and foreground_only:
        raise SettingsError("--alpha-only and --foreground-only: give one of them")
    only = "alpha" if alpha_only else "foreground" if foreground_only else None
    named = {".jpeg": ".jpg", ".tif": ".tiff"}.get(f".{format}", f".{format}")[1:]
    if erase is not None and not listed(erase):
        raise SettingsError("--erase names no class; for example: --erase car,person")
    options = checked_options(
        photos.PhotoOptions,
        background=background,
        only=only,
        depth=depth,
        erase=listed(erase) or (),
        format=format and named,
        quality=quality,
        trim=trim,
        exif=exif,
    )
    settings = chosen_settings(
        config,
        background,
        classes,
        instances,
        score,
        engine_flags(engine, model, device, work_size, offline),
        {"engine.grabcut.box": box},
    )
    where = remote.chosen(cluster, workers, cpus_per_worker, gpus_per_worker)
    if where is not None:
        remote.photos(where, settings, options, inputs, directory or output, overwrite)
        return
    folder = at_home(directory) if directory is not None else None
    work = photos.jobs(inputs, output, folder, options)
    if work[0].target is None and sys.stdout.isatty():
        raise SinkError("a picture cannot be printed on a terminal; give --output, or use a pipe")
    stop = threading.Event()
    with stop_signals(stop.set), _photo_bar(len(work)) as advance:
        done, skipped, failed = photos.run(settings, work, options, overwrite, stop, advance)
    for line in failed:
        say(line, "red")
    if done == 1 and len(work) == 1 and work[0].target is not None:
        say(f"written: {work[0].target}")
    if len(work) > 1 or skipped:
        parts = [f"{done} done in {_place(job.target for job in work)}" if done else "0 done"]
        parts += [f"{skipped} already existed (--overwrite redoes them)"] * bool(skipped)
        parts += [f"{len(failed)} failed"] * bool(failed)
        say(("interrupted; " if stop.is_set() else "") + ", ".join(parts))
    if failed or stop.is_set():
        raise typer.Exit(130 if stop.is_set() else 1)


def _place(targets: Iterable[Path | None]) -> str:
    """The folder that contains all the files."""
    return os.path.commonpath([path.parent for path in targets if path is not None])


def chosen_settings(
    config: Path | None,
    background: str | None,
    classes: str | None,
    instances: str | None,
    score: float | None,
    *others: dict[str, Any],
) -> Settings:
    """The settings that the options of both commands mean. Raises SettingsError."""
    flags: dict[str, Any] = {
        "background.current": background,
        "engine.instance.classes": listed(classes),
        "engine.instance.instances": instances,
        "engine.instance.score": score,
    }
    for more in others:
        flags |= more
    settings = load(config, flags)
    if unused := settings.live_only():
        say(
            f"{', '.join(unused)}: no effect on photos and video files (they act on a video with "
            "`realtime-bg -s FILE -o FILE`, which leaves out its sound)"
        )
    return settings


def checked_options(kind: type[Options], **values: Any) -> Options:
    """Validate options. Raises SettingsError of one line."""
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        name = "".join(f"--{part}: " for part in first["loc"][:1])
        raise SettingsError(f"{name}{reason}") from None


@contextmanager
def _photo_bar(total: int) -> Iterator[Callable[[Any], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=err, disable=total < 2 or not err.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda job: bar.update(task, advance=1, description=str(job.source or ""))
