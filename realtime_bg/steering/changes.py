"""Applying changes to a running program's settings: from keys, `ctl`, the page and config.yaml.

They are looked at before they are applied, so that whoever asked hears why not.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from realtime_bg import backgrounds, sources
from realtime_bg.errors import RealtimeBgError, SettingsError
from realtime_bg.settings import Settings, flattened
from realtime_bg.settings.live import Changes, Live
from realtime_bg.settings.yaml_text import parsed
from realtime_bg.sinks import lists_virtual_camera
from realtime_bg.steering.checks import Refused, check_changes

# Values that are looked up where they are written: `ctl` may run in another folder.
FILES = (
    "background.current",
    "background.inpaint",
    "source.spec",
    "engine.model",
    "engine.combine.model",
    "engine.plate.file",
    "output.folder",
)


def apply(live: Live, change: Callable[[Settings], Changes]) -> Settings:
    """Apply ``{"section.key": value}`` as `change` makes it of the present settings. Raises
    SettingsError or Refused, and then nothing has changed."""
    return live.modify(change, _checked)


def _checked(new: Settings, now: Settings, changes: Changes) -> Changes:
    check_changes(new, changes, now)
    listed = lists_virtual_camera(new.output)
    follows = listed != lists_virtual_camera(now.output) and "output.virtualcam" not in changes
    return {"output.virtualcam": listed} if follows else {}


def apply_texts(live: Live, texts: Mapping[str, str]) -> Settings:
    """Apply values as a user writes them, see `as_value`, where that is allowed, else as the text
    they are: a number may be the name of a file. Raises SettingsError or Refused."""
    values = {key: as_value(text) for key, text in texts.items()}
    while True:
        try:
            return apply(live, lambda _: values)
        except Refused:
            raise
        except SettingsError as error:
            key = next((key for key in texts if f"{error.key}.".startswith(f"{key}.")), None)
            if key is None or isinstance(values[key], str):
                raise
            values[key] = texts[key]


def as_value(text: str) -> Any:
    """What YAML makes of ``text``: ``true``, ``null``, ``[beach, blur]``, a number or a text."""
    if not text.strip() or text.startswith("#"):  # a colour, which YAML takes for a comment
        return text
    try:
        return parsed(text)[1]
    except SettingsError:
        return text


def switch(now: Settings, name: str) -> tuple[str, bool]:
    """The key that ``name`` means, in full or its last part, and the value it does not have.
    Raises SettingsError when that is no setting that is on or off."""
    switches = {
        key: value for key, value in flattened(now.model_dump()).items() if isinstance(value, bool)
    }
    for key, value in switches.items():
        if name in (key, key.rpartition(".")[2]):
            return key, not value
    raise SettingsError(f"{name}: nothing to switch; choose one of: {', '.join(switches)}")


def absolute(key: str, text: str) -> str:
    """``text`` as it is understood in any folder, where ``key`` takes a path."""
    if key not in FILES:
        return text
    try:
        return str(Path(text).expanduser().absolute()) if _is_path(key, text) else text
    except (RealtimeBgError, RuntimeError):  # no such user
        return text  # the daemon says what is wrong


def _is_path(key: str, text: str) -> bool:
    """Whether ``text`` is a file or folder there is, and no name, for the setting ``key``."""
    if key == "background.current":
        return backgrounds.file_of(text) is not None
    if key == "source.spec":
        return sources.file_of(text) is not None
    if key in ("output.folder", "engine.plate.file"):  # there or not
        return text not in ("", "null", "~")
    return Path(text).expanduser().is_file()
