"""Recordings and snapshots: starting and ending them, their folder, and unused file names."""

import logging
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import platformdirs

from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Composite
from realtime_bg.settings import OutputSettings
from realtime_bg.settings.live import Live
from realtime_bg.sinks import file_of, with_file
from realtime_bg.sinks.image import save_png
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)


class Recordings:
    """The current recording, if there is one, and the snapshots taken. Used on the compositor's
    thread, except for `failed`."""

    def __init__(self, live: Live, stats: Stats) -> None:
        self._live, self._stats = live, stats
        self.file = ""  # of the current recording; empty if there is none
        self._saved = threading.Condition()
        # Number of snapshots, and the path or the problem of the last one
        self.saved: tuple[int, str] = 0, ""
        # Of recordings and snapshots, including those not yet written
        self._names: set[Path] = set()
        self._snapshots = live.now.snapshots  # number of snapshots that have been taken

    def follow(self, settings: OutputSettings) -> list[str]:
        """Start or end a recording as the settings say. Return the file to write now, as a list of
        one or none."""
        if settings.record:
            return self._recorded(settings)
        self.finish()
        return []

    def finish(self) -> None:
        """End the recording, if there is one, and say where it is."""
        if self.file:
            log.warning("recorded %s", self.file)
            self._stats.notice(f"recorded {self.file}")
        self.end()

    def _recorded(self, settings: OutputSettings) -> list[str]:
        if not self.file:
            folder = media_folder(settings)
            try:
                self.file = str(new_name(folder, ".mp4", self._names))
            except OSError as error:
                text = f"cannot record to {folder} ({error.strerror}); give another output.folder"
                log.error("%s", text)
                self._stats.notice(text)
                self._switch_off(text)
                return []
            self._stats.notice(f"recording {self.file}")
            self._stats.recording_since = time.monotonic()
        return [self.file]

    def end(self) -> None:
        """End the recording. Idempotent."""
        self.file, self._stats.recording_since = "", None

    def failed(self, spec: str, reason: str) -> bool:
        """Called when an output failed. Return whether it was the recording, which is then switched
        off."""
        if spec != self.file:
            return False
        self.end()
        self._switch_off(reason)
        return True

    def _switch_off(self, reason: str) -> None:
        self._live.take_back({"output.record": True}, {"output.record": False}, reason)

    def take_snapshots(self, composite: Composite) -> None:
        """Save ``composite`` if a snapshot was asked for since the last one."""
        now = self._live.now
        if now.snapshots == self._snapshots:
            return
        self._snapshots = now.snapshots
        # Not a daemon thread, so that a snapshot taken right before the end is still finished.
        threading.Thread(target=self._save, args=(composite, now.output), name="snapshot").start()

    def _save(self, composite: Composite, settings: OutputSettings) -> None:
        try:
            path = new_name(media_folder(settings), ".png", self._names)
            save_png(composite, path)
        except (RealtimeBgError, OSError) as error:
            text = f"the snapshot could not be saved: {error}"
            log.error("%s", text)
            self._stats.notice(text)
            self._answer(text)
        else:
            log.warning("saved %s", path)
            self._stats.notice(f"saved {path}")
            self._answer(str(path))

    def _answer(self, text: str) -> None:
        with self._saved:
            self.saved = self.saved[0] + 1, text
            self._saved.notify_all()

    def next_saved(self, after: tuple[int, str], timeout: float) -> str | None:
        """The path or the problem of the first snapshot after ``after``, an earlier value of
        ``saved``. None if there is none within ``timeout`` seconds."""
        with self._saved:
            self._saved.wait_for(lambda: self.saved[0] > after[0], timeout)
            count, text = self.saved
            return text if count > after[0] else None


def media_folder(settings: OutputSettings) -> Path:
    """The folder for snapshots and recordings."""
    if settings.folder is not None:
        return settings.folder.expanduser()
    return Path(platformdirs.user_pictures_dir()) / "realtime-bg"


def new_name(folder: Path, suffix: str, taken: set[Path]) -> Path:
    """An unused file name made of date and time, which is added to ``taken``. Creates the folder.
    Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('realtime-bg-%Y%m%d-%H%M%S')}{suffix}"
    path = next(path for path in numbered(path) if path not in taken and not path.exists())
    taken.add(path)
    return path


def beside_what_is_there(spec: str) -> str:
    """``spec``; if it is a video file that exists, the next numbered name."""
    path = file_of(spec)
    if path is None or not path.is_file():
        return spec
    free = next(name for name in numbered(path) if not name.exists())
    log.warning("%s already exists and is kept; writing %s", path, free)
    return with_file(spec, free)


def numbered(path: Path) -> Iterator[Path]:
    """``a.mp4``, ``a-2.mp4``, ``a-3.mp4``, ..."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
