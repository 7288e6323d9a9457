"""The command `run`, which is the default."""

from typing import Annotated

import typer

from realtime_bg.cli.options import (
    Background,
    Box,
    Classes,
    Combine,
    CombineModel,
    ConfigOrDefault,
    Device,
    Engine,
    Instances,
    Model,
    Offline,
    Pick,
    Score,
    Size,
    Source,
    Verbose,
    Version,
    WorkSize,
    background_flags,
    combined,
    engine_flags,
    listed,
)
from realtime_bg.system.console import show_logs


def run(
    background: Background = None,
    source: Source = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            show_default="window",
            help="window, virtualcam, virtualcam:/dev/video10, pipewire or pipewire:NAME, a video "
            "file, pipe (to another program), or null; the person alone: rgba:FILE, matte:FILE, "
            "pipe:rgba, pipe:matte. Give it several times for several outputs.",
        ),
    ] = None,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    classes: Classes = None,
    instances: Instances = None,
    score: Score = None,
    box: Box = None,
    pick: Pick = None,
    combine: Combine = None,
    combine_model: CombineModel = None,
    size: Size = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second to request.")] = None,
    work_size: WorkSize = None,
    mirror: Annotated[
        bool | None,
        typer.Option("--mirror/--no-mirror", show_default="no-mirror", help="Mirror the picture."),
    ] = None,
    loop: Annotated[
        bool | None,
        typer.Option(
            "--loop/--no-loop", show_default="no-loop", help="Repeat a video source endlessly."
        ),
    ] = None,
    config: ConfigOrDefault = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Stop after this many seconds "
            "(of the source's own time if only files are written).",
        ),
    ] = None,
    offline: Offline = False,
    stats: Annotated[bool, typer.Option("--stats", help="Print frame rates and timings.")] = False,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Replace the background of a camera, a video, an image or the demo (the default command)."""
    from realtime_bg.app import run as runner
    from realtime_bg.settings import chosen_config, load

    show_logs(verbose)
    flags = {
        **background_flags(background),
        "source.spec": source,
        "source.size": size,
        "source.fps": fps,
        "source.loop": loop,
        "output.sinks": tuple(output) if output else None,
        "output.mirror": mirror,
        "engine.instance.classes": listed(classes),
        "engine.instance.instances": instances,
        "engine.instance.score": score,
        "engine.grabcut.box": box,
        "engine.chroma.pick": pick,
        "engine.combine.model": combine_model,
        **combined(combine),
        **engine_flags(engine, model, device, work_size, offline),
    }
    config = chosen_config(config)
    settings = load(config, flags)
    runner.run(settings, duration, stats, config, flags)
