"""The limits of connections by themselves: how many there may be, and how long a head may take."""

from types import SimpleNamespace

import pytest

pytest.importorskip("uvicorn")

from realtime_bg.web import connections
from realtime_bg.web.connections import HEAD_SECONDS, H11Protocol, LimitedProtocol


class Transport:
    aborted = 0

    def abort(self):
        self.aborted += 1


class Timer:
    cancelled = False

    def cancel(self):
        self.cancelled = True


class Loop:
    """Collects what is to be called later."""

    def __init__(self):
        self.timers = []

    def call_later(self, seconds, function):
        timer = Timer()
        self.timers.append((seconds, function, timer))
        return timer


@pytest.fixture
def protocol(monkeypatch):
    """A connection without a server: uvicorn's own part does nothing."""
    for name in (
        "connection_made",
        "data_received",
        "connection_lost",
        "handle_websocket_upgrade",
    ):
        monkeypatch.setattr(H11Protocol, name, lambda *_: None)
    monkeypatch.setattr(connections, "most_connections", lambda: 3)
    made = LimitedProtocol.__new__(LimitedProtocol)
    made.connections, made.cycle = {made}, None
    made.loop, made.transport = Loop(), Transport()
    return made


def answering(complete):
    return SimpleNamespace(response_complete=complete)


def test_connections_up_to_the_limit_are_served_and_no_more(protocol, caplog):
    protocol.connections |= {1, 2}  # with this one it is three
    protocol.connection_made(protocol.transport)
    assert protocol.transport.aborted == 0
    assert len(protocol.loop.timers) == 1
    protocol.connections |= {3}
    protocol.connection_made(protocol.transport)
    assert protocol.transport.aborted == 1
    assert "more than 3 connections; closing new ones" in caplog.text
    assert len(protocol.loop.timers) == 1  # nothing is awaited of it


def test_a_head_has_one_deadline_however_many_pieces_it_comes_in(protocol):
    protocol.connection_made(protocol.transport)
    for _ in range(5):
        protocol.data_received(b"X: y\r\n")
    ((seconds, late, timer),) = protocol.loop.timers
    assert seconds == HEAD_SECONDS
    late()
    assert protocol.transport.aborted == 1
    assert not timer.cancelled


def test_while_it_is_answered_there_is_no_deadline_and_afterwards_a_new_one(protocol):
    protocol.connection_made(protocol.transport)
    protocol.cycle = answering(False)
    protocol.data_received(b"")
    (_, late, timer) = protocol.loop.timers[0]
    assert timer.cancelled
    late()  # it was on its way already
    assert protocol.transport.aborted == 0
    protocol.cycle = answering(True)  # it is kept alive, and half of a second request comes
    protocol.data_received(b"GET /")
    assert len(protocol.loop.timers) == 2
    protocol.loop.timers[1][1]()
    assert protocol.transport.aborted == 1


def test_a_websocket_has_no_deadline(protocol):
    protocol.connection_made(protocol.transport)
    protocol.handle_websocket_upgrade(None)
    protocol.data_received(b"")
    assert protocol.loop.timers[0][2].cancelled
    protocol.loop.timers[0][1]()
    assert protocol.transport.aborted == 0


def test_a_connection_that_is_lost_awaits_nothing(protocol):
    protocol.connection_made(protocol.transport)
    protocol.connection_lost(None)
    protocol.connection_lost(None)
    assert protocol.loop.timers[0][2].cancelled


def test_the_wait_for_a_head_is_short():
    assert HEAD_SECONDS == 10.0


def test_a_deadline_that_passes_during_an_answer_is_over_and_the_next_request_has_its_own(protocol):
    protocol.connection_made(protocol.transport)
    ((_, late, _),) = protocol.loop.timers
    protocol.cycle = answering(False)
    late()
    assert protocol.transport.aborted == 0
    protocol.cycle = answering(True)
    protocol.data_received(b"GET")
    assert len(protocol.loop.timers) == 2
    protocol.loop.timers[1][1]()
    assert protocol.transport.aborted == 1
