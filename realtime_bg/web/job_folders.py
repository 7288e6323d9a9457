"""The temporary folders of video conversions, and deleting those that a killed server has left."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from realtime_bg.system.locking import lock

PREFIX = "realtime-bg-job-"
LOCK = "lock"


class JobFolder:
    """A temporary folder that only this user can access; its lock is held until `remove`."""

    def __init__(self) -> None:
        """Raises OSError."""
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = (self.path / LOCK).open("w")
        lock(self._lock)

    def remove(self) -> None:
        """Delete the folder. Idempotent."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def remove_abandoned() -> None:
    """Delete this user's job folders whose server no longer exists. Those of a running one are
    locked."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / LOCK).open("r+") as file:  # another user's: not allowed
            lock(file)
            shutil.rmtree(folder, ignore_errors=True)
