"""The `ctl` protocol, server and client: one line of JSON per request, one or more per reply.

It runs over a Unix socket that only its owner can open. On Windows it runs over TCP on the loopback
address, with a token in a file that only its owner can read.
"""

import hmac
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any

from realtime_bg.daemon.endpoint import CLIENTS, PATIENCE, Endpoint, LoopbackEndpoint, endpoint
from realtime_bg.errors import DaemonError, RealtimeBgError, reason
from realtime_bg.system.backoff import Backoff

log = logging.getLogger(__name__)

LONGEST = 1_000_000  # bytes of one line
ACCEPT_PAUSES = (0.1, 0.5, 2.0)  # seconds after failures to accept a client
SETTING = 60.0  # seconds for a change, which may load an engine's library first
START = "start it with: realtime-bg daemon"

Question = dict[str, Any]
Answer = Callable[[Question], Iterable[Any]]
"""Maps a request to the values of its reply, one line each. Raises RealtimeBgError to refuse."""


class ControlServer:
    """Handles requests on its own threads, from construction until `close`."""

    def __init__(self, at: Endpoint, answer: Answer) -> None:
        """Raises DaemonError if the endpoint cannot be opened."""
        self._at, self._answer = at, answer
        try:
            self._socket = at.listen()
        except OSError as error:
            raise DaemonError(f"the control socket cannot be opened ({reason(error)})") from None
        self._token = at.token()
        self._free = threading.Semaphore(CLIENTS)
        self._open: set[socket.socket] = set()
        self._closed, self._ended = False, threading.Event()
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        backoff = Backoff(*ACCEPT_PAUSES)
        while not self._closed:
            self._free.acquire()
            client: socket.socket | None = None
            try:
                client = self._socket.accept()[0]
                self._open.add(client)
                threading.Thread(
                    target=self._serve, args=(client,), name="control-client", daemon=True
                ).start()
            except (OSError, RuntimeError) as error:  # no handle or thread is free now
                if client is not None:
                    self._open.discard(client)
                    client.close()
                self._free.release()
                if not self._closed:
                    log.error("the control socket cannot accept (%s); trying again", reason(error))
                    self._ended.wait(backoff.failed())
            else:
                backoff.succeeded()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(PATIENCE)
            with client.makefile("rwb") as lines:
                for answer in self._answers(lines.readline(LONGEST + 1)):
                    lines.write(json.dumps(answer).encode() + b"\n")
                    lines.flush()
        except OSError:
            pass  # the client has disconnected
        finally:
            self._open.discard(client)
            client.close()
            self._free.release()

    def _answers(self, line: bytes) -> Iterator[dict[str, Any]]:
        try:
            if len(line) > LONGEST:
                raise DaemonError("the request is too long")
            question = json.loads(line)
            if not isinstance(question, dict):
                raise DaemonError("a request must be a JSON object")
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
            log.exception("a request could not be handled")
            yield {"error": f"{type(error).__name__}: {error}"}

    def close(self) -> None:
        """Stop handling requests. Idempotent."""
        self._closed = True
        self._ended.set()
        for own in (self._socket, *self._open):
            with suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)  # wakes threads that wait in accept or read
        self._socket.close()
        if os.name == "nt" or isinstance(self._at, LoopbackEndpoint):
            with suppress(OSError):
                # On some systems, a shutdown alone does not wake an accept
                self._at.connect().close()
        self._at.remove()
        self._thread.join(1.0)


def ask_once(question: Question, at: Endpoint | None = None) -> Any:
    """The first value of `ask`. Raises DaemonError, also if the daemon ends without a reply."""
    for value in ask(question, at):
        return value
    raise DaemonError("the daemon ended before it replied")


def ask(question: Question, at: Endpoint | None = None) -> Iterator[Any]:
    """Yield the values of the daemon's reply as they arrive. Raises DaemonError if no daemon is
    running or if it refuses the request."""
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
        raise DaemonError(f"the daemon does not respond; end its process, then {START}") from None
    except DaemonError:
        raise
    except (OSError, ValueError) as error:
        raise DaemonError(f"the daemon cannot be reached ({reason(error)})") from None
