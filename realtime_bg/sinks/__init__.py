"""The registry of sinks, and what kind of sink a spec names."""

from functools import lru_cache
from pathlib import Path

from realtime_bg.errors import SinkError, reason
from realtime_bg.frames import Size
from realtime_bg.media.suffixes import RECORDINGS
from realtime_bg.registry import load_class, open_plugin, split_name, with_plugins
from realtime_bg.settings import OutputSettings
from realtime_bg.sinks.base import Sink

OWN = {
    "window": "realtime_bg.sinks.window:WindowSink",
    "virtualcam": "realtime_bg.sinks.virtualcam:VirtualCameraSink",
    "pipewire": "realtime_bg.sinks.pipewire:PipeWireSink",
    "video": "realtime_bg.sinks.video:VideoSink",
    "rgba": "realtime_bg.sinks.cutouts:RgbaSink",
    "matte": "realtime_bg.sinks.cutouts:MatteSink",
    "pipe": "realtime_bg.sinks.pipe:PipeSink",
    "null": "realtime_bg.sinks.null:NullSink",
}
SINKS = with_plugins(OWN, "realtime_bg.sinks")
BY_SYNTAX = {"video"}  # kinds recognised by the form of a spec, not by a name
FILES = {"video", "rgba", "matte"}  # kinds whose target is the name of a video file
CAMERAS = {"virtualcam", "pipewire"}  # kinds that other programs see as a webcam


def sink_class(kind: str) -> type[Sink]:
    """The class that implements a kind of sink. Raises SinkError or MissingPackageError."""
    return load_class(SINKS, kind, "output", SinkError)


def is_live(spec: str) -> bool:
    """Whether ``spec`` names an output that is watched while it is fed. Raises SinkError."""
    return sink_class(classify(spec)[0]).live


def is_camera(spec: str) -> bool:
    """Whether other programs see the output as a webcam. Raises SinkError."""
    return classify(spec)[0] in CAMERAS


def wants_person(settings: OutputSettings) -> bool:
    """Whether an output shows the person alone (`Composite.person`). Raises SinkError."""
    return _wants_person(settings.sinks)


@lru_cache(maxsize=8)
def _wants_person(specs: tuple[str, ...]) -> bool:
    return any(sink_class(kind).wants_person(target) for kind, target in map(classify, specs))


def is_pipe(spec: str) -> bool:
    """Whether the output is this program's standard output. Raises SinkError."""
    return classify(spec)[0] == "pipe"


def file_of(spec: str) -> Path | None:
    """The file that ``spec`` names, or None. Raises SinkError."""
    kind, target = classify(spec)
    return Path(target) if kind in FILES else None


def with_file(spec: str, path: Path) -> str:
    """``spec``, which names a file, with the file ``path``. Raises SinkError."""
    kind, _ = classify(spec)
    return str(path) if kind == "video" else f"{kind}:{path}"


def absolute(spec: str) -> str:
    """``spec`` with an absolute path, valid in any folder. Raises SinkError."""
    path = file_of(spec)
    return spec if path is None else with_file(spec, path.absolute())


def classify(spec: str) -> tuple[str, str]:
    """The registry name for ``spec`` and the target its class gets. Raises SinkError."""
    name, target, colon = split_name(SINKS, spec)
    if name and name not in BY_SYNTAX:
        named = bool(target) and sink_class(name).takes_target if colon else True
        if named:
            return name, _video_file(spec, target) if name in FILES else target
    if Path(spec).suffix.lower() in RECORDINGS:
        return "video", _video_file(spec, spec)
    names = [name for name in SINKS if name not in FILES]
    raise SinkError(
        f"output {spec!r}: choose {', '.join(names)}, virtualcam:/dev/video10, "
        f"a file ending in {', '.join(RECORDINGS)}, or one after rgba: or matte:"
    )


def _video_file(spec: str, name: str) -> str:
    """The path of a video file. Raises SinkError."""
    try:
        path = Path(name).expanduser()
    except RuntimeError as error:  # unknown user
        raise SinkError(f"output {spec!r}: {reason(error)}; give another file") from None
    if path.suffix.lower() not in RECORDINGS:
        raise SinkError(
            f"output {spec!r}: give the name of a video file, for example {spec.partition(':')[0]}"
            ":me.mov"
        )
    return str(path)


def open_sink(spec: str, size: Size, fps: float) -> Sink:
    """Open what ``spec`` names, see `Sink`. Raises SinkError."""
    kind, target = classify(spec)
    sink: Sink = open_plugin(SINKS, kind, "output", SinkError, target, size, fps)
    return sink


def wanted_sinks(settings: OutputSettings) -> list[str]:
    """The specs of the outputs that run on threads: all except the window; virtual cameras only
    while they are switched on."""
    kinds = {spec: classify(spec)[0] for spec in settings.sinks}
    wanted = [
        spec
        for spec, kind in kinds.items()
        if kind != "window" and (kind not in CAMERAS or settings.virtualcam)
    ]
    if settings.virtualcam and not lists_virtual_camera(settings):
        wanted.append("virtualcam")
    return wanted


def lists_virtual_camera(settings: OutputSettings) -> bool:
    """Whether one of the listed outputs is a virtual camera. Raises SinkError."""
    return any(is_camera(spec) for spec in settings.sinks)
