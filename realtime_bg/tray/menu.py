"""What the tray's icon, tooltip and menu say of the daemon's state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["off", "on", "paused", "problem"]
Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the menu. ``act``: what choosing it does; None if it can't be chosen. ``mark``: how
    ``on`` is shown. ``icon``: a PNG. A line without text separates others."""

    text: str = ""
    act: Act | None = field(default=None, compare=False)
    mark: Literal["", "checkmark", "radio"] = ""
    on: bool = False
    icon: bytes = b""
    children: tuple["Entry", ...] = ()


@dataclass(frozen=True, slots=True)
class Daemon:
    """What is known of the daemon. ``status`` and ``settings`` as from `ctl`; None while it does
    not run. ``viewers``: the programs that show its camera. ``refusal``: why the last choice in the
    menu did not work."""

    status: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None
    viewers: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def state(self) -> State:
        if self.refusal or (self.status or {}).get("problem"):
            return "problem"
        if self.status is None:
            return "off"
        return "paused" if self.settings and self.settings.get("paused") else "on"

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.refusal:
            return self.refusal
        if self.status is None:
            return "realtime-bg is off"
        if self.state == "problem":
            return str(self.status["problem"])
        if self.state == "paused":
            return "paused: a card is shown, and the camera is closed"
        if self.viewers:
            verb = "uses" if len(self.viewers) == 1 else "use"
            return f"{', '.join(self.viewers)} {verb} the camera"
        if self.status.get("watched") and self.status.get("cameras"):
            return "a program uses the camera"
        return "no program uses the camera"


def entries(
    daemon: Daemon, do: Callable[[str, Any], None], thumbnail: Callable[[str], bytes]
) -> tuple[Entry, ...]:
    """The menu. ``do(action, argument)`` carries out a choice: start, stop, pause, resume,
    background, page or quit. ``thumbnail``: a background's PNG, or nothing."""

    def choice(action: str, argument: Any = None) -> Act:
        return lambda: do(action, argument)

    running, status, settings = daemon.status is not None, daemon.status or {}, daemon.settings
    now = str(status.get("background", ""))
    lines = [
        Entry(daemon.summary),
        Entry(),
        Entry("On", choice("stop" if running else "start"), "checkmark", running),
    ]
    if running:
        paused = daemon.state == "paused"
        specs = tuple((settings or {}).get("background", {}).get("items", ()))
        backgrounds = tuple(
            Entry(_name(spec), choice("background", spec), "radio", spec == now, thumbnail(spec))
            for spec in dict.fromkeys((*specs, now))
            if spec
        )
        blurred = now.partition(":")[0] == "blur"
        others = [spec for spec in specs if spec.partition(":")[0] not in ("blur", "none")]
        away = others[0] if blurred and others else "blur"
        lines += [
            Entry("Pause", choice("resume" if paused else "pause"), "checkmark", paused),
            Entry("Background", children=backgrounds),
            Entry("Blur the room", choice("background", away), "checkmark", blurred),
        ]
        if status.get("page"):
            lines.append(Entry("Open the page", choice("page", status["page"])))
    return (*lines, Entry(), Entry("Close this icon", choice("quit")))


def _name(spec: str) -> str:
    """A background as people call it: a file by its name."""
    return spec.rstrip("/").rpartition("/")[2] or spec
