"""The commands `daemon`, `install-service` and `ctl`: parsing and printing."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from realtime_bg.cli import completion
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
from realtime_bg.daemon.control import ask, ask_once
from realtime_bg.errors import SettingsError
from realtime_bg.settings import at_home
from realtime_bg.system.console import say

ctl = typer.Typer(help="Control a running daemon.", no_args_is_help=True)


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


def _say(command: str, **details: Any) -> Any:
    """Send a request, print a short reply and return it."""
    answer = ask_once({"command": command, **details})
    if isinstance(answer, dict):
        for key, value in answer.items():
            typer.echo(f"{key}: {_word(value)}")
    else:
        typer.echo(answer)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {text}" for key, text in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@ctl.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show what the daemon is doing."""
    answer = ask_once({"command": "status"})
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    for key, value in answer.items():
        if value not in (None, "", [], {}):
            typer.echo(f"{key.replace('_', ' '):<15}{_word(value)}")


@ctl.command("set")
def set_(
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help=("Settings as in config.yaml, for example refine.feather=3 output.mirror=true"),
            autocompletion=completion.changes,
        ),
    ],
) -> None:
    """Change settings; if one is refused, none is changed."""
    from realtime_bg.steering.changes import absolute

    _say("set", changes={key: absolute(key, text) for key, text in _pairs(changes)})


def _pairs(changes: list[str]) -> list[tuple[str, str]]:
    """``KEY=VALUE`` as pairs. Raises SettingsError."""
    pairs = []
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign:
            raise SettingsError(f"{change}: write KEY=VALUE, for example refine.feather=3")
        pairs.append((key.strip(), text))
    return pairs


@ctl.command()
def background(
    spec: Annotated[
        str,
        typer.Argument(
            help="Like --background of `run`: beach, a file, blur ...",
            autocompletion=completion.backgrounds,
        ),
    ],
) -> None:
    """Switch the background."""
    from realtime_bg.steering.changes import absolute

    _say("set", changes={"background.current": absolute("background.current", spec)})


@ctl.command()
def toggle(
    name: Annotated[
        str,
        typer.Argument(
            help="mirror, virtualcam, record, frozen, paused ...",
            autocompletion=completion.toggles,
        ),
    ],
) -> None:
    """Switch a setting on if it is off, and off if it is on."""
    _say("toggle", key=name)


@ctl.command()
def preset(name: Annotated[str, typer.Argument(help="As saved on the page.")]) -> None:
    """Change the settings to those of a preset."""
    _say("preset", name=name)


@ctl.command()
def layer(
    name: Annotated[str, typer.Argument(help="The layer's name.")],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE...",
            help="file=logo.png or text='Ada {time}', position=1,0 scale=0.2 opacity=0.8 "
            "behind=true shown=false ...",
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the layer.")] = False,
) -> None:
    """Add, change or remove a layer over the picture."""
    texts = {key: _full_path(key, text) for key, text in _pairs(changes or [])}
    if bool(texts) == remove:
        raise SettingsError(f"layer {name}: give KEY=VALUE or --remove")
    _say("layer", name=name, changes=texts, remove=remove)


def _full_path(key: str, text: str) -> str:
    return str(at_home(text).absolute()) if key in ("file", "font") else text


@ctl.command()
def pause() -> None:
    """Show a card and close the camera."""
    _say("pause")


@ctl.command()
def resume() -> None:
    """Resume after a pause."""
    _say("resume")


@ctl.command()
def snapshot() -> None:
    """Save the current picture and print the name of the file."""
    _say("snapshot")


@ctl.command()
def stop() -> None:
    """End the daemon and wait until it has ended."""
    from realtime_bg.errors import DaemonError

    _say("stop")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            ask_once({"command": "status"})
        except DaemonError:
            return
        time.sleep(0.1)
    raise DaemonError("the daemon has not ended within 10 s; see realtime-bg ctl logs")


@ctl.command()
def logs(
    count: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Also print new lines as they arrive.")
    ] = False,
) -> None:
    """Print the log of the daemon."""
    for line in ask({"command": "logs", "count": count, "follow": follow}):
        if line:
            typer.echo(line)
