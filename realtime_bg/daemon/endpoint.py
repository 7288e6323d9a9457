"""Where a daemon listens and its clients (`ctl`, `top`) find it: a Unix socket, or TCP on the
loopback address with a token; and the lock that keeps it single."""

import json
import os
import secrets
import socket
import stat
import warnings
from pathlib import Path
from typing import IO, Any, Protocol

import platformdirs

from realtime_bg.errors import DaemonError, reason
from realtime_bg.system.files import write_private
from realtime_bg.system.locking import lock

PATIENCE = 5.0  # seconds for which a client waits for the next line, and the server for a request
CLIENTS = 16  # handled at a time
BACKLOG = 64  # connections waiting to be accepted; beyond this a Unix socket refuses at once


def runtime_folder() -> Path:
    """The folder of the socket, the token and the lock, which only this user can access. Raises
    DaemonError."""
    with warnings.catch_warnings():  # about a fallback in /tmp, which is checked below
        warnings.simplefilter("ignore")
        folder = Path(platformdirs.user_runtime_dir("realtime-bg", appauthor=False))
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found, above = folder.lstat(), folder.parent.lstat()
    except OSError as error:
        raise DaemonError(
            f"{folder}: cannot be created ({reason(error)}); set XDG_RUNTIME_DIR to your own folder"
        ) from None
    # In a shared /tmp, somebody else may have created it first.
    if hasattr(os, "getuid"):
        strange = found.st_uid != os.getuid() or above.st_uid not in (0, os.getuid())
        if strange or not stat.S_ISDIR(found.st_mode):
            raise DaemonError(f"{folder}: belongs to somebody else; remove it and try again")
        if found.st_mode & 0o077:
            folder.chmod(0o700)
    return folder


class Endpoint(Protocol):
    """Where a daemon listens."""

    def listen(self) -> socket.socket:
        """A listening socket. Raises OSError or DaemonError."""

    def connect(self) -> socket.socket:
        """A connected socket. Raises OSError if nobody is listening."""

    def token(self) -> str:
        """The token that every request must contain; empty if file permissions protect the
        socket."""

    def remove(self) -> None:
        """Remove what `listen` left on disk. Idempotent."""


class UnixEndpoint:
    """A Unix socket in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control.sock"

    def listen(self) -> socket.socket:
        if len(os.fsencode(self._path)) > 100:
            raise DaemonError(
                f"{self._path}: the path is too long; set XDG_RUNTIME_DIR to a shorter one"
            )
        self.remove()  # left by a killed daemon: the holder of the lock is the only one
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            own.bind(str(self._path))
        finally:
            os.umask(before)
        own.listen(BACKLOG)
        return own

    def connect(self) -> socket.socket:
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        own.settimeout(PATIENCE)
        try:
            own.connect(str(self._path))
        except OSError:
            own.close()
            raise
        return own

    def token(self) -> str:
        return ""

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


class LoopbackEndpoint:
    """TCP on 127.0.0.1; the port and the token are in a file in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control.json"

    def listen(self) -> socket.socket:
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        own.bind(("127.0.0.1", 0))
        own.listen(BACKLOG)
        address = {"port": own.getsockname()[1], "token": secrets.token_urlsafe(32)}
        write_private(self._path, json.dumps(address).encode())
        return own

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", int(self._read()["port"])), PATIENCE)

    def token(self) -> str:
        return str(self._read()["token"])

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path.read_bytes()))
        except ValueError:
            raise OSError(f"{self._path}: damaged") from None

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def endpoint() -> Endpoint:
    """The endpoint of this user's daemon. Raises DaemonError."""
    folder = runtime_folder()
    return UnixEndpoint(folder) if hasattr(socket, "AF_UNIX") else LoopbackEndpoint(folder)


class Lock:
    """Held by this user's only daemon; the system releases it when the process ends in any way."""

    def __init__(self, folder: Path) -> None:
        """Raises DaemonError if another daemon holds it."""
        self._file: IO[str] = (folder / "daemon.lock").open("a+")
        try:
            lock(self._file)
        except OSError:
            self._file.seek(0)
            number = self._file.read().strip()
            self._file.close()
            raise DaemonError(
                f"a daemon is already running{f' (pid {number})' if number else ''}; "
                "`realtime-bg ctl status` shows what it does, `realtime-bg ctl stop` ends it"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def close(self) -> None:
        """Release it. Idempotent."""
        self._file.close()
