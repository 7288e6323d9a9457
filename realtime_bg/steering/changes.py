"""Changes to a running program by name: what `ctl` sends and what an edit of config.yaml says.

They are looked at before they are applied, so that whoever asked hears why not.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime_bg import backgrounds, sources
from realtime_bg.errors import RealtimeBgError, SettingsError
from realtime_bg.settings import Settings, flattened, merged, nested, validated
from realtime_bg.settings.live import Live
from realtime_bg.settings.loading import value_of
from realtime_bg.settings.yaml_text import parsed
from realtime_bg.sinks import lists_virtual_camera
from realtime_bg.steering.checks import check_changes

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


def apply(live: Live, change: Callable[[Settings], dict[str, Any]]) -> Settings:
    """Apply ``{"section.key": value}`` as `change` makes it of the present settings. Raises
    SettingsError or Refused, and then nothing has changed."""

    def checked(now: Settings) -> dict[str, Any]:
        changes = change(now)
        new = validated(merged(now.model_dump(), nested(changes)))
        check_changes(new, changes, now)
        listed = lists_virtual_camera(new.output)
        if listed != lists_virtual_camera(now.output) and "output.virtualcam" not in changes:
            changes = changes | {"output.virtualcam": listed}
        return changes

    return live.modify(checked)


def read(now: Settings, key: str, text: str) -> Any:
    """The value a user means by ``text``: as YAML would have it where that is allowed (``true``,
    ``null``, ``[beach, blur]``), else the text itself. Raises SettingsError."""
    value_of(now, key)
    try:
        value = parsed(text)[1] if text.strip() and not text.startswith("#") else text
    except SettingsError:
        value = text
    base = now.model_dump()
    try:
        validated(merged(base, nested({key: value})))
    except SettingsError:
        if isinstance(value, str):
            raise
        validated(merged(base, nested({key: text})))
        return text
    return value


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
        return backgrounds.classify(text)[0] in ("image", "video", "folder")
    if key == "source.spec":
        return sources.classify(text)[0] in ("image", "video")
    if key in ("output.folder", "engine.plate.file"):  # there or not
        return text not in ("", "null", "~")
    return Path(text).expanduser().is_file()
