"""Checks the camera in PipeWire: whether PipeWire and its session manager run and take one, and
whether browsers can get it."""

from collections.abc import Iterator
from typing import Any

from realtime_bg.devices import loopback
from realtime_bg.devices.libpipewire import START
from realtime_bg.doctor import portal
from realtime_bg.doctor.findings import Finding, Machine, Needs, State, severity
from realtime_bg.doctor.isolation import run_isolated
from realtime_bg.settings import Settings
from realtime_bg.sinks import classify
from realtime_bg.sinks.pipewire import NAME

SECONDS = 40.0  # for the probe
INSTALL = {  # by a word in ID or ID_LIKE of os-release
    "debian": "sudo apt install pipewire pipewire-bin wireplumber",
    "fedora": "sudo dnf install pipewire pipewire-utils wireplumber",
    "arch": "sudo pacman -S pipewire wireplumber",
    "suse": "sudo zypper install pipewire pipewire-tools wireplumber",
}
V4L2 = {
    "debian": "sudo apt install pipewire-v4l2",
    "fedora": "sudo dnf install pipewire-v4l2",
    "arch": "sudo pacman -S pipewire-v4l2",
    "suse": "install the package with pw-v4l2 (zypper search --provides pw-v4l2)",
}
SOCKET = (
    "pass its socket to the container: -v $XDG_RUNTIME_DIR/pipewire-0:/tmp/pipewire-0 "
    "-e XDG_RUNTIME_DIR=/tmp"
)


def pipewire(machine: Machine, settings: Settings, needs: Needs) -> Iterator[Finding]:
    """Check whether other programs can find this program's camera in PipeWire."""
    if not machine.linux:
        yield Finding("pipewire", "note", "not used: PipeWire is a part of Linux desktops")
        return
    known = desktop(machine)
    yield _service(machine, known, needs)
    if not known.get("published"):
        return
    if known.get("tools"):
        yield _manager(machine, known, needs)
        yield _camera(known, settings)
    yield from portal.portal(machine, known, _wanted(machine, needs))
    if needs.virtualcam:  # otherwise these hints are of no use
        yield from portal.awareness(known)
        yield from portal.browsers(machine, known)


def desktop(machine: Machine) -> dict[str, Any]:
    """Return what the probe has found out, see `desktop.py`; it is asked once. ``problem``: why no
    camera can be published."""
    if "pipewire" not in machine.known:
        outcome = run_isolated(machine, "pipewire", seconds=SECONDS)
        found: dict[str, Any] = {}
        for result in outcome.results:
            found |= result
        if not found.get("published"):
            found.setdefault("problem", outcome.problem or "it does not accept a camera")
        machine.known["pipewire"] = found
    known: dict[str, Any] = machine.known["pipewire"]
    return known


def works(machine: Machine) -> bool:
    """Whether a camera can be published in PipeWire, and somebody connects it to readers."""
    known = desktop(machine)
    return bool(known.get("published") and (known.get("manager") or not known.get("tools")))


def remedy(machine: Machine) -> str:
    """Return what makes PipeWire work that does not."""
    known = desktop(machine)
    if known.get("published"):
        return portal.MANAGE if known.get("wireplumber") is not None else machine.suited(INSTALL)
    if machine.in_container() and known.get("pipewire") is None:
        return SOCKET
    if known.get("pipewire") is None or "library" not in known:
        return f"{machine.suited(INSTALL)}, then {START}"
    return START


def _wanted(machine: Machine, needs: Needs) -> State:
    """The state of what does not work here: a fault if no driver's camera can stand in."""
    driver = needs.driver or loopback.devices(machine.path(str(loopback.LOOPBACKS)))
    return severity(needs.pipewire or (needs.virtualcam and not driver))


def _service(machine: Machine, known: dict[str, Any], needs: Needs) -> Finding:
    version = known.get("server") or known.get("pipewire") or ""
    name = f"PipeWire {version}".strip()
    if known.get("published"):
        text = f"{name} runs and accepts a camera (library {known.get('library', 'unknown')})"
        return Finding("pipewire", "ok", text, data=known)
    # Where a driver's camera would do as well, that one's section names both.
    state = severity(needs.pipewire)
    if known.get("pipewire") is None and "library" not in known:
        text = f"PipeWire is not installed ({known['problem']})"
    elif "library" not in known:
        text = f"{name}: its library cannot be used ({known['problem']})"
    else:
        text = f"{name} is installed but does not answer ({known['problem']})"
        if not machine.environment.get("XDG_RUNTIME_DIR") and not machine.in_container():
            fix = "run this in the session of your desktop, not with sudo and not as a service"
            return Finding("pipewire", state, f"{text}; XDG_RUNTIME_DIR is not set", fix, known)
    return Finding("pipewire", state, text, remedy(machine), known)


def _manager(machine: Machine, known: dict[str, Any], needs: Needs) -> Finding:
    manager = known.get("manager")
    if manager is None:
        text = "WirePlumber does not run: nothing connects the camera to the programs that open it"
        return Finding("session manager", severity(needs.pipewire), text, remedy(machine))
    version = known.get("wireplumber") if manager == "WirePlumber" else ""
    return Finding("session manager", "ok", f"{manager} {version or ''}".strip() + " runs")


def _camera(known: dict[str, Any], settings: Settings) -> Finding:
    """Say whether a camera of this program is there now. That it is not is no fault."""
    kinds = [classify(spec) for spec in settings.output.sinks]
    names = {NAME, *(target for kind, target in kinds if kind == "pipewire" and target)}
    ours = [each for each in known.get("cameras", []) if each["name"] in names]
    texts = [
        f"{each['name']} is listed now, and {'is' if each['read'] else 'is not'} being read"
        for each in ours
    ]
    text = "; ".join(texts) or "not listed now: programs see it only while realtime-bg runs"
    return Finding("camera", "ok", f"the camera: {text}", data={"cameras": known.get("cameras")})


def v4l2_programs(machine: Machine) -> str:
    """Return how one program that knows only /dev/video* gets to see the camera in PipeWire."""
    tip = "or, for one program at a time: pw-v4l2 PROGRAM"
    installed = desktop(machine).get("pw_v4l2")
    return tip if installed else f"{tip} (first {machine.suited(V4L2)})"
