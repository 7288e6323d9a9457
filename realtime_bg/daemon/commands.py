"""The commands that `realtime-bg ctl` can send to a running daemon, and their replies."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from realtime_bg.daemon.control import Question
from realtime_bg.daemon.logs import Ring
from realtime_bg.errors import DaemonError
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.processing.given_up import described
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.settings.loading import value_of
from realtime_bg.stats import STAGES, Stats
from realtime_bg.steering.changes import apply, apply_texts, switch
from realtime_bg.steering.config_file import ConfigFile
from realtime_bg.steering.layers import with_layer, without_layer
from realtime_bg.steering.presets import use
from realtime_bg.system.urls import without_password
from realtime_bg.version import __version__

WAITS = 3.0  # seconds for which `ctl` waits for what may still turn out not to work
# Settings that are known to work only once they are open
OPENED = {"background.current", "engine.name", "hotkeys.active"}


class Served(Protocol):
    """A page that is served."""

    @property
    def address(self) -> str:
        """Its URL, token included."""


class Steered(Protocol):
    """What the commands need from a daemon."""

    live: Live
    stats: Stats
    config: ConfigFile
    ring: Ring
    begin: float
    problem: str

    @property
    def pipeline(self) -> Pipeline | None:
        """The running pipeline, or None between two runs."""

    @property
    def page(self) -> Served | None:
        """The web page, if there is one."""

    @property
    def restarts(self) -> int:
        """How often the pipeline has been restarted."""

    @property
    def has_viewers(self) -> bool:
        """Whether any output has a viewer."""

    @property
    def cameras(self) -> dict[str, str]:
        """What the open cameras for other programs are, by spec."""

    def viewers(self) -> list[str]:
        """The programs that show its cameras, as far as they are known."""

    def stop(self) -> None:
        """End the daemon."""


class Commands:
    """Handles the requests on a daemon's control socket, from any thread."""

    def __init__(self, daemon: Steered) -> None:
        self._daemon = daemon

    def answer(self, question: Question) -> Iterator[Any]:
        """The values of the reply, see `control.py`. Raises RealtimeBgError to refuse the
        request."""
        commands: dict[Any, Callable[[Question], Any]] = {
            "status": self._status,
            "set": self._set,
            "toggle": self._toggle,
            "layer": self._layer,
            "preset": self._preset,
            "pause": lambda _: self._pause(True),
            "resume": lambda _: self._pause(False),
            "snapshot": self._snapshot,
            "viewers": lambda _: self._daemon.viewers(),
            "settings": lambda _: self._daemon.live.now.model_dump(mode="json"),
        }
        name = question.get("command")
        if name == "logs":
            count = question.get("count", 50)
            if not isinstance(count, int) or count < 0:
                raise DaemonError("logs: count must be a number, 0 or more")
            ring = self._daemon.ring
            yield from ring.follow(count) if question.get("follow") else ring.last(count)
        elif name == "stop":
            yield "stopping"
            self._daemon.stop()
        elif name in commands:
            yield commands[name](question)
        else:
            raise DaemonError(f"no such command: {str(name)[:50]}")

    def _status(self, _: Question) -> dict[str, Any]:
        pipeline, stats, now = self._daemon.pipeline, self._daemon.stats, self._daemon.live.now
        outlets = pipeline.outlets if pipeline is not None else None
        return {
            "state": pipeline.state if pipeline is not None else "starting",
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._daemon.begin, 1),
            "config": str(self._daemon.config.path) if self._daemon.config.path.exists() else None,
            "config_problem": self._daemon.config.problem,
            "source": without_password(now.source.spec),
            "camera_open": pipeline is not None and pipeline.camera_open,
            "background": now.background.current,
            "engine": stats.engine,
            "given_up": described(stats),
            "provider": stats.provider,
            "fps": round(stats.fps, 1),
            "latency_ms": round(stats.median("latency"), 1),
            "work_size": list(stats.work_size),
            "threads": stats.threads,
            "carried": stats.carried,
            "stages_ms": {stage: round(stats.median(stage), 2) for stage in STAGES},
            "outputs": outlets.specs() if outlets else [],
            "cameras": self._daemon.cameras,
            "waiting_for": dict(outlets.problems) if outlets else {},
            "watched": self._daemon.has_viewers,
            "recording": stats.recording_since is not None,
            "mirror": now.output.mirror,
            "dropped": stats.dropped,
            "failures": stats.failures,
            "restarts": self._daemon.restarts,
            "problem": self._daemon.problem,
            "page": self._daemon.page.address if self._daemon.page else None,
        }

    def _set(self, question: Question) -> dict[str, Any]:
        texts = question.get("changes")
        if not isinstance(texts, dict) or not texts:
            raise DaemonError("set: give key=value")
        if not all(isinstance(value, str) for value in texts.values()):
            raise DaemonError("set: values are text")
        apply_texts(self._daemon.live, texts)
        for key in OPENED & texts.keys():
            reason = self._daemon.live.wait_for_answer(key, WAITS) if self._opens(key) else None
            if reason:
                raise DaemonError(f"{reason}; {value_of(self._daemon.live.now, key)} stays")
        shown = {key: value_of(self._daemon.live.now, key) for key in texts}
        return {
            key: value if isinstance(value, bool | int | float | None) else str(value)
            for key, value in shown.items()
        }

    def _opens(self, key: str) -> bool:
        """Whether the value of ``key`` is opened right away, and not only when the camera runs
        again."""
        if key == "hotkeys.active":
            return self._daemon.live.now.hotkeys.active
        return key == "background.current" or (
            self._daemon.pipeline is not None and self._daemon.pipeline.state == "running"
        )

    def _toggle(self, question: Question) -> dict[str, Any]:
        name = str(question.get("key", ""))
        found: dict[str, Any] = {}

        def changes(now: Settings) -> dict[str, Any]:
            found.clear()
            key, value = switch(now, name)
            found[key] = value
            return {key: value}

        apply(self._daemon.live, changes)
        return found

    def _layer(self, question: Question) -> str:
        name, texts = str(question.get("name", "")), question.get("changes") or {}
        if not isinstance(texts, dict) or not all(isinstance(one, str) for one in texts.values()):
            raise DaemonError("layer: values are text")
        if question.get("remove"):
            apply(self._daemon.live, lambda now: without_layer(now, name))
            return f"layer {name} removed"
        apply(self._daemon.live, lambda now: with_layer(now, name, texts))
        return f"layer {name} set"

    def _preset(self, question: Question) -> str:
        name = str(question.get("name", ""))
        use(self._daemon.live, name)
        return f"preset {name}"

    def _pause(self, paused: bool) -> str:
        self._daemon.live.update(paused=paused)
        return "paused: the camera is closed" if paused else "resumed"

    def _snapshot(self, _: Question) -> str:
        pipeline = self._daemon.pipeline
        if pipeline is None or pipeline.state != "running":
            state = pipeline.state if pipeline is not None else "starting"
            raise DaemonError(f"there is no picture to save now ({state})")
        before = pipeline.outlets.recordings.saved
        self._daemon.live.modify(lambda s: {"snapshots": s.snapshots + 1})
        saved = pipeline.outlets.recordings.next_saved(before, WAITS)
        if saved is None:
            raise DaemonError(
                "the snapshot is taking longer than expected; see realtime-bg ctl logs"
            )
        return saved
