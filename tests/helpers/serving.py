"""Runs a real server on a free port, for the tests of the web page."""

import contextlib
import socket
import threading

import requests
import uvicorn

from helpers.waiting import until
from realtime_bg.settings import load
from realtime_bg.web.app import create_app
from realtime_bg.web.server import configuration

TOKEN = "t" * 43


class Client(requests.Session):
    """A session that sends requests to the server, with the token."""

    def __init__(self, port, app, token):
        super().__init__()
        self.port, self.base, self.server = port, f"http://127.0.0.1:{port}", app
        self.headers["Authorization"] = f"Bearer {token}"
        self.trust_env = False

    @property
    def context(self):
        """The server's own objects (`web.context.Server`), behind the guard."""
        return self.server._app.state.server

    def request(self, method, url, **options):
        options.setdefault("timeout", 60)
        return super().request(method, self.base + url, **options)

    def wait(self, question):
        return until(question, lambda: self.get("/api/stats").text)


@contextlib.contextmanager
def served(folder, flags=None, token=TOKEN, **options):
    flags = {
        "source.spec": "demo",
        "source.size": "320x180",
        "engine.name": "embedded",
        "engine.offline": True,
        "background.current": "#00ff00",
    } | (flags or {})
    app = create_app(load(flags=flags), token, folder=folder, **options)
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    server = uvicorn.Server(configuration(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [own]}, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    with Client(own.getsockname()[1], app, token) as client:
        try:
            yield client
        finally:
            server.should_exit = True
            thread.join(60)
            own.close()
    assert not thread.is_alive()
