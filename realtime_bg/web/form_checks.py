"""Validation of the form fields of requests for photos and videos."""

from typing import NamedTuple

from realtime_bg.backgrounds import background_class, classify, names
from realtime_bg.engines import ENGINES
from realtime_bg.errors import BackgroundError
from realtime_bg.web.answers import unusable
from realtime_bg.web.gallery import UPLOAD, Gallery


class FormChoice(NamedTuple):
    """``background``: its spec, or None for transparency. ``engine``: its name."""

    background: str | None
    engine: str | None


def check_form(
    gallery: Gallery, background: str | None, color: str | None, engine: str | None
) -> FormChoice:
    """Validate the fields of a form; empty ones count as missing. Raises Refusal."""
    background, color, engine = (text or None for text in (background, color, engine))
    if background and color:
        raise unusable("give background or color, not both")
    if engine:
        check_engine(engine)
    spec = color or background
    if spec == "transparent":
        spec = None
    return FormChoice(spec and background_spec(gallery, spec), engine)


def check_engine(name: str) -> None:
    """Raise Refusal if there is no engine of this name."""
    if name != "auto" and name not in ENGINES:
        raise unusable(f"unknown engine {name[:50]!r}; there are auto, {', '.join(ENGINES)}")


def background_spec(gallery: Gallery, name: str) -> str:
    """The spec of a background whose name is not a path: built-in, blur, erase, none, a colour or
    an upload.

    Paths are reserved for the command line: a request must not choose which files are read. Raises
    Refusal.
    """
    name = name.strip()
    if name.startswith(UPLOAD):
        return gallery.spec(name)
    try:
        kind, target = classify(name)
        if kind == "colour" or (kind in names() and (not target or _is_safe(kind, target))):
            return name
    except (BackgroundError, OSError, ValueError):
        pass
    raise unusable(
        f"background {name[:50]!r}: choose {', '.join(names())}, blur:RADIUS, a colour "
        "such as #00b140, or an uploaded one"
    )


def _is_safe(kind: str, target: str) -> bool:
    return background_class(kind).target_is_safe and not {"/", "\\"} & set(target)
