"""The command `doctor`: parsing and printing."""

from typing import Annotated

import typer

from realtime_bg.cli.options import (
    ConfigOrDefault,
    Device,
    Engine,
    Model,
    Size,
    Source,
    engine_flags,
)
from realtime_bg.system.console import out
from realtime_bg.version import __version__


def doctor(
    source: Source = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            show_default="window",
            help="As in `run`; with virtualcam or pipewire, that camera is required too.",
        ),
    ] = None,
    size: Size = None,
    engine: Engine = None,
    model: Model = None,
    device: Device = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    config: ConfigOrDefault = None,
) -> None:
    """Check this machine: packages, providers, cameras, virtual camera, display, models and speed.

    The exit code is 1 if something that `run` with the same options needs does not work.
    """
    from realtime_bg.doctor import MARKS, as_json, examine, without_home
    from realtime_bg.settings import chosen_config, load

    flags = {
        "source.spec": source,
        "source.size": size,
        "output.sinks": tuple(output) if output else None,
        **engine_flags(engine, model, device, None, False),
    }
    settings = load(chosen_config(config), flags)
    found, last = [], ""
    for section, finding in examine(settings):
        found.append((section, finding))
        if json:
            continue
        if section != last:
            first = f"realtime-bg {__version__}\n" if not last else ""
            out.print(f"{first}\n{section}", style="bold", highlight=False)
            last = section
        mark, style = MARKS[finding.state]
        out.print(f"  {mark:<6}", style=style, end="")
        out.print(without_home(finding.text), markup=False, highlight=False, soft_wrap=True)
        for line in finding.fix.splitlines():
            out.print(
                f"        -> {without_home(line)}",
                style="cyan",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    faults = sum(finding.state == "fault" for _, finding in found)
    if json:
        typer.echo(as_json(found))
    elif faults:
        out.print(f"\n{faults} fault{'' if faults == 1 else 's'}: see FAULT above", style="red")
    else:
        out.print("\neverything that is needed works", style="green")
    if faults:
        raise typer.Exit(1)
