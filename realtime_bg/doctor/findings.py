"""The doctor's types: a finding, the machine examined, and what the settings need."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from realtime_bg.settings import Settings
from realtime_bg.sinks import CAMERAS
from realtime_bg.sinks import classify as sink_kind
from realtime_bg.sources import classify as source_kind

State = Literal["ok", "note", "fault"]
"""``note``: missing or unused, but not needed. ``fault``: needed and not working."""

PROBE = (sys.executable, "-P", "-m", "realtime_bg.doctor.probe")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``fix``: what to do about it, one command or sentence per line.
    ``data``: the details, for programs."""

    name: str
    state: State
    text: str
    fix: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine examined: this one, or in tests a folder with copies of the files that are
    read."""

    root: Path = Path("/")
    platform: str = sys.platform
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    probe: tuple[str, ...] = PROBE  # runs one check, see `isolation.py`
    known: dict[str, Any] = field(default_factory=dict)  # what one check has found out for others

    @property
    def linux(self) -> bool:
        return self.platform.startswith("linux")

    def path(self, name: str) -> Path:
        """Return the absolute path ``name`` below ``root``."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        """Return the text of a small file, stripped; empty if it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def in_container(self) -> bool:
        """Whether devices and kernel modules belong to a host."""
        return any(self.path(mark).exists() for mark in ("/.dockerenv", "/run/.containerenv"))

    def distribution(self) -> str:
        """Return ID and ID_LIKE of os-release, such as "ubuntu debian"."""
        lines = (line.partition("=") for line in self.read("/etc/os-release").splitlines())
        values = {name: value.strip("\"'") for name, _, value in lines}
        return f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".strip()

    def suited(self, remedies: Mapping[str, str]) -> str:
        """Return the remedy for this distribution, by a word of `distribution`; else Debian's."""
        words = self.distribution()
        return next((each for word, each in remedies.items() if word in words), remedies["debian"])


@dataclass(frozen=True, slots=True)
class Needs:
    """What must work for the settings. ``camera``: its path or index, empty for the first camera,
    None for no camera. ``virtualcam``: a camera for other programs, of any kind; ``pipewire`` and
    ``driver``: one in PipeWire, or a device such as /dev/video10, is named, and no other will do.
    """

    camera: str | None
    window: bool
    virtualcam: bool
    pipewire: bool = False
    driver: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Needs":
        """Return what ``settings`` need. Raises SourceError and SinkError."""
        kind, target = source_kind(settings.source.spec)
        outputs = [sink_kind(spec) for spec in settings.output.sinks]
        virtualcam = settings.output.virtualcam or any(name in CAMERAS for name, _ in outputs)
        pipewire = any(name == "pipewire" for name, _ in outputs)
        driver = any(name == "virtualcam" and device for name, device in outputs)
        window = any(name == "window" for name, _ in outputs) or not (outputs or virtualcam)
        camera = target if kind == "camera" else None
        return cls(camera, window, virtualcam, pipewire, driver)


def severity(needed: bool) -> State:
    """Return the state of something that does not work."""
    return "fault" if needed else "note"
