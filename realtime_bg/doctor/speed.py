"""Measures the frame rate: runs the configured engine on the demo source for two seconds."""

from collections.abc import Iterator
from typing import Any

from realtime_bg.doctor.findings import Finding, Machine, Needs
from realtime_bg.doctor.isolation import run_isolated
from realtime_bg.settings import Settings

SECONDS = 2.0
TIMEOUT = 90.0  # includes loading, and exporting a checkpoint the first time
SLOW = 15.0  # frames per second; video calls stutter below


def speed(machine: Machine, settings: Settings, _: Needs) -> Iterator[Finding]:
    """Measure the engine that would run, at the size that would be requested from the camera."""
    changes = {
        "source": settings.source.model_copy(
            update={"spec": "demo", "size": settings.source.size or (1280, 720), "loop": True}
        ),
        "engine": settings.engine.model_copy(update={"offline": True}),
        "paused": False,
        "frozen": False,
    }
    measured = settings.model_copy(update=changes).at_quality("fast")
    outcome = run_isolated(
        machine, "speed", str(SECONDS), stdin=measured.model_dump_json(), seconds=TIMEOUT
    )
    report = next((result for result in outcome.results if "fps" in result), None)
    for line in outcome.output.splitlines():
        if line.startswith("realtime-bg: "):
            yield Finding("engine", "note", line.removeprefix("realtime-bg: "))
    if report is None:
        problem = outcome.results[-1]["problem"] if outcome.results else outcome.problem
        fix = "realtime-bg bench --verbose shows details" if outcome.problem else ""
        yield Finding("speed", "fault", f"cannot be measured: {problem}", fix)
        return
    fps, size = report["fps"]["p50"], "x".join(map(str, report["size"]))
    text = (
        f"{report['engine']} on {report['provider']}: {fps:.0f} frames per second at {size}, "
        f"network at {'x'.join(map(str, report['work_size']))}, "
        f"{report['network_ms']['p50']:.1f} of {report['step_ms']['p50']:.1f} ms per frame "
        f"({report['frames']} frames measured)"
    )
    if fps >= SLOW:
        yield Finding("speed", "ok", text, data=report)
    else:
        yield Finding("speed", "note", text, _remedy(report), data=report)


def _remedy(report: dict[str, Any]) -> str:
    """What would be faster than what was measured."""
    ways = []
    if report["engine"] != "embedded":
        ways.append("a faster engine: --engine embedded")
    if report["size"][0] > 640:
        ways.append("a smaller picture: --size 640x360")
    if not ways:
        ways.append("end programs that keep the processor busy, or use a faster computer")
    return "\n".join(ways)
