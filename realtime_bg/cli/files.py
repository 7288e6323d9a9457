"""The commands `image` and `video`: parsing and progress."""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

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
    Path | None,
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
    options = _options(
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
    settings = _settings(
        config,
        background,
        classes,
        instances,
        score,
        engine_flags(engine, model, device, work_size, offline),
        {"engine.grabcut.box": box},
    )
    work = photos.jobs(inputs, output, directory, options)
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


def video(
    source: Annotated[Path, typer.Argument(metavar="IN", show_default=False, help="A video file.")],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            show_default=False,
            help=(
                "The result: .mp4, .mov, .mkv, .webm, .gif, a folder for png-sequence, or a folder "
                "in which it gets the video's name."
            ),
        ),
    ],
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            "-b",
            help="As in `run`.",
            show_default="blur",
            autocompletion=completion.backgrounds,
        ),
    ] = None,
    alpha: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help=(
                "Make it transparent instead: prores4444 (.mov), vp9 (.webm, .mkv), webm, "
                "png-sequence, gif, or matte: two files, foreground and matte."
            ),
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help=("Start at this time: seconds, or 1:02:03.5.")),
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="End there.")] = None,
    sound: Annotated[bool, typer.Option("--sound/--no-sound", help=("Keep the sound."))] = True,
    sdr: Annotated[
        bool,
        typer.Option("--sdr", help="Convert HDR (PQ, HLG) and wide-gamut colours to BT.709."),
    ] = False,
    keep_interlaced: Annotated[bool, typer.Option("--keep-interlaced", hidden=True)] = False,
    overwrite: Overwrite = False,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    classes: Classes = None,
    instances: Instances = None,
    score: Score = None,
    work_size: WorkSize = None,
    config: Config = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Put the people of a video in front of another background, or cut them out; sound is kept."""
    from realtime_bg.system.signals import stop_signals
    from realtime_bg.videos import convert as videos

    show_logs(verbose)
    if alpha is not None and background is not None:
        raise SettingsError("--alpha makes the result transparent; leave --background out")
    if keep_interlaced:
        raise SettingsError(
            "--keep-interlaced: a matte belongs to one moment, and the two fields of an interlaced "
            "picture to two; leave the option out, and the result is progressive"
        )
    options = _options(
        videos.VideoOptions,
        alpha=alpha,
        start=_seconds("--start", start),
        end=_seconds("--end", end),
        sound=sound,
        sdr=sdr,
    )
    settings = _settings(
        config,
        background,
        classes,
        instances,
        score,
        engine_flags(engine, model, device, work_size, offline),
        {},
    )
    source = at_home(source)
    target = videos.named(output, source, options)
    made = list(videos.outputs(target, options).values())
    there = [str(path) for path in made if path.exists()]
    if there and not overwrite:
        raise SinkError(f"{there[0]} already exists; give --overwrite to replace it")
    stop = threading.Event()
    with stop_signals(stop.set), _video_bar() as progress:
        finished = videos.convert(settings, source, target, options, progress, stop)
    if not finished:
        say("interrupted; the same command resumes from here")
        raise typer.Exit(130)
    say(f"written: {', '.join(map(str, made))}")


def _settings(
    config: Path | None,
    background: str | None,
    classes: str | None,
    instances: str | None,
    score: float | None,
    *others: dict[str, Any],
) -> Settings:
    flags: dict[str, Any] = {
        "background.current": background,
        "engine.instance.classes": listed(classes),
        "engine.instance.instances": instances,
        "engine.instance.score": score,
    }
    for more in others:
        flags |= more
    return load(config, flags)


def _options(kind: type[Options], **values: Any) -> Options:
    """Validate options. Raises SettingsError of one line."""
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        name = "".join(f"--{part}: " for part in first["loc"][:1])
        raise SettingsError(f"{name}{reason}") from None


def _seconds(option: str, text: str | None) -> float | None:
    """``90``, ``1:30`` or ``0:01:30.5`` -> seconds. Raises SettingsError."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?)", text.strip())
    if not match:
        raise SettingsError(f"{option} {text!r}: write seconds, or 1:02:03.5")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


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


@contextmanager
def _video_bar() -> Iterator[Callable[[int, int | None, float], None]]:
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
        TextColumn("frames"),
        TextColumn("{task.fields[fps]:.1f} fps"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None, fps=0.0)
        yield lambda done, total, fps: bar.update(task, completed=done, total=total, fps=fps)
