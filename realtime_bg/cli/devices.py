"""`realtime-bg devices`: cameras and virtual cameras."""

import json
from contextlib import suppress
from typing import Annotated

import typer

from realtime_bg.cli.columns import columns


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """List cameras and virtual cameras, which programs use them, and the cameras in PipeWire."""
    rows = _rows()
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for line in columns(rows):
        typer.echo(line)
    if all(row["kind"] == FREE for row in rows):
        typer.echo("no camera found; `realtime-bg --source demo` needs none")


FREE = "virtual camera, free to write to"


def _rows() -> list[dict[str, str]]:
    from realtime_bg.devices.cameras import cameras, held_by, virtual_cameras
    from realtime_bg.devices.pipewire_capture import pipewire_cameras

    found = cameras()
    rows = [
        {
            "device": camera.path,
            "kind": "virtual camera" if camera.virtual else "camera",
            "name": camera.name,
            "used_by": held_by(camera.path),
        }
        for camera in found
    ]
    for camera in virtual_cameras():
        if camera not in found:
            row = {"device": camera.path, "kind": FREE, "name": camera.name, "used_by": ""}
            rows.append(row)
    with suppress(OSError):  # without PipeWire
        for node in pipewire_cameras():
            spec = f"pipewire:{node.label}"
            row = {"device": spec, "kind": "camera in PipeWire", "name": node.label, "used_by": ""}
            rows.append(row)
    return rows
