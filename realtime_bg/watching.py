"""Files that a running program uses, watched: whoever uses one is told when it has changed."""

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


class FileWatch:
    """Calls back, on a thread of its own, from its construction until `close`."""

    def __init__(self, wanted: Callable[[], Wanted]) -> None:
        """``wanted`` is asked about once a second: which files, and what to call when one of them
        was written, replaced or deleted. A folder stands for the files in it."""
        self._wanted = wanted
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="file-watch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch(self._wanted())
            except Exception as error:  # a folder that vanished, or no watches left
                log.debug("watching files: %s", error)
                self._stop.wait(RETRY)

    def _watch(self, wanted: Wanted) -> None:
        """Until other files are wanted."""
        places: dict[str, Callable[[], object]] = {}
        for path, call in wanted.items():
            for name in {path.absolute(), path.resolve()}:  # behind a link, the file itself
                places[str(name)] = call
        folders = {str(Path(name).parent) for name in places} | {
            n for n in places if Path(n).is_dir()
        }
        folders = {folder for folder in folders if Path(folder).is_dir()}
        if not folders:
            self._stop.wait(LOOK / 1000)
            return
        changes = watch(*folders, watch_filter=None, debounce=SETTLED, step=SETTLED // 4,
                        stop_event=self._stop, rust_timeout=LOOK, yield_on_timeout=True,
                        recursive=False, raise_interrupt=False)  # fmt: skip
        for batch in changes:
            names = {name for _, name in batch}
            names |= {str(Path(name).parent) for name in names}
            for call in {id(places[name]): places[name] for name in names & set(places)}.values():
                call()
            if self._wanted().keys() != wanted.keys():
                return

    def close(self) -> None:
        """Watch nothing any more. Idempotent."""
        self._stop.set()
        self._thread.join(3.0)
