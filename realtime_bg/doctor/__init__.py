"""`realtime-bg doctor`: checks what works on this machine and suggests fixes for what does not."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from realtime_bg.doctor.findings import Finding, Machine, Needs
from realtime_bg.settings import Settings
from realtime_bg.version import __version__

Check: TypeAlias = Callable[[Machine, Settings, Needs], Iterator[Finding]]

CHECKS = {
    "System": "computer:system",
    "Packages": "packages:packages",
    "Inference": "runtimes:runtimes",
    "Cameras": "video:video",
    "PipeWire camera": "pipewire:pipewire",
    "Virtual camera": "virtual:virtual",
    "Display": "computer:display",
    "Models": "weights:weights",
    "Speed": "speed:speed",
}
MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "fault": ("FAULT", "red")}


def examine(settings: Settings, machine: Machine | None = None) -> Iterator[tuple[str, Finding]]:
    """Yield every finding as (section, finding) as soon as it is known. Raises SourceError or
    SinkError for a source or an output that cannot exist."""
    machine, needs = machine or Machine(), Needs.of(settings)
    for section, place in CHECKS.items():
        try:
            module, _, name = place.partition(":")
            # Imported here: a broken package must not prevent the other checks.
            check: Check = getattr(import_module(f"realtime_bg.doctor.{module}"), name)
            for finding in check(machine, settings, needs):
                yield section, finding
        except Exception as error:
            text = f"the check failed ({type(error).__name__}: {' '.join(str(error).split())})"
            yield section, Finding(section.lower(), "fault", text)


def without_home(text: str) -> str:
    """Replace the home folder with ~: reports get shared, and its path holds the user's name."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def as_json(found: list[tuple[str, Finding]]) -> str:
    """Return the report as JSON, for other programs."""
    findings: list[dict[str, Any]] = [{"section": at, **asdict(one)} for at, one in found]
    fine = all(one.state != "fault" for _, one in found)
    report = {"version": __version__, "ok": fine, "findings": _without_home(findings)}
    return json.dumps(report, indent=2)


def _without_home(value: Any) -> Any:
    """Apply `without_home` to every string in ``value``: JSON would escape the path first."""
    if isinstance(value, str):
        return without_home(value)
    if isinstance(value, Mapping):
        return {_without_home(key): _without_home(under) for key, under in value.items()}
    if isinstance(value, list | tuple):
        return [_without_home(under) for under in value]
    return value
