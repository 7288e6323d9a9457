"""The command `serve`: the web page."""

from pathlib import Path
from typing import Annotated

import typer

from realtime_bg.cli.options import (
    Background,
    ConfigOrDefault,
    Device,
    Engine,
    Model,
    Offline,
    Size,
    Source,
    Verbose,
    WorkSize,
    background_flags,
    engine_flags,
)
from realtime_bg.system.console import show_logs


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 means a free one.")] = 5003,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=("A host name that browsers may use in addition to localhost.")
        ),
    ] = None,
    metrics_token: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "File with a token for Prometheus that grants access to /metrics only; "
                "created if missing."
            ),
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "File with the page's token, so that its address stays the same; "
                "created if missing."
            ),
        ),
    ] = None,
    browse: Annotated[
        bool, typer.Option("--open", help="Open the page in the default browser.")
    ] = False,
    source: Source = None,
    size: Size = None,
    background: Background = None,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    work_size: WorkSize = None,
    config: ConfigOrDefault = None,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Serve a web page for photos, videos and the live picture; prints the address to open."""
    from realtime_bg.settings import chosen_config, load
    from realtime_bg.steering.checks import prepare
    from realtime_bg.web.server import serve as run_server

    show_logs(verbose)
    flags = {
        "source.spec": source,
        "source.size": size,
        **background_flags(background),
        **engine_flags(engine, model, device, work_size, offline),
    }
    config = chosen_config(config)
    settings = prepare(load(config, flags), "page")
    names = tuple(allow_host or ())
    run_server(settings, host, port, names, metrics_token, token_file, browse, config)
