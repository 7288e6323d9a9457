"""`realtime-bg devices`: cameras and virtual cameras."""

from contextlib import suppress

import typer


def devices() -> None:
    """List cameras and virtual cameras, which programs use them, and the cameras in PipeWire."""
    from realtime_bg.devices.cameras import cameras, held_by, virtual_cameras
    from realtime_bg.devices.pipewire_capture import pipewire_cameras

    found = cameras()
    for camera in found:
        holder = held_by(camera.path)
        kind = "virtual camera" if camera.virtual else "camera"
        typer.echo(f"{camera.path}  {kind}  {camera.name}{f'  used by {holder}' if holder else ''}")
    for camera in virtual_cameras():
        if camera not in found:
            typer.echo(f"{camera.path}  virtual camera  {camera.name}  (free to write to)")
    nodes = []
    with suppress(OSError):  # without PipeWire
        nodes = pipewire_cameras()
    for node in nodes:
        typer.echo(f"pipewire:{node.label}  camera in PipeWire")
    if not found and not nodes:
        typer.echo("no camera found; `realtime-bg --source demo` needs none")
