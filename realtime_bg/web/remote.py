"""Which settings a browser may see and change: those of config.yaml, except the ones that name
files, devices or outputs."""

from http import HTTPStatus
from typing import Any

from realtime_bg.errors import SettingsError
from realtime_bg.settings import BackgroundSettings, Settings, flattened
from realtime_bg.settings.live import Live
from realtime_bg.settings.loading import nested
from realtime_bg.steering.changes import exchanged
from realtime_bg.steering.presets import is_active
from realtime_bg.system.urls import without_password
from realtime_bg.web.answers import Refusal, unusable
from realtime_bg.web.form_checks import background_spec
from realtime_bg.web.gallery import Gallery

# Only the person who starts the program decides which files are read or written, which device is
# opened and who may see it. Keys of the tree; a section stands for all of its keys.
LOCAL = (
    "source",
    "engine.model",
    "engine.combine.model",
    "engine.device",
    "engine.offline",
    "engine.plate.file",
    "background.inpaint",
    "idle.background",
    "output.sinks",
    "output.folder",
    "presets",  # have routes of their own, which also save them
    "privacy",
)


def shown(live: Live, gallery: Gallery) -> dict[str, Any]:
    """All settings as JSON; uploaded backgrounds appear by name, and each preset says whether the
    settings are those it makes."""
    values = live.now.model_dump(mode="json")
    values["source"]["spec"] = without_password(values["source"]["spec"])
    background = values["background"]
    background["current"] = gallery.name(background["current"])
    background["items"] = [gallery.name(item) for item in background["items"]]
    for preset, one in zip(values["presets"], live.now.presets, strict=True):
        preset["active"] = is_active(one, live.now)
        inside = preset["values"]
        if "background.current" in inside:
            inside["background.current"] = gallery.name(str(inside["background.current"]))
    return values


class Replaced:
    """Backgrounds and files of layers that changes from a browser have replaced. A browser may
    choose them again, as it does to undo such a change."""

    def __init__(self) -> None:
        self.backgrounds: set[str] = set()
        self.files: set[str] = set()

    def note(self, before: Settings) -> None:
        """Remember what ``before``, the settings before a change, names."""
        self.backgrounds.add(before.background.current)
        self.files |= _files(before)


def undoing(gallery: Gallery, before: Settings, after: Settings) -> dict[str, Any]:
    """The part of the tree, as in `shown`, that turns the settings ``after`` into ``before``."""
    old, new = (flattened(one.model_dump(mode="json")) for one in (before, after))
    values = {key: value for key, value in old.items() if new[key] != value}
    if "background.current" in values:
        values["background.current"] = gallery.name(values["background.current"])
    return nested(values)


def change(live: Live, gallery: Gallery, wanted: dict[str, Any], replaced: Replaced) -> None:
    """Merge ``wanted``, a part of the tree, into the settings. If it raises Refusal, nothing has
    changed."""
    dotted = dict(_flat(wanted))
    for path in dotted:
        if any(
            path == local or path.startswith(f"{local}.") or local.startswith(f"{path}.")
            for local in LOCAL
        ):
            text = (
                f"{path}: can be set in config.yaml or on the command line, but not from a browser"
            )
            raise Refusal(HTTPStatus.FORBIDDEN, text)

    def changes(now: Settings) -> dict[str, Any]:
        allowed = {now.background.current, *now.background.items} | replaced.backgrounds

        def spec(value: Any) -> Any:
            if not isinstance(value, str) or value in allowed:
                return value
            return background_spec(gallery, value)

        values = dict(dotted)
        if "background.current" in values:
            values["background.current"] = spec(values["background.current"])
        items = values.get("background.items")
        if isinstance(items, str):  # which the settings accept as a list of one
            items = [items]
        if isinstance(items, list):
            values["background.items"] = [spec(item) for item in items]
        _check_layers(_files(now) | replaced.files, values.get("layers.items"))
        return values

    try:
        before, _ = exchanged(live, changes)
    except SettingsError as error:
        raise unusable(str(error)) from None
    replaced.note(before)


def _files(settings: Settings) -> set[str]:
    return {
        str(file)
        for item in settings.layers.items
        for file in (item.file, item.font)
        if file is not None
    }


def _check_layers(used: set[str], wanted: Any) -> None:
    """Check that layers name no files but those ``used``. Raises Refusal."""
    for item in wanted if isinstance(wanted, list) else ():
        for key in ("file", "font"):
            name = item.get(key) if isinstance(item, dict) else None
            if name is not None and str(name) not in used:
                text = (
                    f"layers: {key} can be set in config.yaml or with `realtime-bg ctl`, but not "
                    "from a browser"
                )
                raise Refusal(HTTPStatus.FORBIDDEN, text)


def let_go(live: Live, background: str) -> None:
    """Stop using a background that is about to be deleted; the default replaces it."""

    def changes(now: Settings) -> dict[str, Any]:
        items = [item for item in now.background.items if item != background]
        changed: dict[str, Any] = {"background.items": items}
        if now.background.current == background:
            changed["background.current"] = BackgroundSettings().current
        return changed

    live.modify(changes)


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """``{"a": {"b": 1}}`` -> ``[("a.b", 1)]``; empty sections are ignored."""
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        path = f"{prefix}{name}"
        if "." in name:
            raise unusable(f"{path[:100]}: write sections as objects")
        pairs += _flat(value, f"{path}.") if isinstance(value, dict) else [(path, value)]
    return pairs
