"""How fast it will be: two seconds of the real thing, on the demo's pictures."""

from collections.abc import Iterator

from realtime_bg.doctor.asking import ask
from realtime_bg.doctor.findings import Finding, Machine, Needs
from realtime_bg.settings import Settings

SECONDS = 2.0
PATIENCE = 90.0  # loading included: a checkpoint is exported once
SLOW = 15.0  # frames per second below which a call looks bad


def speed(machine: Machine, settings: Settings, _: Needs) -> Iterator[Finding]:
    """Measure the engine that would run, at the size that would be asked of the camera."""
    changes = {
        "source": settings.source.model_copy(
            update={"spec": "demo", "size": settings.source.size or (1280, 720), "loop": True}
        ),
        "engine": settings.engine.model_copy(update={"offline": True}),
        "paused": False,
        "frozen": False,
    }
    tried = settings.model_copy(update=changes).at_quality("fast")
    answer = ask(machine, "speed", str(SECONDS), text=tried.model_dump_json(), seconds=PATIENCE)
    report = next((said for said in answer.said if "fps" in said), None)
    for line in answer.words.splitlines():
        if line.startswith("realtime-bg: "):
            yield Finding("engine", "note", line.removeprefix("realtime-bg: "))
    if report is None:
        problem = answer.said[-1]["problem"] if answer.said else answer.problem
        fix = "realtime-bg bench --verbose says more" if answer.problem else ""
        yield Finding("speed", "fault", f"cannot be measured: {problem}", fix)
        return
    fps, size = report["fps"]["p50"], "x".join(map(str, report["size"]))
    text = (
        f"{report['engine']} on {report['provider']}: {fps:.0f} frames a second at {size}, network "
        f"at {'x'.join(map(str, report['work_size']))}, {report['network_ms']['p50']:.1f} of "
        f"{report['step_ms']['p50']:.1f} ms a frame ({report['frames']} frames measured)"
    )
    if fps >= SLOW:
        yield Finding("speed", "ok", text, data=report)
    else:
        fix = "a faster engine: --engine embedded\na smaller picture: --size 640x360"
        yield Finding("speed", "note", text, fix, data=report)
