"""Backgrounds by name, and by what a spec turns out to be."""

import re
from difflib import get_close_matches
from pathlib import Path

from realtime_bg.backgrounds.base import Background
from realtime_bg.backgrounds.still import is_still
from realtime_bg.errors import BackgroundError, reason
from realtime_bg.imaging.colours import find_colour, parse_colour
from realtime_bg.registry import open_plugin
from realtime_bg.settings import BackgroundSettings

__all__ = ["BACKGROUNDS", "BUILT_IN", "cycle", "open_background", "parse_colour"]

BACKGROUNDS = {
    "beach": "realtime_bg.backgrounds.drawn:DrawnBackground",
    "office": "realtime_bg.backgrounds.drawn:DrawnBackground",
    "studio": "realtime_bg.backgrounds.drawn:DrawnBackground",
    "gradient": "realtime_bg.backgrounds.drawn:DrawnBackground",
    "blur": "realtime_bg.backgrounds.blur:BlurBackground",
    "erase": "realtime_bg.backgrounds.erase:EraseBackground",
    "none": "realtime_bg.backgrounds.passthrough:PassthroughBackground",
    "colour": "realtime_bg.backgrounds.still:ColourBackground",
    "image": "realtime_bg.backgrounds.still:ImageBackground",
    "video": "realtime_bg.backgrounds.video:VideoBackground",
    "folder": "realtime_bg.backgrounds.folder:FolderBackground",
}
BUILT_IN = ("beach", "office", "studio", "gradient")

_KINDS = (
    "an image, video, folder, a colour such as #00b140, blur, erase, none "
    f"or a built-in: {', '.join(BUILT_IN)}"
)


def open_background(spec: str, settings: BackgroundSettings, wait: bool) -> Background:
    """Open what ``spec`` names; ``wait`` as in `Background`. Raises BackgroundError.

    Specs: ``none``, ``erase``, ``blur`` or ``blur:RADIUS``, a built-in name, ``#rrggbb``,
    ``#rgb``, a CSS colour name, or the path of an image, a clip or animated GIF/WebP, or a folder
    of these. A bare word is a name before it is a path; ``./beach`` is always a path.
    """
    kind, target = classify(spec)
    background: Background = open_plugin(
        BACKGROUNDS, kind, "background", BackgroundError, target, settings, wait
    )
    return background


def classify(spec: str) -> tuple[str, str]:
    """The registry name for ``spec`` and the target its class gets. Raises BackgroundError."""
    spec = spec.strip()
    name, colon, rest = spec.partition(":")
    if name in ("blur", "erase", "none") and (name == "blur" or not colon):
        return name, rest
    if spec in BUILT_IN:
        return spec, spec
    if spec.startswith("#") and not re.search(r"[./\\]", spec):
        return "colour", spec
    if re.fullmatch("[A-Za-z]+", spec) and find_colour(spec):
        return "colour", spec
    try:
        path = Path(spec).expanduser()
        is_there, is_folder = path.exists(), path.is_dir()
    except (OSError, RuntimeError) as error:  # no such user, not allowed in there, too long a name
        raise BackgroundError(f"background {spec!r}: {reason(error)}; give {_KINDS}") from None
    if not spec or not is_there:
        raise _unknown(spec)
    if is_folder:
        return "folder", str(path)
    return ("image" if is_still(path) else "video"), str(path)


def _unknown(spec: str) -> BackgroundError:
    near = get_close_matches(spec.lower(), (*BUILT_IN, "blur", "erase", "none"), n=1)
    hint = f"did you mean {near[0]!r}? Or give" if near else "give a path to"
    return BackgroundError(f"background {spec!r}: no such file or name; {hint} {_KINDS}")


def _folder(item: str) -> Path | None:
    try:
        kind, target = classify(item)
    except BackgroundError:
        return None
    return Path(target) if kind == "folder" else None


def cycle(items: tuple[str, ...], current: str, step: int) -> str:
    """The item ``step`` places after ``current``, around the end.

    A folder among ``items`` stands for its pictures and clips in natural order. When
    ``current`` is not among them, the first (``step`` > 0) or the last one is returned.
    """
    from realtime_bg.backgrounds.folder import media

    places: dict[str, None] = {}  # in order, each once: a double would trap the walk
    folder_start = None
    for item in items:
        folder = _folder(item)
        if folder is not None and item == current:
            folder_start = len(places)
        places.update(dict.fromkeys((item,) if folder is None else map(str, media(folder))))
    order = list(places)
    if not order:
        return current
    if current in places:
        return order[(order.index(current) + step) % len(order)]
    if folder_start is not None:  # the slideshow itself is shown: walk into it or out before it
        return order[(folder_start + step - (step > 0)) % len(order)]
    return order[0 if step > 0 else -1]
