"""The command `video`: parsing and progress."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from realtime_bg.cli import cluster as remote
from realtime_bg.cli import completion
from realtime_bg.cli.files import Overwrite, checked_options, chosen_settings
from realtime_bg.cli.options import (
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
)
from realtime_bg.errors import RealtimeBgError, SettingsError, SinkError
from realtime_bg.settings import Settings, at_home
from realtime_bg.system.console import err, say, show_logs
from realtime_bg.system.file_names import names_folder

if TYPE_CHECKING:
    from realtime_bg.videos.convert import VideoOptions


def video(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN...", show_default=False, help="Video files.")
    ],
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
    cluster: remote.Address = None,
    workers: remote.Workers = None,
    cpus_per_worker: remote.Cpus = None,
    gpus_per_worker: remote.Gpus = None,
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
    options = checked_options(
        videos.VideoOptions,
        alpha=alpha,
        start=_seconds("--start", start),
        end=_seconds("--end", end),
        sound=sound,
        sdr=sdr,
    )
    settings = chosen_settings(
        config,
        background,
        classes,
        instances,
        score,
        engine_flags(engine, model, device, work_size, offline),
        {},
    )
    where = remote.chosen(cluster, workers, cpus_per_worker, gpus_per_worker)
    if where is not None:
        remote.videos(where, settings, options, inputs, output, overwrite)
        return
    if len(inputs) > 1 and not names_folder(output):
        raise SinkError(f"{len(inputs)} videos need a folder for the results; write {output}/")
    stop = threading.Event()
    failed = 0
    with stop_signals(stop.set):
        for source in inputs:
            try:
                if not _convert(settings, at_home(source), output, options, overwrite, stop):
                    say("interrupted; the same command resumes from here")
                    raise typer.Exit(130)
            except RealtimeBgError as error:
                if len(inputs) == 1:
                    raise
                say(str(error), "red")
                failed += 1
    if failed:
        raise typer.Exit(1)


def _convert(
    settings: Settings,
    source: Path,
    output: str,
    options: "VideoOptions",
    overwrite: bool,
    stop: threading.Event,
) -> bool:
    """Convert one video; False if it was stopped. Raises RealtimeBgError."""
    from realtime_bg.videos import convert as videos

    target = videos.named(output, source, options)
    made = list(videos.outputs(target, options).values())
    there = [str(path) for path in made if path.exists()]
    if there and not overwrite:
        raise SinkError(f"{there[0]} already exists; give --overwrite to replace it")
    with _video_bar() as progress:
        finished = videos.convert(settings, source, target, options, progress, stop)
    if finished:
        say(f"written: {', '.join(map(str, made))}")
    return finished


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
