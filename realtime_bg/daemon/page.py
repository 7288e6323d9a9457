"""The web page of the daemon: it shows and controls the daemon's own pipeline."""

import threading
from pathlib import Path
from typing import Any, Protocol

import uvicorn

from realtime_bg.live.report import reported
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.sinks.web import Channel
from realtime_bg.stats import Stats
from realtime_bg.steering.config_file import ConfigFile
from realtime_bg.web.app import create_app
from realtime_bg.web.server import bind, configuration
from realtime_bg.web.tokens import kept_token, new_token

STOP_SECONDS = 5.0


class Shown(Protocol):
    """What the page needs from a daemon."""

    live: Live
    stats: Stats
    config: ConfigFile

    @property
    def restarts(self) -> int:
        """How often the pipeline has been restarted."""

    @property
    def has_viewers(self) -> bool:
        """Whether any output has a viewer."""

    @property
    def cameras(self) -> dict[str, str]:
        """What the open cameras for other programs are, by spec."""


class DaemonPicture:
    """The `LivePicture` of the daemon's pipeline, where starting and stopping mean resume and
    pause."""

    def __init__(self, daemon: Shown, channel: Channel) -> None:
        self._daemon, self.channel = daemon, channel
        self.problem = ""

    @property
    def live(self) -> Live:
        return self._daemon.live

    @property
    def stats(self) -> Stats:
        return self._daemon.stats

    @property
    def running(self) -> bool:
        return not self.live.now.paused

    @property
    def starts(self) -> int:
        """How often the pipeline was started."""
        return self._daemon.restarts + 1

    @property
    def has_viewers(self) -> bool:
        """Whether any output has a viewer."""
        return self._daemon.has_viewers

    def start(self) -> None:
        """Resume: let the camera run."""
        self.live.update(paused=False, frozen=False)

    def stop(self) -> None:
        """Pause: close the camera; the outputs show a card."""
        self.live.update(paused=True)

    def close(self) -> None:
        """Does nothing: the daemon continues without the page."""

    def report(self) -> dict[str, Any]:
        """See `ServerPicture.report`; with the cameras that other programs see."""
        report = reported(self.live, self.stats, self.running, self.problem)
        return report | {"cameras": list(self._daemon.cameras.values())}


class Page:
    """The web server, on its own thread, bound to localhost."""

    def __init__(self, settings: Settings, port: int, scraping: Path | None = None) -> None:
        """Bind the port. ``scraping``: a file with the token for /metrics. Raises SinkError if the
        port is taken, SettingsError for an invalid token."""
        self._scrape_token = kept_token(scraping) if scraping is not None else ""
        self._socket, port = bind("127.0.0.1", port)
        self._token = new_token()
        self.address = f"http://127.0.0.1:{port}/?token={self._token}"
        self.channel = Channel()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._settings = settings

    def start(self, daemon: Shown) -> None:
        """Serve ``daemon`` until `close`."""
        app = create_app(
            self._settings,
            self._token,
            scrape_token=self._scrape_token,
            picture=DaemonPicture(daemon, self.channel),
            config=daemon.config.path,
        )
        server = self._server = uvicorn.Server(configuration(app))
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [self._socket]}, name="page", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving. Idempotent."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(STOP_SECONDS)
        self._socket.close()
