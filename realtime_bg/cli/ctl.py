"""The command `ctl`: parsing and printing. Buttons and pedals run it, so it imports little."""

import json
import time
from typing import Annotated, Any

import typer

from realtime_bg.cli import completion
from realtime_bg.daemon.control import ask, ask_once
from realtime_bg.errors import DaemonError, SettingsError

ctl = typer.Typer(help="Control a running daemon.", no_args_is_help=True)


def _say(command: str, **details: Any) -> None:
    """Send a request and print its short reply."""
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
    from realtime_bg.settings import at_home

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
