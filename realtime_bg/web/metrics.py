"""The metrics that /metrics exports to Prometheus: rates, times and counts, but never pictures or
paths.

A scraper keeps its token in a file on another machine, where the page's token would let anybody who
reads that file watch the camera. Therefore /metrics may have its own token, which grants access to
nothing else.
"""

from collections.abc import Iterable, Iterator
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

from realtime_bg.stats import BOUNDS, STAGES, Stats
from realtime_bg.version import __version__


class Running(Protocol):
    """The owner of the pipeline. ``stats`` may be a new object after each start."""

    @property
    def stats(self) -> Stats: ...

    @property
    def starts(self) -> int: ...

    @property
    def running(self) -> bool: ...

    @property
    def has_viewers(self) -> bool: ...


class Metrics(Collector):
    """Collects values on each scrape; between scrapes it costs nothing."""

    def __init__(self, runner: Running) -> None:
        self._runner = runner
        self.viewers = 0
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def answer(self, accept: str) -> tuple[bytes, str]:
        """The response text for an Accept header, and its content type."""
        encode, kind = choose_encoder(accept)
        return encode(self._registry), kind

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, so that registering does not collect."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family from the current statistics."""
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
            ("viewers", "Browsers that watch the picture or listen for events.", self.viewers),
            (
                "recording",
                "Whether a recording is running.",
                float(stats.recording_since is not None),
            ),
        ):
            yield GaugeMetricFamily(f"realtime_bg_{name}", text, value=gauge)
        frames = stats.histogram("latency")[0][-1]
        for name, text, count in (
            ("frames", "Finished pictures since the camera was started.", frames),
            ("frames_dropped", "Frames dropped because there was no time for them.", stats.dropped),
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
