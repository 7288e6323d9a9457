"""Watching the files a running program uses, and calling back when one has changed."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from watchfiles import watch

log = logging.getLogger(__name__)

SETTLED = 200  # milliseconds: editors write in several steps
LOOK = 1000  # milliseconds after which it is asked anew which files are of interest
RETRY = 1.0  # seconds

Wanted = dict[Path, Callable[[], object]]
Stamp = tuple[int, int, int] | None


class FileWatch:
    """Calls back, on a thread of its own, from its construction until `close`.

    The system's word that something happened only says when to look: what counts is whether a
    file is another one than before, so nothing is missed and nothing told twice.
    """

    def __init__(self, wanted: Callable[[], Wanted]) -> None:
        """``wanted`` is asked about once a second: which files, and what to call when one of them
        was written, replaced or deleted. A folder changes when a file comes or goes."""
        self._wanted = wanted
        self._stamps: dict[Path, Stamp] = {path: _stamp(path) for path in wanted()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except Exception as error:  # a folder that vanished, or no watches left
                log.debug("watching files: %s", error)
                self._stop.wait(RETRY)

    def _watch(self) -> None:
        """Watch until other files are wanted."""
        folders = self._look()
        if not folders:
            self._stop.wait(LOOK / 1000)
            return
        changes = watch(
            *folders,
            watch_filter=None,
            debounce=SETTLED,
            step=SETTLED // 4,
            stop_event=self._stop,
            rust_timeout=LOOK,
            yield_on_timeout=True,
            recursive=False,
            raise_interrupt=False,
        )
        for _ in changes:
            if self._look() != folders:
                return

    def _look(self) -> set[Path]:
        """Call back for every file that has changed; the folders to watch from now on."""
        wanted = self._wanted()
        for path, call in wanted.items():
            stamp = _stamp(path)
            if stamp != self._stamps.setdefault(path, stamp):
                self._stamps[path] = stamp
                try:
                    call()
                except Exception as error:  # the others are looked at all the same
                    log.error("%s has changed, which could not be followed: %r", path, error)
                    log.debug("following %s", path, exc_info=True)
        for path in self._stamps.keys() - wanted.keys():
            del self._stamps[path]
        # Behind a link, the file itself; a file that is replaced is an event of its folder.
        folders = {name.parent for path in wanted for name in (path.absolute(), path.resolve())}
        return {folder for folder in folders | set(wanted) if folder.is_dir()}

    def watches(self, path: Path) -> bool:
        """Whether changes of ``path`` are reported from now on."""
        return path in self._stamps

    def close(self) -> None:
        """Stop watching. Idempotent."""
        self._stop.set()
        self._thread.join(3.0)


def _stamp(path: Path) -> Stamp:
    """What changes when a file is written or replaced; None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
