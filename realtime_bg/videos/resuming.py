"""Whether an interrupted conversion is resumed, and from which picture.

Finished parts are reused if nothing has changed on which their pictures depend, and unless a
picture depends on all previous ones.
"""

import logging
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from realtime_bg.backgrounds.folder import media
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings
from realtime_bg.version import __version__
from realtime_bg.videos.parts import Parts

log = logging.getLogger(__name__)


def job(settings: Settings, source: Path, options: BaseModel) -> dict[str, Any]:
    """Everything on which the pictures depend, except the engine that is used in the end. Parts of
    another job are useless."""
    engine, behind = settings.engine, Path(settings.background.current).expanduser()
    named = (
        source,
        engine.model,
        engine.combine.model,
        engine.plate.file,
        settings.background.inpaint,
        behind,
        *media(behind),
    )
    keys = {"engine", "background", "refine", "harmonise", "light", "output"}
    return {
        "version": __version__,
        "settings": settings.model_dump(mode="json", include=keys),
        "options": options.model_dump(mode="json", exclude={"sound"}),  # joined at the end
        "files": [_state(path) for path in named if path is not None],
    }


def _state(path: Path) -> list[Any]:
    """The identity of a file: its path, size and time of modification."""
    try:
        status = path.stat()
    except OSError:
        return [str(path)]
    return [str(path.absolute()), status.st_size, status.st_mtime_ns]


def resume(parts: Parts, current_job: dict[str, Any], processor: Processor) -> int | None:
    """Take over the finished ``parts`` of an earlier run of ``current_job``.

    Returns the tick from which the conversion continues, or None if it starts at the beginning.
    ``processor`` must have processed a frame, so that its engine is known.
    """
    stats = processor.stats
    if parts.resume(current_job | {"engine": [stats.engine, Path(stats.model).name]}):
        log.warning("the parts in %s are from another job; starting again", parts.folder)
    if _has_long_memory(processor):
        parts.done.clear()
    return parts.done[-1].pts[-1] + 1 if parts.done else None


def _has_long_memory(processor: Processor) -> bool:
    """Whether a picture depends on all previous ones, so that none may be skipped."""
    background = processor.live.now.background.current
    return background == "erase" or processor.stats.engine == "motion"
