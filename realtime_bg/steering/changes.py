"""Applying changes to a running program's settings: from keys, `ctl`, the page and config.yaml.

Changes are checked before they are applied, so that the caller learns why one is refused.
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

# Settings with relative paths: `ctl` may run in another folder than the daemon.
FILES = (
    "background.current",
    "background.inpaint",
    "idle.background",
    "source.spec",
    "engine.model",
    "engine.combine.model",
    "engine.plate.file",
    "output.folder",
)


def apply(live: Live, change: Callable[[Settings], Changes]) -> Settings:
    """Apply the changes ``{"section.key": value}`` that ``change`` returns for the current
    settings. If it raises SettingsError or Refused, nothing has changed."""
    return live.modify(change, _checked)


def exchanged(live: Live, change: Callable[[Settings], Changes]) -> tuple[Settings, Settings]:
    """Apply changes as `apply` does; the settings that they replaced, and the new ones."""
    before = live.now

    def noted(now: Settings) -> Changes:
        nonlocal before
        before = now
        return change(now)

    after = apply(live, noted)
    return before, after


def _checked(new: Settings, now: Settings, changes: Changes) -> Changes:
    check_changes(new, changes, now)
    listed = lists_virtual_camera(new.output)
    follows = listed != lists_virtual_camera(now.output) and "output.virtualcam" not in changes
    return {"output.virtualcam": listed} if follows else {}


def apply_texts(live: Live, texts: Mapping[str, str]) -> Settings:
    """Apply values as users write them: parsed by `as_value` if the setting accepts that, otherwise
    as plain text, because a number may be the name of a file. Raises SettingsError or Refused."""
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
    """``text`` parsed as YAML: ``true``, ``null``, ``[beach, blur]``, a number or a text."""
    if not text.strip() or text.startswith("#"):  # a colour, which YAML would read as a comment
        return text
    try:
        return parsed(text)[1]
    except SettingsError:
        return text


def switch(now: Settings, name: str) -> tuple[str, bool]:
    """The key that ``name`` means, in full or by its last part, and the opposite of its value.
    Raises SettingsError if it is not a setting that is on or off."""
    switches = {
        key: value for key, value in flattened(now.model_dump()).items() if isinstance(value, bool)
    }
    for key, value in switches.items():
        if name in (key, key.rpartition(".")[2]):
            return key, not value
    raise SettingsError(f"{name}: cannot be switched; choose one of: {', '.join(switches)}")


def absolute(key: str, text: str) -> str:
    """``text`` with an absolute path, if the setting ``key`` accepts a path."""
    if key not in FILES:
        return text
    try:
        return str(Path(text).expanduser().absolute()) if _is_path(key, text) else text
    except (RealtimeBgError, RuntimeError):  # unknown user
        return text  # the daemon reports what is wrong


def _is_path(key: str, text: str) -> bool:
    """Whether ``text``, as a value of ``key``, is an existing file or folder and not a name."""
    if key in ("background.current", "idle.background"):
        return backgrounds.file_of(text) is not None
    if key == "source.spec":
        return sources.file_of(text) is not None
    if key in ("output.folder", "engine.plate.file"):  # whether it exists or not
        return text not in ("", "null", "~")
    return Path(text).expanduser().is_file()
