"""The benchmark: runs the processor frame by frame with every stage timed and nothing dropped."""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table

from realtime_bg.errors import SettingsError
from realtime_bg.frames import Image, Size
from realtime_bg.imaging import kernels
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.sinks.null import NullSink
from realtime_bg.sources import is_live, open_source
from realtime_bg.stats import STAGES, Stats
from realtime_bg.version import __version__

WARM_UP = 10  # frames that are not measured: lazy allocations, caches, clock ramps

Report = dict[str, Any]


def bench(settings: Settings, frames: int, seconds: float = math.inf) -> Report:
    """Run ``frames`` frames of the source through the engine and the background, or as many as fit
    into ``seconds``.

    Times in the report are in milliseconds, each with ``p50``, ``p95`` and ``min``: ``network_ms``
    and ``stages_ms`` per stage, ``step_ms`` from frame to composite, ``cpu_ms`` the processor time
    of all threads during that step, ``latency_ms`` from capture to output. ``fps`` is the rate
    including capture. ``cpu_percent`` counts one full core as 100. With
    the engine `rvm-torch`, RVM's usual loop (`bench_baseline.py`) alternates with it on the same
    device: ``loop_ms`` is its time, and ``times_loop`` is how many times as fast the step is.
    Raises RealtimeBgError.
    """
    if is_live(settings.source.spec):
        raise SettingsError("bench needs a source that is not live: demo, a video or an image")
    stats = Stats(history=frames)
    processor = Processor(Live(settings), stats, wait=True)
    source = open_source(settings.source, paced=False)
    sink = NullSink("", source.size, source.fps)
    pictures = iter(source)
    process = psutil.Process()
    loop: Callable[[Image, Image], Image] | None = None
    wall = cpu = other_wall = other_cpu = 0.0
    try:
        for count in range(WARM_UP + frames):
            if count == WARM_UP:
                stats.clear()
                other_wall = other_cpu = 0.0
                wall, cpu = time.perf_counter(), sum(process.cpu_times()[:2])
            start = time.perf_counter()
            frame = next(pictures)
            captured, captured_cpu = time.perf_counter(), time.process_time()
            composite = processor.process(frame)
            composed, composed_cpu = time.perf_counter(), time.process_time()
            sink.send(composite)
            done = time.perf_counter()
            for stage, took in (
                ("capture", captured - start),
                ("step", composed - captured),
                ("hand-over", done - composed),
                ("latency", done - captured),
                ("frame", done - start),
                ("step CPU", composed_cpu - captured_cpu),
            ):
                stats.add(stage, took)
            if stats.engine == "rvm-torch":
                start, used = time.perf_counter(), sum(process.cpu_times()[:2])
                loop = loop or _usual_loop(stats, source.size)
                looped = time.perf_counter()
                # Any picture of the right size can serve as background
                loop(frame.image, composite.image)
                stats.add("loop", time.perf_counter() - looped)
                other_wall += time.perf_counter() - start
                other_cpu += sum(process.cpu_times()[:2]) - used
            if count > WARM_UP and done - wall > seconds:
                break
        wall = time.perf_counter() - wall - other_wall
        cpu = sum(process.cpu_times()[:2]) - cpu - other_cpu
    except StopIteration:
        raise SettingsError(
            f"{settings.source.spec} ends before {WARM_UP + frames} frames"
        ) from None
    finally:
        source.close()
        processor.close()
    compared: Report = {}
    if loop is not None:
        compared["loop_ms"] = _summary(stats.milliseconds("loop"))
        compared["times_loop"] = round(stats.median("loop") / stats.median("step"), 2)
    rate = [1000 / ms for ms in stats.milliseconds("frame")]
    return {
        "version": __version__,
        "engine": stats.engine,
        "provider": stats.provider,
        "model": stats.model,
        "size": list(source.size),
        "work_size": list(stats.work_size),
        "threads": stats.threads,
        "source": settings.source.spec,
        "background": settings.background.current,
        "kernels": kernels.compiled,
        "frames": len(rate),
        "fps": _summary(rate),
        "network_ms": _summary(stats.milliseconds("network")),
        "step_ms": _summary(stats.milliseconds("step")),
        "cpu_ms": _summary(stats.milliseconds("step CPU")),
        "latency_ms": _summary(stats.milliseconds("latency")),
        "stages_ms": {stage: _summary(stats.milliseconds(stage)) for stage in STAGES},
        "cpu_percent": round(100 * cpu / wall, 1),
        "peak_rss_mb": round(_peak_bytes(process) / 2**20, 1),
    } | compared


def _usual_loop(stats: Stats, size: Size) -> Callable[[Image, Image], Image]:
    from realtime_bg.app.bench_baseline import BaselineLoop

    device = stats.provider.lower()
    return BaselineLoop(Path(stats.model), stats.work_size[0] / size[0], device)


def _summary(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and minimum; zeros where a stage never ran."""
    ordered = sorted(values) or [0.0]
    last = len(ordered) - 1
    picks = {
        "p50": ordered[round(last * 0.5)],
        "p95": ordered[round(last * 0.95)],
        "min": ordered[0],
    }
    return {name: round(value, 3) for name, value in picks.items()}


def _peak_bytes(process: psutil.Process) -> int:
    if sys.platform == "win32":
        return int(process.memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def as_json(report: Report | list[Report]) -> str:
    """The report, or several, as JSON."""
    return json.dumps(report, indent=2)


def as_table(report: Report) -> Table:
    """The report as a table for the terminal."""
    title = (
        f"{report['engine']} on {report['provider']}, {'x'.join(map(str, report['size']))}, "
        f"network at {'x'.join(map(str, report['work_size']))}, {report['frames']} frames"
    )
    table = Table("", "p50", "p95", "min", title=title)
    rows = {f"{stage} ms": values for stage, values in report["stages_ms"].items()}
    rows |= {"step ms": report["step_ms"], "step, CPU ms": report["cpu_ms"]}
    rows |= {"latency ms": report["latency_ms"], "fps": report["fps"]}
    if "loop_ms" in report:
        rows["usual loop ms"] = report["loop_ms"]
    for name, values in rows.items():
        table.add_row(name, *(f"{values[key]:.2f}" for key in ("p50", "p95", "min")))
    table.caption = (
        f"CPU {report['cpu_percent']} % of one core, peak RSS {report['peak_rss_mb']} MB"
    )
    if "times_loop" in report:
        table.caption += f", {report['times_loop']} times as fast as RVM's usual loop"
    return table
