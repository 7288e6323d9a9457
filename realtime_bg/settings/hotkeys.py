"""The settings of the hot keys, which work whatever program has the focus."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from realtime_bg.settings.section import Section
from realtime_bg.settings.shortcuts import ANYWHERE

MODIFIERS = ("CTRL", "ALT", "SHIFT", "LOGO")


def _check_key(name: str) -> str:
    """Check that it is a key of the preview window that also makes sense without the window, and
    return it; "space" is also written as " ". Raises ValueError."""
    key = " " if name == "space" else name
    if key not in ANYWHERE:
        known = ", ".join("space" if one == " " else one for one in ANYWHERE)
        raise ValueError(f"{name!r} cannot be a hot key; choose from {known}")
    return key


def _without_repeats(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))


def _check_modifiers(text: str) -> str:
    """Check that it names modifiers, as in "CTRL+ALT", and return it in capitals. Raises
    ValueError."""
    names = text.upper().split("+")
    if not set(names) <= set(MODIFIERS) or len(set(names)) < len(names):
        raise ValueError(f"{text!r} are no modifiers; join some of {', '.join(MODIFIERS)} with +")
    return "+".join(names)


def _as_keys(value: object) -> object:
    """A single key or number becomes a tuple of keys; a list's numbers become their digits."""
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(str(one) if isinstance(one, int) else one for one in items)


Key = Annotated[str, StringConstraints(min_length=1), AfterValidator(_check_key)]
Keys = Annotated[tuple[Key, ...], BeforeValidator(_as_keys), AfterValidator(_without_repeats)]


class HotKeySettings(Section):
    """Keys of the preview window that work everywhere, if ``active``: the desktop is asked for
    each of ``keys`` with ``modifiers``, and its user may choose other combinations."""

    active: bool = False
    modifiers: Annotated[str, AfterValidator(_check_modifiers)] = "CTRL+ALT"
    keys: Keys = (" ", "f", "u", "b", "m", "s", "r")
