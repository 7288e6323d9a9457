"""The keys and clicks of the preview window: which settings each of them changes."""

from collections.abc import Callable
from typing import Any, TypeAlias

from realtime_bg.backgrounds import cycle
from realtime_bg.engines import installed
from realtime_bg.errors import SettingsError
from realtime_bg.imaging.crops import WHOLE, Crop
from realtime_bg.settings import Point, Settings
from realtime_bg.settings.live import Changes, Live
from realtime_bg.settings.shortcuts import PRESET_KEYS
from realtime_bg.steering.changes import apply
from realtime_bg.steering.presets import changes

Key: TypeAlias = Callable[[Settings], Changes]
"""Returns the changes that a key makes to the current settings."""

QUIT = ("q", "\x1b")


def _background(step: int) -> Key:
    def change(s: Settings) -> Changes:
        items = s.background.items
        return {"background.current": cycle(items, s.background.current, step)}

    return change


def _toggle(path: str) -> Key:
    def change(s: Settings) -> Changes:
        value: Any = s
        for name in path.split("."):
            value = getattr(value, name)
        return {path: not value}

    return change


def _next_engine(s: Settings, unusable: frozenset[str] = frozenset()) -> Changes:
    names = [name for name in installed() if name not in unusable or name == s.engine.name]
    at = names.index(s.engine.name) if s.engine.name in names else -1
    # A model file belongs to the engine for which it was given.
    return {"engine.name": names[(at + 1) % len(names)], "engine.model": None}


def _threshold(step: float) -> Key:
    def change(s: Settings) -> Changes:
        value = round(min(0.95, max(0.05, s.refine.threshold + step)), 2)
        return {"refine.threshold": value}

    return change


def _feather(step: int) -> Key:
    return lambda s: {"refine.feather": min(64, max(0, s.refine.feather + step))}


KEYS: dict[str, Key] = {
    "b": _background(1),
    "B": _background(-1),
    "0": lambda _: {"background.current": "none"},
    "u": lambda _: {"background.current": "blur"},
    "x": lambda _: {"background.current": "erase"},
    "m": _toggle("output.mirror"),
    "z": lambda s: {"frame.mode": "auto" if s.frame.mode == "off" else "off"},
    "o": lambda s: {"subject.mode": "main" if s.subject.mode == "all" else "all"},
    "e": _next_engine,
    "p": lambda s: {"plates": s.plates + 1},
    "v": _toggle("output.virtualcam"),
    " ": _toggle("paused"),
    "f": _toggle("frozen"),
    "l": _toggle("layers.shown"),
    "i": _toggle("light.active"),
    "a": _toggle("view.alpha"),
    "c": _toggle("view.split"),
    "[": _threshold(-0.05),
    "]": _threshold(0.05),
    ",": _feather(-1),
    ".": _feather(1),
    "r": _toggle("output.record"),
    "s": lambda s: {"snapshots": s.snapshots + 1},
    "d": _toggle("view.stats"),
    "h": _toggle("view.help"),
}


def _preset(number: int) -> Key:
    def change(s: Settings) -> Changes:
        if number > len(s.presets):
            raise SettingsError(f"F{number}: there is no preset {number}; save one on the page")
        return changes(s.presets[number - 1])

    return change


FUNCTION_KEYS = {key: _preset(number) for number, key in enumerate(PRESET_KEYS, 1)}


def press(live: Live, key: str) -> bool:
    """Apply one key (a single character, or "F1" to "F12"). Returns False if it asks to quit.
    Raises Refused or SettingsError if the change cannot work."""
    if key in QUIT:
        return False
    if key == "e":
        apply(live, lambda s: _next_engine(s, live.unusable_engines))
    elif change := KEYS.get(key) or FUNCTION_KEYS.get(key):
        apply(live, change)
    return True


def click(live: Live, point: Point, part: tuple[float, float, float, float] = WHOLE) -> None:
    """Apply a click at ``point``, in fractions of the width and height of the shown picture: the
    engine chroma takes the colour of its screen there, and with `subject.mode: pick` the person
    there is shown. ``part``: what is shown of the camera's picture, see `Stats.shown_part`."""

    def change(s: Settings) -> Changes:
        x, y = point
        place = Crop(*part).place((1 - x if s.output.mirror else x, y))
        changes: Changes = {}
        if "chroma" in (s.engine.name, s.engine.combine.engine):
            changes["engine.chroma.pick"] = place
        if s.subject.mode == "pick":
            changes |= {"subject.point": place, "subject.picks": s.subject.picks + 1}
        return changes

    apply(live, change)
