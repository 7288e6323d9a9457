"""What an examination finds, and the machine it is done on."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from realtime_bg.settings import Settings
from realtime_bg.sinks import classify as sink_kind
from realtime_bg.sources import classify as source_kind

State = Literal["ok", "note", "fault"]
"""``note``: is not there, or not used, and nothing that is needed misses it."""

PROBE = (sys.executable, "-P", "-m", "realtime_bg.doctor.probe")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``fix``: what to do about it, a command or a sentence a line.
    ``data``: the same for programs."""

    name: str
    state: State
    text: str
    fix: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Machine:
    """The system, or in tests a copy of the parts of it that are read."""

    root: Path = Path("/")
    platform: str = sys.platform
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    probe: tuple[str, ...] = PROBE  # the command that tries things out, see `asking.py`

    @property
    def linux(self) -> bool:
        return self.platform.startswith("linux")

    def path(self, name: str) -> Path:
        """Where the absolute path ``name`` is."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        """A small text file; empty where there is none to read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def in_container(self) -> bool:
        """Whether devices and modules are another system's."""
        return any(self.path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))

    def distribution(self) -> str:
        """ID and ID_LIKE of os-release, as in "ubuntu debian"."""
        lines = (line.partition("=") for line in self.read("/etc/os-release").splitlines())
        values = {name: value.strip("\"'") for name, _, value in lines}
        return f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".strip()


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to work for these settings. ``camera``: its path or index, empty for the first
    one, None for no camera."""

    camera: str | None
    window: bool
    virtualcam: bool

    @classmethod
    def of(cls, settings: Settings) -> "Needs":
        """Raises SourceError and SinkError."""
        kind, target = source_kind(settings.source.spec)
        sinks = {sink_kind(spec)[0] for spec in settings.output.sinks}
        virtualcam = settings.output.virtualcam or "virtualcam" in sinks
        window = "window" in sinks or not (sinks or virtualcam)
        return cls(target if kind == "camera" else None, window, virtualcam)


def bad(needed: bool) -> State:
    """The state of what does not work."""
    return "fault" if needed else "note"
