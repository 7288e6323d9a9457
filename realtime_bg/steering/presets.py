"""Presets: settings under a name of the user's choice, kept in config.yaml."""

import threading
from pathlib import Path
from typing import Any

from realtime_bg.errors import SettingsError, SinkError
from realtime_bg.settings import Preset, Settings, default_config, flattened, validated
from realtime_bg.settings.live import Changes, Live
from realtime_bg.settings.loading import merged, nested
from realtime_bg.settings.schema import in_preset
from realtime_bg.settings.yaml_edit import with_values
from realtime_bg.steering.changes import exchanged
from realtime_bg.system.files import write_whole

MOST = 50


def captured(now: Settings) -> dict[str, Any]:
    """What a preset of the current settings holds: their values that differ from the defaults, by
    dotted key, in the types of JSON and YAML."""
    values, defaults = (flattened(one.model_dump(mode="json")) for one in (now, Settings()))
    return {
        key: value for key, value in values.items() if in_preset(key) and value != defaults.get(key)
    }


def changes(preset: Preset) -> Changes:
    """The changes that make the settings those of ``preset``. The layers stay if it has none,
    because nothing else keeps them."""
    defaults = flattened(Settings().model_dump())
    return {
        key: value for key, value in defaults.items() if in_preset(key) and key != "layers.items"
    } | preset.values


def is_active(preset: Preset, now: Settings) -> bool:
    """Whether applying ``preset`` would change nothing."""
    return validated(merged(now.model_dump(), nested(changes(preset)))) == now


def find(now: Settings, name: str) -> Preset:
    """The preset ``name``. Raises SettingsError."""
    for preset in now.presets:
        if preset.name == name:
            return preset
    raise SettingsError(f"there is no preset {name[:40]!r}")


def use(live: Live, name: str) -> tuple[Settings, Settings]:
    """Change the settings to those of the preset ``name``, and return them as they were before and
    are after. Raises SettingsError or Refused."""
    return exchanged(live, lambda now: changes(find(now, name)))


class Presets:
    """Saves, applies and removes the presets of a running program, whose list ``live`` has."""

    def __init__(self, live: Live, config: Path | None) -> None:
        """``config``: the file with the presets; None means the user's own config.yaml, which is
        created when the first preset is saved."""
        self._live = live
        self.path = config.expanduser().absolute() if config is not None else default_config()
        self._writing = threading.Lock()

    def save(self, name: str) -> None:
        """Save the current settings under ``name``, in place of an older preset of that name.
        Raises SettingsError."""
        new = Preset.model_construct(name=name.strip(), values=captured(self._live.now))
        with self._writing:
            presets = {one.name: one for one in self._live.now.presets}
            if new.name not in presets and len(presets) >= MOST:
                raise SettingsError(f"there are already {MOST} presets; delete some")
            self._write(tuple((presets | {new.name: new}).values()))

    def apply(self, name: str) -> tuple[Settings, Settings]:
        """Change the settings to those of the preset, see `use`. Raises SettingsError or
        Refused."""
        return use(self._live, name)

    def remove(self, name: str) -> None:
        """Delete a preset. Raises SettingsError."""
        with self._writing:
            gone = find(self._live.now, name)
            self._write(tuple(one for one in self._live.now.presets if one is not gone))

    def _write(self, presets: tuple[Preset, ...]) -> None:
        """Write the list into the file, which keeps its comments, and then into the settings."""
        plain = [{"name": one.name, "values": one.values} for one in presets]
        validated({"presets": plain})
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
            write_whole(self.path, with_values(text, {"presets": plain}).encode())
        except (OSError, UnicodeDecodeError, SinkError, SettingsError) as error:
            why = str(error).removeprefix(f"{self.path}: ")
            raise SettingsError(f"the preset cannot be saved in {self.path}: {why}") from None
        self._live.update(presets=plain)
