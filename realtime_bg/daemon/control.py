"""Talking to a running daemon: a question is one line of JSON, an answer is one or more.

A Unix socket carries it, readable by its owner alone; where there are none (Windows), TCP on the
loopback address with a token that stands in a file readable by its owner alone.
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

log = logging.getLogger(__name__)

LONGEST = 1_000_000  # bytes of one line
SETTING = 60.0  # seconds for a change, which may load an engine's library first
START = "start it with: realtime-bg daemon"

Question = dict[str, Any]
Answer = Callable[[Question], Iterable[Any]]
"""From a question to the values of its answer, one line each. Raises RealtimeBgError to refuse."""


class ControlServer:
    """Answers questions on its own threads, from construction until `close`."""

    def __init__(self, at: Endpoint, answer: Answer) -> None:
        """Raises DaemonError if the endpoint cannot be opened."""
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
        """Stop answering. Idempotent."""
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
    """The first value of `ask`. Raises DaemonError, also if the daemon ends without answering."""
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
