"""The cameras that a browser may choose: those of this machine, the demo, and the source that the
program was started with. Files and addresses can only be named on the command line."""

from contextlib import suppress
from typing import NamedTuple

from realtime_bg.devices.cameras import cameras
from realtime_bg.devices.pipewire_capture import pipewire_cameras
from realtime_bg.errors import SettingsError
from realtime_bg.frames import Size
from realtime_bg.settings import SourceSettings
from realtime_bg.settings.live import Changes, Live
from realtime_bg.steering.changes import apply
from realtime_bg.system.urls import without_password
from realtime_bg.web.answers import unusable


class Choice(NamedTuple):
    """``spec``: as in ``source.spec``. ``name``: for people."""

    spec: str
    name: str


def choices(started: SourceSettings) -> list[Choice]:
    """The cameras that may be chosen, the one of ``started`` first."""
    found = [Choice(one.path, one.name) for one in cameras() if not one.virtual]
    with suppress(OSError):  # without PipeWire
        known = {one.name for one in found}  # PipeWire offers the webcams once more
        found += [
            Choice(f"pipewire:{node.label}", f"{node.label} (PipeWire)")
            for node in pipewire_cameras()
            if not any(node.label.startswith(name) for name in known)
        ]
    found.append(Choice("demo", "Demo: a portrait that moves"))
    names = {"camera": "First camera"} | dict(found)
    own = Choice(started.spec, names.get(started.spec, without_password(started.spec)))
    return [own, *(one for one in found if one.spec != own.spec)]


def choose(
    live: Live, started: SourceSettings, spec: str | None, size: Size | None, fps: float | None
) -> None:
    """Change the camera of ``live``, and the size and rate requested from it. None means the one of
    ``started``; a missing ``spec`` changes nothing. Raises Refusal."""
    if spec is None:
        return
    if spec not in {one.spec for one in choices(started)}:
        raise unusable(f"there is no camera {spec[:50]!r}; GET /api/cameras lists them")

    wanted: Changes = {
        "source.spec": spec,
        "source.size": size or started.size,
        "source.fps": fps or started.fps,
    }
    try:
        apply(live, lambda _: wanted)
    except SettingsError as error:
        raise unusable(str(error)) from None
