"""Sinks by name, and by what a spec turns out to be."""

from pathlib import Path

from realtime_bg.errors import SinkError, reason
from realtime_bg.frames import Size
from realtime_bg.media.suffixes import RECORDINGS
from realtime_bg.registry import open_plugin
from realtime_bg.settings import OutputSettings
from realtime_bg.sinks.base import Sink

SINKS = {
    "window": "realtime_bg.sinks.window:WindowSink",
    "virtualcam": "realtime_bg.sinks.virtualcam:VirtualCameraSink",
    "video": "realtime_bg.sinks.video:VideoSink",
    "null": "realtime_bg.sinks.null:NullSink",
}
LIVE_KINDS = ("window", "virtualcam")


def classify(spec: str) -> tuple[str, str]:
    """The registry name for ``spec`` and the target its class gets. Raises SinkError."""
    name, colon, rest = spec.partition(":")
    if spec in ("window", "null", "virtualcam") or (name == "virtualcam" and colon and rest):
        return name, rest
    if Path(spec).suffix.lower() in RECORDINGS:
        try:
            return "video", str(Path(spec).expanduser())
        except RuntimeError as error:  # no such user
            raise SinkError(f"output {spec!r}: {reason(error)}; give another file") from None
    raise SinkError(
        f"output {spec!r}: choose window, virtualcam, virtualcam:/dev/video10, null or a file "
        f"ending in {', '.join(RECORDINGS)}"
    )


def open_sink(spec: str, size: Size, fps: float) -> Sink:
    """Open what ``spec`` names, see `Sink`. Raises SinkError."""
    kind, target = classify(spec)
    sink: Sink = open_plugin(SINKS, kind, "output", SinkError, target, size, fps)
    return sink


def wanted_sinks(settings: OutputSettings) -> list[str]:
    """The specs that run on threads: all but the window; virtual cameras while switched on."""
    kinds = {spec: classify(spec)[0] for spec in settings.sinks}
    wanted = [
        spec
        for spec, kind in kinds.items()
        if kind != "window" and (kind != "virtualcam" or settings.virtualcam)
    ]
    if settings.virtualcam and not lists_virtual_camera(settings):
        wanted.append("virtualcam")
    return wanted


def lists_virtual_camera(settings: OutputSettings) -> bool:
    """Whether one of the outputs is a virtual camera by name. Raises SinkError."""
    return any(classify(spec)[0] == "virtualcam" for spec in settings.sinks)
