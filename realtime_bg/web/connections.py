"""Limits of connections, which any local program may open without a token: their number, and the
time in which a request has to arrive."""

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from realtime_bg.system.handles import most_handles

HEAD_SECONDS = 10.0  # in which the head of a request has to be complete
MOST = 256  # connections at a time; a browser uses up to 10 for each of its tabs

log = logging.getLogger(__name__)


def most_connections() -> int:
    """How many connections are served at a time: far fewer than this process has handles."""
    return max(16, min(MOST, most_handles() // 4))


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 that closes connections beyond the limit, and those whose request never arrives."""

    _deadline: asyncio.TimerHandle | None = None
    _upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            log.warning("more than %d connections; closing new ones", most_connections())
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        super().handle_websocket_upgrade(event)
        self._upgraded = True

    def _busy(self) -> bool:
        """Whether no request is awaited: one is being answered, or this became a WebSocket."""
        cycle: Any = self.cycle
        return self._upgraded or (cycle is not None and not cycle.response_complete)

    def _watch(self) -> None:
        """Start the deadline unless it runs already; end it once a request is being answered."""
        if self._busy():
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._late)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if not self._busy():
            self.transport.abort()
