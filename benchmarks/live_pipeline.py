"""Measure the live pipeline: frame rate, latency, CPU, memory, and the cost of a pause.

    REALTIME_BG_MODELS=... python benchmarks/live_pipeline.py
    ... --ways "rvm" "rvm: engine.runtime=openvino" "rvm: output.sync=lowest-latency"
    ... --ways "embedded" --frames 20000

A way is an engine and, after a colon, settings that differ from the default; engine.gate is off, as
for a person in constant motion. The demo, or --source, runs at --fps frames per second (1000
measures the throughput, because no frame is waited for) into a sink that discards them. Ways take
turns, --rounds times. Prints a Markdown table: frames per second, median and 95th percentile of the
latency from capture to hand-over in ms, CPU in percent of one core while running and while paused,
and the growth of memory in MB after the 500th frame. Needs RVM's weights.
"""

import argparse
import sys
import threading
import time

import numpy as np
import psutil
from rich.progress import track

from realtime_bg.live.pipeline import Pipeline
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.stats import Stats
from realtime_bg.system.console import err, show_logs

SETTLED = 60  # frames before timing starts
GROWN = 500  # frame from which memory is measured
IDLE = 3.0  # seconds of the pause that are measured
COLUMNS = ("fps", "p50", "p95", "cpu", "idle", "grown")


def settings(way: str, size: str, fps: float, source: str = "demo") -> Settings:
    """Return the settings of a way."""
    engine, _, changes = way.partition(":")
    flags = dict(change.split("=", 1) for change in changes.split())
    common = {
        "source.spec": source,
        "source.size": size,
        "source.fps": fps,
        "output.sinks": "null",
        "background.current": "beach",
        "engine.gate": False,
        "engine.work_size": "256x144",
        "engine.name": engine.strip(),
    }
    return load(flags=common | flags).at_quality("fast")


def measured(wanted: Settings, frames: int) -> dict[str, float]:
    """Return the measurements of a run of ``frames`` composites after `SETTLED`."""
    live, stats = Live(wanted), Stats(history=frames)
    source = open_source(wanted.source, paced=True)
    processor = Processor(live, stats, wait=False)
    pipeline = Pipeline(live, stats, processor, source, lambda s: open_source(s, paced=True))
    process = psutil.Process()
    thread = threading.Thread(target=pipeline.run, daemon=True)
    thread.start()
    figures: dict[str, float] = {}
    try:
        _until(stats, SETTLED)
        stats.clear()
        start, used = time.perf_counter(), sum(process.cpu_times()[:2])
        early = min(GROWN, frames)
        _until(stats, early)
        before = process.memory_info().rss
        _until(stats, frames)
        figures["grown"] = (process.memory_info().rss - before) / 2**20
        seconds = time.perf_counter() - start
        figures["fps"] = frames / seconds
        figures["cpu"] = 100 * (sum(process.cpu_times()[:2]) - used) / seconds
        figures["p50"], figures["p95"] = np.percentile(stats.milliseconds("latency"), (50, 95))
        live.update(paused=True)
        time.sleep(1)
        used = sum(process.cpu_times()[:2])
        time.sleep(IDLE)
        figures["idle"] = 100 * (sum(process.cpu_times()[:2]) - used) / IDLE
    finally:
        pipeline.stop()
        thread.join(5)
    return figures


def _until(stats: Stats, count: int) -> None:
    """Wait for ``count`` composites since the last `Stats.clear`."""
    end = time.monotonic() + 60 + count
    while len(stats.milliseconds("latency")) < count:
        if time.monotonic() > end:
            raise SystemExit("no frames; is a model missing?")
        time.sleep(0.005)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ways", nargs="+", default=["rvm", "embedded"], metavar="WAY")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--source", default="demo", help="the demo, a video or a picture")
    options = parser.parse_args()
    show_logs(False)
    rows: dict[str, list[dict[str, float]]] = {way: [] for way in options.ways}
    for _ in track(range(options.rounds), console=err, transient=True):
        for way, found in rows.items():
            found.append(
                measured(settings(way, options.size, options.fps, options.source), options.frames)
            )
    print(f"{options.size} at {options.fps:g} fps, {options.frames} frames\n")
    print("| | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for way, found in rows.items():
        medians = [np.median([row[name] for row in found]) for name in COLUMNS]
        print(f"| `{way}` | " + " | ".join(f"{value:.1f}" for value in medians) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
