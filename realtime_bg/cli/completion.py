"""The values that the shell completes: engines, backgrounds, models and settings.

Each function takes what has been typed so far. Files are completed by the shell itself where
nothing here fits.
"""

from collections.abc import Iterable
from typing import Any


def _fitting(words: Iterable[str], typed: str) -> list[str]:
    return [word for word in words if word.startswith(typed)]


def engines(incomplete: str) -> list[str]:
    from realtime_bg.engines import installed

    return _fitting(["auto", *installed()], incomplete)


def backgrounds(incomplete: str) -> list[str]:
    from realtime_bg import backgrounds

    return _fitting([*backgrounds.scenes(), "blur", "erase", "none"], incomplete)


def models(incomplete: str) -> list[str]:
    from realtime_bg import zoo

    return _fitting(zoo.models(), incomplete)


def toggles(incomplete: str) -> list[str]:
    """The settings that are on or off."""
    return _fitting((key for key, kind in _fields() if kind.get("type") == "boolean"), incomplete)


def changes(incomplete: str) -> list[str]:
    """``KEY=``, or ``KEY=VALUE`` where there are few values."""
    key, sign, _ = incomplete.partition("=")
    if not sign:
        return _fitting((f"{key}=" for key, _ in _fields()), incomplete)
    kind = dict(_fields()).get(key, {})
    values = kind.get("enum", ["true", "false"] if kind.get("type") == "boolean" else [])
    return _fitting((f"{key}={value}" for value in values), incomplete)


def _fields() -> list[tuple[str, dict[str, Any]]]:
    """Each setting's key and its JSON schema."""
    from realtime_bg.settings.template import schema

    whole = schema()

    def walk(part: dict[str, Any], before: str) -> Iterable[tuple[str, dict[str, Any]]]:
        for name, field in part["properties"].items():
            under = whole["$defs"].get(field.get("$ref", "").rpartition("/")[2])
            if under is not None and "properties" in under:
                yield from walk(under, f"{before}{name}.")
            else:
                yield f"{before}{name}", under or field

    return list(walk(whole, ""))
