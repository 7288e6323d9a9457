"""The files that the settings name, such as weights and backgrounds: a node that lacks them gets
them from the driver, once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from realtime_bg import zoo
from realtime_bg.backgrounds.folder import media
from realtime_bg.cluster.places import version
from realtime_bg.errors import RealtimeBgError
from realtime_bg.processing.engine_choice import named
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.settings.loading import value_of

BACKGROUND = "background.current"
MODELS = ("engine.model", "engine.combine.model")
FILES = (*MODELS, "engine.plate.file", "background.inpaint")
WEIGHTS = "weights"  # of an engine that the settings name without a file


class Item(NamedTuple):
    """A file. ``key``: the setting that names it or its folder, or `WEIGHTS`. ``place``: its path
    in what the setting names; empty for that itself."""

    key: str
    path: str
    place: str
    version: str


def absolute(settings: Settings) -> Settings:
    """The settings with full paths: workers have other working folders."""
    changes = {}
    for key in (*FILES, BACKGROUND):
        value = value_of(settings, key)
        path = None if value is None else Path(value).expanduser()
        if path is not None and path.exists():
            changes[key] = str(path.absolute())
    return Live(settings).modify(lambda _: changes) if changes else settings


def packed(settings: Settings) -> list[Item]:
    """All files that the settings name, on the driver's machine."""
    items = []
    for key in (*FILES, BACKGROUND):
        value = value_of(settings, key)
        path = None if value is None else Path(value).expanduser().absolute()
        if path is not None and path.is_file():
            items.append(Item(key, str(path), "", version(str(path))))
        elif key == BACKGROUND and path is not None:
            items += [Item(key, str(file), file.name, version(str(file))) for file in media(path)]
    for path in _weights(settings):
        items.append(Item(WEIGHTS, str(path), path.name, version(str(path))))
    return items


def _weights(settings: Settings) -> list[Path]:
    """Weights that the engines would find here by themselves; those of the package are on every
    node."""
    engine = settings.engine
    rows = []
    for model in (engine.model, engine.combine.model):
        if model is not None and not model.is_file() and str(model) in zoo.models():
            rows.append(zoo.row(str(model)))
    if engine.model is None:
        names = (*named(engine), engine.combine.engine)
        rows += [row for row in zoo.models().values() if row.engine in names]
    found = (zoo.find(row) for row in rows)
    return sorted({path for path in found if path and path.parent != zoo.packaged()})


def lacking(items: list[Item]) -> list[int]:
    """The indices of the files that this node does not have."""
    return [index for index, item in enumerate(items) if not _is_here(item)]


def _is_here(item: Item) -> bool:
    if item.key == WEIGHTS and any((folder / item.place).is_file() for folder in zoo.folders()):
        return True
    try:
        return version(item.path) == item.version
    except RealtimeBgError:
        return False


def unpacked(
    settings: Settings, items: list[Item], contents: Mapping[int, bytes], folder: Path
) -> Settings:
    """Write the files that were missing into ``folder`` and return the settings that name them.
    ``contents``: by index. Raises OSError."""
    changes: dict[str, str] = {}
    for key in {items[index].key for index in contents}:
        place = folder / key
        place.mkdir(parents=True, exist_ok=True)
        # A folder is used as a whole, so its other files are needed beside them.
        for index, item in enumerate(items):
            if item.key == key:
                path = place / (item.place or Path(item.path).name)
                path.write_bytes(contents[index] if index in contents else _content(item))
                changes[key] = str(place if item.place else path)
    if weights := changes.pop(WEIGHTS, ""):
        others = os.environ.get(zoo.FOLDERS_VARIABLE, "")
        os.environ[zoo.FOLDERS_VARIABLE] = os.pathsep.join(filter(None, (weights, others)))
    return Live(settings).modify(lambda _: changes) if changes else settings


def _content(item: Item) -> bytes:
    return Path(item.path).read_bytes()
