"""What /metrics says to Prometheus: rates, times, counts; never a picture or a path.

A scraper keeps its token in a file on another machine, and the page's token would let whoever
reads that file watch the camera. So it may have one of its own, which opens this and nothing else.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from realtime_bg.errors import SettingsError, reason
from realtime_bg.stats import BOUNDS, STAGES, Stats
from realtime_bg.system.console import say
from realtime_bg.system.files import write_private
from realtime_bg.version import __version__
from realtime_bg.web.security import new_token

SHORTEST = 20  # characters of a token that cannot be guessed


class Running(Protocol):
    """Whoever runs the pipeline. ``stats`` may be another object after each start."""

    @property
    def stats(self) -> Stats: ...

    @property
    def starts(self) -> int: ...

    @property
    def running(self) -> bool: ...

    @property
    def has_viewers(self) -> bool: ...


class Metrics(Collector):
    """Collects when it is asked; between scrapes it costs nothing."""

    def __init__(self, runner: Running) -> None:
        self._runner = runner
        self.viewers = 0
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def answer(self, accept: str) -> tuple[bytes, str]:
        """The text for an Accept header, and its content type."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def describe(self) -> Iterable[Metric]:
        """Nothing to describe before the first scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, from the statistics as they are now."""
        stats, running = self._runner.stats, self._runner.running
        about = {"version": __version__}
        yield InfoMetricFamily("realtime_bg", "The program.", value=about)
        if running:
            engine = {
                "engine": stats.engine,
                "provider": stats.provider,
                "work_size": "x".join(map(str, stats.work_size)),
            }
            yield InfoMetricFamily("realtime_bg_engine", "The engine in use.", value=engine)
        for name, text, gauge in (
            ("running", "Whether the camera is in use.", float(running)),
            ("fps", "Finished pictures per second.", stats.fps),
            ("watched", "Whether any output has a viewer.", float(self._runner.has_viewers)),
            ("viewers", "Browsers that watch or listen for events.", self.viewers),
            ("recording", "Whether a recording runs.", float(stats.recording_since is not None)),
        ):
            yield GaugeMetricFamily(f"realtime_bg_{name}", text, value=gauge)
        frames = stats.histogram("latency")[0][-1]
        for name, text, count in (
            ("frames", "Finished pictures since the camera was started.", frames),
            ("frames_dropped", "Frames for which there was no time.", stats.dropped),
            ("engine_failures", "Times the engine failed or hung.", stats.failures),
            ("starts", "Times the pipeline was started.", self._runner.starts),
        ):
            yield CounterMetricFamily(f"realtime_bg_{name}", text, value=count)
        text = "From a frame's capture to its finished picture."
        latency = HistogramMetricFamily("realtime_bg_latency_seconds", text)
        latency.add_metric([], *_buckets(stats, "latency"))
        yield latency
        stages = HistogramMetricFamily(
            "realtime_bg_stage_seconds", "One run of a stage.", labels=["stage"]
        )
        for stage in STAGES:
            stages.add_metric([stage], *_buckets(stats, stage))
        yield stages


def _buckets(stats: Stats, stage: str) -> tuple[list[tuple[str, float]], float]:
    counts, seconds = stats.histogram(stage)
    names = [*(str(bound / 1000) for bound in BOUNDS), "+Inf"]
    return list(zip(names, map(float, counts), strict=True)), seconds


def scrape_token(path: Path) -> str:
    """The token in a file; a new one, readable by this user only, if there is no file yet.

    Raises SettingsError.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, f"{new_token()}\n".encode())
        token = path.read_text(encoding="ascii").strip()
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            say(f"{path} can be read by other users; chmod 600 it", "yellow")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: no token can be had from it ({reason(error)})") from None
    if len(token) < SHORTEST or not token.isprintable() or " " in token:
        raise SettingsError(
            f"{path}: a token has {SHORTEST} characters or more, without spaces; delete the file "
            "to get a new one"
        )
    return token
