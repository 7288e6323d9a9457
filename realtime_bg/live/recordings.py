"""Where recordings and snapshots go, under names that nothing has yet."""

import time
from pathlib import Path

import platformdirs

from realtime_bg.live.outlet import _numbered
from realtime_bg.settings import OutputSettings


def new_name(folder: Path, suffix: str, taken: set[Path]) -> Path:
    """A file name by date and time that nothing has yet, added to ``taken``; makes the folder.
    Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('realtime-bg-%Y%m%d-%H%M%S')}{suffix}"
    path = next(path for path in _numbered(path) if path not in taken and not path.exists())
    taken.add(path)
    return path


def media_folder(settings: OutputSettings) -> Path:
    """Where snapshots and recordings go."""
    if settings.folder is not None:
        return settings.folder.expanduser()
    return Path(platformdirs.user_pictures_dir()) / "realtime-bg"
