"""The registry of backgrounds, and what kind of background a spec names."""

import re
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from realtime_bg.backgrounds.base import Background
from realtime_bg.backgrounds.still import is_still
from realtime_bg.errors import BackgroundError, MissingPackageError, reason
from realtime_bg.imaging.colours import find_colour
from realtime_bg.registry import load_class, open_plugin, split_name, with_plugins
from realtime_bg.settings import BackgroundSettings

OWN = {
    "beach": "realtime_bg.backgrounds.built_in:Beach",
    "office": "realtime_bg.backgrounds.built_in:Office",
    "studio": "realtime_bg.backgrounds.built_in:Studio",
    "gradient": "realtime_bg.backgrounds.built_in:Gradient",
    "blur": "realtime_bg.backgrounds.blur:BlurBackground",
    "erase": "realtime_bg.backgrounds.erase:EraseBackground",
    "none": "realtime_bg.backgrounds.passthrough:PassthroughBackground",
    "colour": "realtime_bg.backgrounds.still:ColourBackground",
    "image": "realtime_bg.backgrounds.still:ImageBackground",
    "video": "realtime_bg.backgrounds.video:VideoBackground",
    "folder": "realtime_bg.backgrounds.folder:FolderBackground",
}
BACKGROUNDS = with_plugins(OWN, "realtime_bg.backgrounds")
FILES = ("image", "video", "folder")  # kinds whose target is a path
BY_SYNTAX = {"colour", *FILES}  # kinds recognised by the form of a spec, not by a name


def names() -> list[str]:
    """The names that a spec may use, in the order of the registry; files and colours have none."""
    return [name for name in BACKGROUNDS if name not in BY_SYNTAX]


@cache
def scenes() -> tuple[str, ...]:
    """Named backgrounds that need neither the camera's picture nor a target: the built-in scenes
    and those of other packages. A background that cannot be imported is left out."""
    found = []
    for name in names():
        with suppress(BackgroundError, MissingPackageError):
            kind = background_class(name)
            if not (kind.needs_frame or kind.passthrough or kind.takes_target):
                found.append(name)
    return tuple(found)


def background_class(kind: str) -> type[Background]:
    """The class that implements a kind of background. Raises BackgroundError or
    MissingPackageError."""
    return load_class(BACKGROUNDS, kind, "background", BackgroundError)


def file_of(spec: str) -> Path | None:
    """The file or folder that ``spec`` names, or None. Raises BackgroundError."""
    kind, target = classify(spec)
    return Path(target) if kind in FILES else None


def open_background(spec: str, settings: BackgroundSettings, wait: bool) -> Background:
    """Open what ``spec`` names; ``wait`` as in `Background`. Raises BackgroundError.

    Specs: a registered name (``none``, ``erase``, ``beach`` ...), with a target where it takes one
    (``blur:RADIUS``), ``#rrggbb``, ``#rgb``, a CSS colour name, or the path of an image, a clip or
    animated GIF/WebP, or a folder of these. A bare word is a name before it is a path; ``./beach``
    is always a path.
    """
    kind, target = classify(spec)
    background: Background = open_plugin(
        BACKGROUNDS, kind, "background", BackgroundError, target, settings, wait
    )
    return background


def check(spec: str) -> None:
    """Check that ``spec`` names a background that can work, as far as can be told without opening
    it. Raises BackgroundError."""
    kind, target = classify(spec)
    background_class(kind).check_target(target)


def classify(spec: str) -> tuple[str, str]:
    """The registry name for ``spec`` and the target its class gets. Raises BackgroundError."""
    spec = spec.strip()
    name, target, colon = split_name(BACKGROUNDS, spec)
    if name and name not in BY_SYNTAX and (not colon or background_class(name).takes_target):
        return name, target
    if spec.startswith("#") and not re.search(r"[./\\]", spec):
        return "colour", spec
    if re.fullmatch("[A-Za-z]+", spec) and find_colour(spec):
        return "colour", spec
    try:
        path = Path(spec).expanduser()
        is_there, is_folder, is_file = path.exists(), path.is_dir(), path.is_file()
    # Unknown user, no permission, or a name that is too long
    except (OSError, RuntimeError) as error:
        raise BackgroundError(f"background {spec!r}: {reason(error)}; give {_kinds()}") from None
    if not spec or not is_there:
        raise _unknown(spec)
    if is_folder:
        return "folder", str(path)
    if not is_file:  # a pipe or a device could block whoever opens it
        raise BackgroundError(f"background {spec!r}: not a regular file; give {_kinds()}")
    return ("image" if is_still(path) else "video"), str(path)


def _kinds() -> str:
    return f"an image, video, folder, a colour such as #00b140, or one of: {', '.join(names())}"


def _unknown(spec: str) -> BackgroundError:
    near = get_close_matches(spec.lower(), names(), n=1)
    hint = f"did you mean {near[0]!r}? Or give" if near else "give a path to"
    return BackgroundError(f"background {spec!r}: no such file or name; {hint} {_kinds()}")


def _folder(item: str) -> Path | None:
    try:
        path = file_of(item)
    except BackgroundError:
        return None
    return path if path is not None and path.is_dir() else None


def cycle(items: tuple[str, ...], current: str, step: int) -> str:
    """The item ``step`` places after ``current``, around the end.

    A folder among ``items`` stands for its pictures and clips in natural order. When
    ``current`` is not among them, the first (``step`` > 0) or the last one is returned.
    """
    from realtime_bg.backgrounds.folder import media

    places: dict[str, None] = {}  # ordered and unique: a duplicate would trap the walk
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
    # The slideshow itself is showing: step into it, or to what comes before it
    if folder_start is not None:
        return order[(folder_start + step - (step > 0)) % len(order)]
    return order[0 if step > 0 else -1]
