"""A daemon inside the test's process, for tests that control or break it."""

import threading
import time

from helpers.waiting import until
from realtime_bg.daemon.control import ask
from realtime_bg.daemon.daemon import Daemon
from realtime_bg.settings import load

FLAGS = {
    "source.spec": "demo",
    "source.size": "160x90",
    "engine.name": "threshold",
    "background.current": "#00ff00",
    "output.sinks": ("null",),
}


class Running:
    """A daemon on its own thread."""

    def __init__(self, at, **options):
        self.at = at
        self.daemon = Daemon(load(flags=FLAGS | options.pop("flags", {})), at=at, **options)
        self.live, self.raised = self.daemon.live, None

    def start(self):
        def run():
            try:
                self.daemon.run()
            except Exception as error:
                self.raised = error

        self.thread = threading.Thread(target=run, name="daemon")
        self.thread.start()
        until(lambda: self.daemon.pipeline is not None or not self.thread.is_alive())
        return self

    def ask(self, command, **details):
        return next(ask({"command": command, **details}, self.at))

    def set(self, **changes):
        return self.ask("set", changes={k.replace("__", "."): v for k, v in changes.items()})

    def running(self):
        until(lambda: self.ask("status")["state"] == "running")
        return self

    def stop(self):
        begin = time.monotonic()
        self.daemon.stop()
        self.thread.join(60)
        assert not self.thread.is_alive()
        return time.monotonic() - begin
