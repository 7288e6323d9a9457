"""`realtime-bg doctor`: what works here, what does not, and what to do about it."""

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
    "Virtual camera": "virtual:virtual",
    "Display": "computer:display",
    "Models": "weights:weights",
    "Speed": "speed:speed",
}
MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "fault": ("FAULT", "red")}


def examine(settings: Settings, machine: Machine | None = None) -> Iterator[tuple[str, Finding]]:
    """Everything that is found, as (section, finding), when it is found. Raises SettingsError,
    SourceError and SinkError for settings that ask for what there cannot be."""
    machine, needs = machine or Machine(), Needs.of(settings)
    for section, place in CHECKS.items():
        try:
            module, _, name = place.partition(":")
            # Imported now: a broken package must not keep the others from being looked at.
            check: Check = getattr(import_module(f"realtime_bg.doctor.{module}"), name)
            for finding in check(machine, settings, needs):
                yield section, finding
        except Exception as error:
            text = f"cannot be looked at ({type(error).__name__}: {' '.join(str(error).split())})"
            yield section, Finding(section.lower(), "fault", text)


def without_home(text: str) -> str:
    """Reports are shown to others, whom the user's name does not concern."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def as_json(found: list[tuple[str, Finding]]) -> str:
    """The report for programs."""
    findings: list[dict[str, Any]] = [{"section": at, **asdict(one)} for at, one in found]
    fine = all(one.state != "fault" for _, one in found)
    report = {"version": __version__, "ok": fine, "findings": _homeless(findings)}
    return json.dumps(report, indent=2)


def _homeless(value: Any) -> Any:
    """As `without_home`, all through plain values: JSON writes a path in other letters."""
    if isinstance(value, str):
        return without_home(value)
    if isinstance(value, Mapping):
        return {_homeless(key): _homeless(under) for key, under in value.items()}
    if isinstance(value, list | tuple):
        return [_homeless(under) for under in value]
    return value
