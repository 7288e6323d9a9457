"""The commands `daemon` and `install-service`: parsing and printing."""

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
from realtime_bg.system.console import say


def daemon(
    background: Background = None,
    source: Source = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            show_default="virtualcam",
            help="virtualcam, virtualcam:/dev/video10, pipewire or pipewire:NAME, a video file, or "
            "null.",
        ),
    ] = None,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    size: Size = None,
    work_size: WorkSize = None,
    page: Annotated[
        bool,
        typer.Option("--page", help=("Also serve the web page; `ctl status` shows its address.")),
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; 0 means a free one.")
    ] = 5003,
    metrics_token: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=("File with a token that grants access to /metrics only; created if missing."),
        ),
    ] = None,
    config: ConfigOrDefault = None,
    offline: Offline = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Write log lines as JSON.")] = False,
    verbose: Verbose = False,
) -> None:
    """Run without a window until `ctl stop`; feeds the virtual camera while it has viewers."""
    from realtime_bg.daemon.daemon import Daemon
    from realtime_bg.daemon.logs import daemon_logs
    from realtime_bg.daemon.supervisor import RestartsExhausted
    from realtime_bg.settings import chosen_config, load

    ring = daemon_logs(verbose, log_json)
    flags = {
        **background_flags(background),
        "source.spec": source,
        "source.size": size,
        "output.sinks": tuple(output) if output else None,
        **engine_flags(engine, model, device, work_size, offline),
    }
    config = chosen_config(config)
    settings = load(config, flags)
    program = Daemon(settings, config, ring, flags=flags)
    if page:
        import realtime_bg.web.server  # noqa: F401 - says what to install where that is missing
        from realtime_bg.daemon.page import Page

        program.page = Page(settings, port, metrics_token)
    try:
        program.run()
    except RestartsExhausted as error:  # unlike invalid settings, this is worth a new process
        say(str(error), "red")
        raise typer.Exit(1) from None


def install_service(
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- OPTION...]",
            help=("Options of `daemon`, such as --background beach --config FILE."),
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--print", help="Print the file without writing it.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(show_default="this system's", help=("systemd, launchd or task-scheduler.")),
    ] = None,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Also start the service.")
    ] = True,
    remove: Annotated[
        bool, typer.Option("--remove", help="Stop the service, and delete its file.")
    ] = False,
) -> None:
    """Start the daemon at each login: a systemd user unit, a launchd agent or a scheduled task."""
    from realtime_bg.daemon.service import install, service, uninstall

    made = service(kind, _with_full_paths(options or []))
    if remove:
        typer.echo(uninstall(made))
    elif show:
        coding = "utf-16" if made.path.suffix == ".xml" else "utf-8"
        typer.echo(made.data.decode(coding).replace("\r\n", "\n"), nl=False)
    else:
        typer.echo(install(made, start))


def _with_full_paths(options: list[str]) -> list[str]:
    """Options with absolute paths, because a service has no working directory. Raises an error for
    options that `daemon` does not accept."""
    command = typer.main.get_command(_alone())
    with command.make_context("daemon", list(options)) as context:
        given = context.params
    words: list[str] = []
    for option in command.params:
        name, value = str(option.name), given.get(str(option.name))
        flag = max(option.opts, key=len)
        if value is True:
            words.append(flag)
        elif value is not None and value is not False and value != option.default:
            values = value if isinstance(value, list | tuple) else [value]
            words += [word for one in values for word in (flag, _full(name, str(one)))]
    return words


def _full(option: str, text: str) -> str:
    """The value of an option with an absolute path. Raises SinkError."""
    from realtime_bg import sinks
    from realtime_bg.steering.changes import absolute

    if option == "output":
        return sinks.absolute(text)
    if option in ("config", "metrics_token"):  # a file, whether it exists or not
        return str(Path(text).absolute())
    keys = {"background": "background.current", "source": "source.spec", "model": "engine.model"}
    return absolute(keys[option], text) if option in keys else text


def _alone() -> typer.Typer:
    own = typer.Typer(add_completion=False)
    own.command()(daemon)
    return own
