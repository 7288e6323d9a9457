"""Watches the files that a running program uses, and calls back when one changes."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from watchfiles import watch

log = logging.getLogger(__name__)

SETTLED = 200  # milliseconds to wait, because editors write in several steps
LOOK = 1000  # milliseconds between updates of the set of files
RETRY = 1.0  # seconds

Wanted = dict[Path, Callable[[], object]]
Stamp = tuple[int, int, int] | None


class FileWatch:
    """Calls back on its own thread, from construction until `close`.

    The system's notifications only trigger a check; a callback happens if a file differs from
    before, so no change is missed or reported twice.
    """

    def __init__(self, wanted: Callable[[], Wanted]) -> None:
        """``wanted`` is called about once a second and returns the files, and the callback for each
        that is called when it is written, replaced or deleted. A folder changes when a file in it
        is added or removed."""
        self._wanted = wanted
        self._stamps: dict[Path, Stamp] = {path: _stamp(path) for path in wanted()}
        self._asked: set[Path] = set()  # to be reported whether they have changed or not
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except Exception as error:  # a deleted folder, or the limit of watches
                log.debug("watching files: %s", error)
                self._stop.wait(RETRY)

    def _watch(self) -> None:
        """Watch until the set of folders changes."""
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
        """Call back for every file that has changed; return the folders to watch."""
        wanted = self._wanted()
        for path, call in wanted.items():
            stamp, asked = _stamp(path), path in self._asked
            if asked:
                self._asked.discard(path)
                log.info("%s is read again, as requested", path)
            if stamp != self._stamps.setdefault(path, stamp) or asked:
                self._stamps[path] = stamp
                try:
                    call()
                except Exception as error:  # the other files are still checked
                    log.error(
                        "%s has changed, but the change could not be applied: %r", path, error
                    )
                    log.debug("applying %s", path, exc_info=True)
        for path in self._stamps.keys() - wanted.keys():
            del self._stamps[path]
        # The folders, because replacing a file is an event of its folder; also those of links'
        # targets.

        folders = {name.parent for path in wanted for name in (path.absolute(), path.resolve())}
        return {folder for folder in folders | set(wanted) if folder.is_dir()}

    def read_again(self, path: Path) -> None:
        """Call back for a watched file within about a second, even if it has not changed."""
        self._asked.add(path)

    def watches(self, path: Path) -> bool:
        """Whether changes of ``path`` are reported."""
        return path in self._stamps

    def close(self) -> None:
        """Stop watching. Idempotent."""
        self._stop.set()
        self._thread.join(3.0)


def _stamp(path: Path) -> Stamp:
    """Return values that change when a file is written or replaced; None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
