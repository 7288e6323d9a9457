"""Talking to a running daemon: one line of JSON asks, lines of JSON answer.

A Unix socket carries it, readable by its owner alone; where there are none (Windows), TCP on the
loopback address with a token that stands in a file readable by its owner alone.
"""

import hmac
import json
import logging
import os
import secrets
import socket
import stat
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any, Protocol

import platformdirs

from realtime_bg.errors import DaemonError, RealtimeBgError, reason
from realtime_bg.system.files import write_private

log = logging.getLogger(__name__)

LONGEST = 1_000_000  # bytes of one line
SETTING = 60.0  # seconds for a change, which may load an engine's library first
PATIENCE = 5.0  # seconds a client waits for the next line, and the server for a question
CLIENTS = 16  # at a time
START = "start it with: realtime-bg daemon"

Question = dict[str, Any]
Answer = Callable[[Question], Iterable[Any]]
"""From a question to the values of its answer, one line each. Raises RealtimeBgError to refuse."""


def runtime_folder() -> Path:
    """Where socket, token and lock lie: a folder that only this user can enter. Raises
    DaemonError."""
    with warnings.catch_warnings():  # of a fallback in /tmp, which is looked at below
        warnings.simplefilter("ignore")
        folder = Path(platformdirs.user_runtime_dir("realtime-bg", appauthor=False))
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        found, above = folder.lstat(), folder.parent.lstat()
    except OSError as error:
        raise DaemonError(
            f"{folder}: cannot be made ({reason(error)}); set XDG_RUNTIME_DIR to a folder of yours"
        ) from None
    # In a shared /tmp somebody else may have made it before us.
    if hasattr(os, "getuid"):
        strange = found.st_uid != os.getuid() or above.st_uid not in (0, os.getuid())
        if strange or not stat.S_ISDIR(found.st_mode):
            raise DaemonError(f"{folder}: belongs to somebody else; remove it and try again")
        if found.st_mode & 0o077:
            folder.chmod(0o700)
    return folder


class Endpoint(Protocol):
    """Where a daemon is reached."""

    def listen(self) -> socket.socket:
        """A listening socket. Raises OSError or DaemonError."""

    def connect(self) -> socket.socket:
        """A connected socket. Raises OSError where nobody listens."""

    def token(self) -> str:
        """What every question must carry; empty where the system keeps strangers out."""

    def remove(self) -> None:
        """Take away what `listen` left on the disk. Idempotent."""


class UnixEndpoint:
    """A Unix socket in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control.sock"

    def listen(self) -> socket.socket:
        if len(os.fsencode(self._path)) > 100:
            raise DaemonError(
                f"{self._path}: too long a name; set XDG_RUNTIME_DIR to a shorter one"
            )
        self.remove()  # left by one that was killed: whoever holds the lock is alone
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            own.bind(str(self._path))
        finally:
            os.umask(before)
        own.listen(CLIENTS)
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
    """TCP on 127.0.0.1; port and token stand in a file in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "control.json"

    def listen(self) -> socket.socket:
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        own.bind(("127.0.0.1", 0))
        own.listen(CLIENTS)
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
    """Where this user's daemon is. Raises DaemonError."""
    folder = runtime_folder()
    return UnixEndpoint(folder) if hasattr(socket, "AF_UNIX") else LoopbackEndpoint(folder)


class Lock:
    """Held by the one daemon of this user; the system frees it when the process ends, however."""

    def __init__(self, folder: Path) -> None:
        """Raises DaemonError when another daemon holds it."""
        self._file: IO[str] = (folder / "daemon.lock").open("a+")
        try:
            _lock(self._file)
        except OSError:
            self._file.seek(0)
            number = self._file.read().strip()
            self._file.close()
            raise DaemonError(
                f"a daemon runs already{f' (pid {number})' if number else ''}; "
                "`realtime-bg ctl status` shows what it does, `realtime-bg ctl stop` ends it"
            ) from None
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._file.close()


def _lock(file: IO[str]) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(1000)  # behind what is written: a locked part cannot be read there
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class ControlServer:
    """Answers questions on threads of its own, from its construction until `close`."""

    def __init__(self, at: Endpoint, answer: Answer) -> None:
        """Raises DaemonError where nothing can be listened at."""
        self._at, self._answer = at, answer
        try:
            self._socket = at.listen()
        except OSError as error:
            raise DaemonError(f"nothing can be listened at ({reason(error)})") from None
        self._token = at.token()
        self._free = threading.Semaphore(CLIENTS)
        self._open: set[socket.socket] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._closed:
            self._free.acquire()
            try:
                client = self._socket.accept()[0]
            except OSError:
                self._free.release()
                if not self._closed:
                    log.error("the control socket failed; realtime-bg ctl is not heard any more")
                return
            self._open.add(client)
            threading.Thread(
                target=self._serve, args=(client,), name="control-client", daemon=True
            ).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(PATIENCE)
            with client.makefile("rwb") as lines:
                for answer in self._answers(lines.readline(LONGEST + 1)):
                    lines.write(json.dumps(answer).encode() + b"\n")
                    lines.flush()
        except OSError:
            pass  # it went away
        finally:
            self._open.discard(client)
            client.close()
            self._free.release()

    def _answers(self, line: bytes) -> Iterator[dict[str, Any]]:
        try:
            if len(line) > LONGEST:
                raise DaemonError("too long a question")
            question = json.loads(line)
            if not isinstance(question, dict):
                raise DaemonError("a question is a JSON object")
            given = question.pop("token", "")
            if self._token and not (
                isinstance(given, str) and hmac.compare_digest(given.encode(), self._token.encode())
            ):
                raise DaemonError("no valid token")
            for value in self._answer(question):
                yield {"value": value}
        except ValueError as error:
            yield {"error": str(error) if isinstance(error, RealtimeBgError) else "no JSON"}
        except RealtimeBgError as error:
            yield {"error": str(error)}
        except OSError:
            raise
        except Exception as error:
            log.exception("a question could not be answered")
            yield {"error": f"{type(error).__name__}: {error}"}

    def close(self) -> None:
        """Answer nobody any more. Idempotent."""
        self._closed = True
        for own in (self._socket, *self._open):
            with suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept or in a read
        self._socket.close()
        if os.name == "nt" or isinstance(self._at, LoopbackEndpoint):
            with suppress(OSError):
                self._at.connect().close()  # a shutdown alone does not wake an accept everywhere
        self._at.remove()
        self._thread.join(1.0)


def ask_once(question: Question, at: Endpoint | None = None) -> Any:
    """The first value of `ask`. Raises DaemonError, also where the daemon ends without one."""
    for value in ask(question, at):
        return value
    raise DaemonError("the daemon ended before it answered")


def ask(question: Question, at: Endpoint | None = None) -> Iterator[Any]:
    """The values of the daemon's answer as they come. Raises DaemonError: nobody runs, or the
    daemon's refusal."""
    at = at or endpoint()
    try:
        with closing(at.connect()) as own, own.makefile("rwb") as lines:
            if question.get("follow"):
                own.settimeout(None)
            elif question.get("command") == "set":
                own.settimeout(SETTING)
            token = at.token()
            lines.write(json.dumps(question | ({"token": token} if token else {})).encode() + b"\n")
            lines.flush()
            for line in lines:
                answer = json.loads(line)
                if "error" in answer:
                    raise DaemonError(answer["error"])
                yield answer["value"]
    except (FileNotFoundError, ConnectionRefusedError):
        raise DaemonError(f"no daemon is running; {START}") from None
    except TimeoutError:
        raise DaemonError(f"the daemon does not answer; end its process, then {START}") from None
    except DaemonError:
        raise
    except (OSError, ValueError) as error:
        raise DaemonError(f"the daemon cannot be reached ({reason(error)})") from None
