"""Options shared by several commands, and the settings they set."""

from pathlib import Path
from typing import Annotated, Any

import typer

from realtime_bg.cli import completion
from realtime_bg.version import __version__

HELP = {"help_option_names": ["-h", "--help"]}  # of every command

Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        "-e",
        show_default="auto",
        help="auto, or a name from `models list --engines`.",
        autocompletion=completion.engines,
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        help="A model file (.onnx, .pth, .safetensors) or a name from `models list`.",
        autocompletion=completion.models,
    ),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", show_default="auto")]
WorkSize = Annotated[
    str | None, typer.Option(help="WxH at which the network runs, or auto.", show_default="auto")
]
Classes = Annotated[
    str | None,
    typer.Option(
        show_default="person",
        help='COCO classes that the engine "instance" keeps: person,chair,"cell phone".',
    ),
]
Instances = Annotated[
    str | None,
    typer.Option(
        show_default="all",
        help='People that the engine "instance" keeps: all, largest, centre or a number.',
    ),
]
Score = Annotated[
    float | None,
    typer.Option(
        show_default="0.5",
        help='Lowest score of the detections that the engine "instance" keeps, 0 to 1.',
    ),
]
Box = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,WIDTH,HEIGHT",
        help='Start box of the engine "grabcut", in fractions of the picture: 0.3,0.1,0.4,0.9.',
    ),
]
Pick = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y",
        help='Where the engine "chroma" takes its colour, in fractions of the picture: 0.1,0.1.',
    ),
]
Combine = Annotated[
    str | None,
    typer.Option(
        help="A second engine: gate:NAME keeps what both find, add:NAME what either finds."
    ),
]
CombineModel = Annotated[Path | None, typer.Option(help="The model of the second engine.")]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        "-s",
        show_default="camera",
        help="camera, camera:1, /dev/video1, pipewire, a video or image file, demo, or a stream "
        "URL.",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(help="WxH to request from the camera, or to scale and crop other sources to."),
]
Config = Annotated[
    Path | None,
    typer.Option(help="A YAML file of settings; `realtime-bg config init` writes one with all."),
]
# For commands that otherwise use the user's own config.yaml: they pass it to `chosen_config`.
ConfigOrDefault = Annotated[
    Path | None,
    typer.Option(
        "--config",
        show_default="config.yaml in your configuration folder, if it is there",
        help="A YAML file of settings; `realtime-bg config init` writes one with all.",
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Download nothing: use only what is on this machine.")
]
Background = Annotated[
    list[str] | None,
    typer.Option(
        "--background",
        "-b",
        show_default="blur",
        help="An image, video, GIF or folder; #rrggbb or a colour name; blur or blur:RADIUS, with "
        ":bokeh and :depth; beach, office, studio or gradient; erase; none. Several times: a list "
        "to cycle through.",
        autocompletion=completion.backgrounds,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]


def combined(text: str | None) -> dict[str, str]:
    """Convert ``add:instance`` to settings; a bare name means gate."""
    if text is None:
        return {}
    how, _, name = text.rpartition(":")
    return {"engine.combine.how": how or "gate", "engine.combine.engine": name}


def listed(text: str | None) -> tuple[str, ...] | None:
    """``person, "cell phone"`` -> ("person", "cell phone")."""
    if text is None:
        return None
    return tuple(part.strip().strip("\"'") for part in text.split(",") if part.strip())


def background_flags(background: list[str] | None) -> dict[str, Any]:
    """The first background is shown; several form a list to cycle through."""
    several = tuple(background or ())
    return {
        "background.current": several[0] if several else None,
        "background.items": several if len(several) > 1 else None,
    }


def engine_flags(
    engine: str | None, model: Path | None, device: str | None, work_size: str | None, offline: bool
) -> dict[str, Any]:
    return {
        "engine.name": engine,
        "engine.model": model,
        "engine.device": device,
        "engine.work_size": work_size,
        "engine.offline": offline or None,
    }


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"realtime-bg {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
]
