"""`realtime-bg devices`: cameras and virtual cameras."""

import typer


def devices() -> None:
    """List cameras and virtual cameras, and which programs use them."""
    from realtime_bg.devices.cameras import cameras, held_by, virtual_cameras

    found = cameras()
    for camera in found:
        holder = held_by(camera.path)
        kind = "virtual camera" if camera.virtual else "camera"
        typer.echo(f"{camera.path}  {kind}  {camera.name}{f'  used by {holder}' if holder else ''}")
    for camera in virtual_cameras():
        if camera not in found:
            typer.echo(f"{camera.path}  virtual camera  {camera.name}  (free to write to)")
    if not found:
        typer.echo("no camera found; `realtime-bg --source demo` needs none")
