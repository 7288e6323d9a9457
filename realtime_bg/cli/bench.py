"""`realtime-bg bench`."""

from typing import Annotated

import typer

from realtime_bg.cli.options import (
    Config,
    Device,
    Engine,
    Model,
    Offline,
    Size,
    Verbose,
    WorkSize,
    engine_flags,
    listed,
)
from realtime_bg.system.console import out, show_logs


def bench(
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    size: Size = None,
    sizes: Annotated[
        str | None, typer.Option(help="Several, for example 1280x720,1920x1080.")
    ] = None,
    work_size: WorkSize = None,
    frames: Annotated[int, typer.Option(min=2, help="Number of frames to measure.")] = 300,
    source: Annotated[
        str, typer.Option("--source", "-s", help="The demo or a video file.")
    ] = "demo",
    background: Annotated[str, typer.Option("--background", "-b", help="As in `run`.")] = "beach",
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    config: Config = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Measure every stage on this machine: milliseconds, rates, latency, CPU and memory."""
    from realtime_bg.app import bench as bencher
    from realtime_bg.settings import load

    show_logs(verbose)
    every = listed(sizes) or (size or ("1280x720" if source == "demo" else None),)
    flags = {
        "source.spec": source,
        "source.loop": True,
        "background.current": background,
        **engine_flags(engine, model, device, work_size, offline),
    }
    reports = [bencher.bench(load(config, flags | {"source.size": one}), frames) for one in every]
    if json:
        typer.echo(bencher.as_json(reports if sizes else reports[0]))
        return
    for report in reports:
        out.print(bencher.as_table(report))
