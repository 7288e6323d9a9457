"""The registry of sources, and what kind of source a spec names."""

import re
from pathlib import Path

from realtime_bg.errors import SourceError, reason
from realtime_bg.media.pictures import first_bytes, is_animated_png
from realtime_bg.media.suffixes import PICTURES
from realtime_bg.registry import load_class, open_plugin, split_name, with_plugins
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.base import Source

OWN = {
    "camera": "realtime_bg.sources.camera:CameraSource",
    "demo": "realtime_bg.sources.demo:DemoSource",
    "image": "realtime_bg.sources.image:ImageSource",
    "pipewire": "realtime_bg.sources.pipewire:PipeWireSource",
    "stream": "realtime_bg.sources.stream:StreamSource",
    "video": "realtime_bg.sources.video:VideoSource",
}
SOURCES = with_plugins(OWN, "realtime_bg.sources")
FILES = ("image", "video")  # kinds whose target is a path
BY_SYNTAX = {"camera", "stream", *FILES}  # kinds recognised by the form of a spec, not by a name


def source_class(kind: str) -> type[Source]:
    """The class that implements a kind of source. Raises SourceError or MissingPackageError."""
    return load_class(SOURCES, kind, "source", SourceError)


def is_live(spec: str) -> bool:
    """Whether ``spec`` names a live source, which drops frames that are not taken in time. Raises
    SourceError."""
    return source_class(classify(spec)[0]).live


def file_of(spec: str) -> Path | None:
    """The file that ``spec`` names, or None. Raises SourceError."""
    kind, target = classify(spec)
    return Path(target) if kind in FILES else None


def classify(spec: str) -> tuple[str, str]:
    """The registry name for ``spec`` and the target its class gets. Raises SourceError."""
    name, _, rest = spec.partition(":")
    if name == "camera":
        if not re.fullmatch(r"\d*|/dev/.+", rest):
            raise SourceError(f"source {spec!r}: write camera, camera:1 or /dev/video1")
        return "camera", rest
    if re.fullmatch(r"/dev/video\d+", spec):
        return "camera", spec
    name, target, colon = split_name(SOURCES, spec)
    if name and name not in BY_SYNTAX and (not colon or source_class(name).takes_target):
        return name, target
    if re.match(r"[a-z][a-z0-9+.]{1,9}://", spec):
        return "stream", spec
    try:
        path = Path(spec).expanduser()
        is_there = path.exists()
    # Unknown user, no permission, or a name that is too long
    except (OSError, RuntimeError) as error:
        raise SourceError(f"source {spec!r}: {reason(error)}; give another file") from None
    if not is_there:
        raise SourceError(
            f"source {spec!r}: no such file; give a video or image file, camera, camera:1, "
            f"/dev/video0, a stream URL, or one of: {', '.join(_names())}"
        )
    if path.is_dir():
        raise SourceError(f"source {spec!r} is a folder; give one video or image file")
    still = path.suffix.lower() in PICTURES and not is_animated_png(first_bytes(path))
    return ("image" if still else "video"), str(path)


def _names() -> list[str]:
    return [name for name in SOURCES if name not in BY_SYNTAX]


def open_source(settings: SourceSettings, paced: bool) -> Source:
    """Open what ``settings.spec`` names; ``paced`` as in `Source`. Raises SourceError."""
    kind, target = classify(settings.spec)
    source: Source = open_plugin(SOURCES, kind, "source", SourceError, target, settings, paced)
    return source
