"""Validation of the form fields of requests for photos and videos."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from realtime_bg.backgrounds import background_class, classify, names
from realtime_bg.engines import ENGINES
from realtime_bg.errors import BackgroundError, SettingsError
from realtime_bg.media.photos import Format
from realtime_bg.settings import Settings, validated
from realtime_bg.system.file_names import readable
from realtime_bg.web.answers import unusable
from realtime_bg.web.gallery import UPLOAD, Gallery

SECTIONS = (
    "refine",
    "harmonise",
    "light",
)  # the settings that a request may bring for its own result
PHOTO_FORMATS: tuple[Format, ...] = ("png", "webp", "jpg")
VIDEO_FORMATS = ("mp4", "webm")
WITHOUT_ALPHA = ("jpg", "mp4")

Kind = TypeVar("Kind", bound=str)
Changes = Mapping[str, Mapping[str, Any]]


class FormChoice(NamedTuple):
    """``background``: its spec, or None for transparency. ``engine``: its name. ``changes``: valid
    values of settings, by section and key."""

    background: str | None
    engine: str | None
    changes: Changes = MappingProxyType({})

    def applied(self, settings: Settings) -> Settings:
        """``settings`` with the changes."""
        sections = {
            name: getattr(settings, name).model_copy(update=values)
            for name, values in self.changes.items()
        }
        return settings.model_copy(update=sections)


def check_form(
    gallery: Gallery,
    background: str | None,
    color: str | None,
    engine: str | None,
    settings: str | None = None,
) -> FormChoice:
    """Validate the fields of a form; empty ones count as missing. ``settings``: JSON, see
    `settings_changes`. Raises Refusal."""
    background, color, engine = (text or None for text in (background, color, engine))
    if background and color:
        raise unusable("give background or color, not both")
    if engine:
        check_engine(engine)
    spec = color or background
    if spec == "transparent":
        spec = None
    changes = settings_changes(settings) if settings else MappingProxyType({})
    return FormChoice(spec and background_spec(gallery, spec), engine, changes)


def settings_changes(text: str) -> Changes:
    """The valid values in a part of the settings tree, written as JSON, of which only `SECTIONS`
    may be changed. Raises Refusal."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise unusable('settings: write JSON, such as {"refine": {"feather": 2}}') from None
    if not isinstance(tree, dict) or not all(isinstance(part, dict) for part in tree.values()):
        raise unusable('settings: write sections as objects, such as {"refine": {"feather": 2}}')
    for name in tree:
        if name not in SECTIONS:
            raise unusable(
                f"settings: {_one_line(name)}: only {', '.join(SECTIONS[:-1])} and {SECTIONS[-1]} "
                "can be changed for a single photo or video"
            )
    try:
        valid = validated(tree)
    except SettingsError as error:
        raise unusable(_one_line(str(error), 300)) from None
    return {
        name: {key: getattr(getattr(valid, name), key) for key in part}
        for name, part in tree.items()
    }


def _one_line(text: str, longest: int = 50) -> str:
    return " ".join(readable(text).split())[:longest]


def chosen_format(name: str | None, formats: tuple[Kind, ...], transparent: bool) -> Kind:
    """The format of a result: ``name``, or the first of ``formats`` that can be ``transparent``.
    Raises Refusal."""
    possible = [one for one in formats if not transparent or one not in WITHOUT_ALPHA]
    if not name:
        return possible[0]
    if name not in formats:
        raise unusable(f"format {name[:20]!r}: choose {' or '.join(possible)}")
    if name in WITHOUT_ALPHA and transparent:
        raise unusable(
            f"format {name}: has no transparency; choose {' or '.join(possible)}, or a background"
        )
    return next(one for one in formats if one == name)


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
