"""Applying edits of config.yaml while the program runs, limited to the keys that changed in the
file."""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from realtime_bg import backgrounds
from realtime_bg.backgrounds.current import CurrentBackground
from realtime_bg.errors import RealtimeBgError, SettingsError
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, flattened, load, read_file, validated
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats
from realtime_bg.steering.changes import apply
from realtime_bg.steering.checks import Refused
from realtime_bg.system.watching import Wanted

log = logging.getLogger(__name__)


class ConfigFile:
    """Remembers what was last read from the file; an invalid edit changes nothing."""

    def __init__(
        self,
        path: Path,
        live: Live,
        stats: Stats,
        start: Callable[[Path | None], Settings] = load,
    ) -> None:
        """The current content of the file counts as applied. ``start``: the settings of a program
        that starts with a given file, or without one."""
        self.path = path.expanduser().absolute()
        self._live, self._stats, self._start = live, stats, start
        self._virtualcam = live.now.output.virtualcam  # the value after a start with this file
        self._values: dict[str, Any] = {}
        self._problem = ""
        try:
            self._values = flattened(read_file(self.path)[0])
        except SettingsError as error:  # missing, or made invalid since it was read
            log.debug("%s", error)

    @property
    def problem(self) -> str:
        """What is wrong with the current file: it cannot be read, or something it names cannot be
        used, which may only become known after it was applied."""
        refusals = self._live.refusals
        refused = [f"{key}: {refusals[key]}" for key in sorted(refusals.keys() & self._values)]
        return self._problem or (f"{self.path}: {'; '.join(refused)}" if refused else "")

    def reload(self) -> bool:
        """Apply what has changed in the file since it was last read, or log what is wrong with it.
        Return whether it was applied."""
        if not self.path.is_file():
            log.warning("%s has been deleted; the settings stay", self.path)
            return False
        try:
            values, lines = read_file(self.path)
            validated(values, str(self.path), lines)
            new = flattened(values)
            changed = self._changed(new)
            virtualcam = self._virtualcam
            if "output.sinks" in changed:
                virtualcam = self._start(self.path).output.virtualcam
            if virtualcam != self._virtualcam:
                changed.setdefault("output.virtualcam", virtualcam)
            try:
                apply(self._live, lambda _: changed)
            except Refused as error:
                line = lines.get(tuple(error.key.split(".")))
                place = f"{self.path}, line {line}" if line else str(self.path)
                raise SettingsError(f"{place}: {error}") from None
            # Valid on its own, but not together with what was set since
            except SettingsError as error:
                raise SettingsError(f"{self.path}: {error}") from None
        except RealtimeBgError as error:
            if self._problem != str(error):
                log.error("%s; the old settings stay", error)
            self._problem = str(error)
            self._stats.notice("config.yaml has an error, see the log")
            return False
        self._problem, self._values, self._virtualcam = "", new, virtualcam
        if changed:
            log.info("%s: changed %s", self.path, ", ".join(changed))
        return True

    def _changed(self, new: dict[str, Any]) -> dict[str, Any]:
        """The new values by key, including those that were taken back earlier and may work now. A
        key that was removed from the file returns to its value without the file."""
        refused = self._live.refusals
        changed = {
            key: value
            for key, value in new.items()
            if key not in self._values or self._values[key] != value or key in refused
        }
        gone = [key for key in self._values if key not in new]
        base = flattened(self._start(None).model_dump()) if gone else {}
        return changed | {key: base[key] for key in gone if key in base}


def in_use(config: ConfigFile, live: Live, stats: Stats, processor: Processor | None) -> Wanted:
    """Watch the files that concern a running program: configuration, background, model."""
    wanted: Wanted = {config.path: config.reload}
    if processor is None:
        return wanted
    spec = live.now.background.current
    try:
        path = backgrounds.file_of(spec)
    except RealtimeBgError:  # its file is missing; it may come back
        path = Path(spec).expanduser()
    if path is not None:
        wanted[path] = lambda: _changed_on_disk(path, processor.compositor.background)
    for layer in live.now.layers.items:
        for file in filter(None, (layer.file, layer.font)):
            wanted[file.expanduser()] = partial(_layer_changed, file, processor)
    if stats.model:
        model = Path(stats.model)
        wanted[model] = lambda: _changed_on_disk(model, processor.matting)
    return wanted


def _layer_changed(file: Path, processor: Processor) -> None:
    log.info("%s has changed; reading it again", file)
    processor.compositor.layers.reload(file)


def _changed_on_disk(path: Path, user: Matting | CurrentBackground) -> None:
    if path.exists():
        log.info("%s has changed; reading it again", path)
        user.reload()
    else:
        log.warning("%s has been deleted; its content stays in use", path)
