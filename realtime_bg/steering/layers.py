"""Adding, changing and removing one layer of the settings by its name."""

from collections.abc import Mapping
from typing import Any

from realtime_bg.errors import SettingsError
from realtime_bg.settings import Settings
from realtime_bg.settings.layers import LayerSettings
from realtime_bg.settings.live import Changes
from realtime_bg.steering.changes import as_value

ITEMS = "layers.items"
TEXTS = ("name", "file", "text", "font", "colour")  # taken as they are written


def with_layer(now: Settings, name: str, texts: Mapping[str, str]) -> Changes:
    """The changes that set the keys ``texts`` of the layer ``name``, which is added on top of the
    others if there is none. Raises SettingsError."""
    unknown = [key for key in texts if key not in LayerSettings.model_fields]
    if unknown:
        raise SettingsError(
            f"a layer has no {unknown[0]}; choose {', '.join(LayerSettings.model_fields)}"
        )
    values = {key: _value(key, text) for key, text in texts.items()}
    items = [item.model_dump() for item in now.layers.items]
    found = [item for item in items if item["name"] == name]
    if found:
        found[0].update(values)
    elif values:
        items.append({"name": name, **values})
    else:
        raise _unknown(now, name)
    return {ITEMS: items}


def without_layer(now: Settings, name: str) -> Changes:
    """The changes that remove the layer ``name``. Raises SettingsError."""
    items = [item.model_dump() for item in now.layers.items if item.name != name]
    if len(items) == len(now.layers.items):
        raise _unknown(now, name)
    return {ITEMS: items}


def _value(key: str, text: str) -> Any:
    if key in TEXTS:
        return text
    return text if key == "position" and "," in text and "[" not in text else as_value(text)


def _unknown(now: Settings, name: str) -> SettingsError:
    names = ", ".join(item.name for item in now.layers.items)
    there = f"there are: {names}" if names else "there are none"
    return SettingsError(f"there is no layer {name[:40]!r}; {there}; add it with file= or text=")
