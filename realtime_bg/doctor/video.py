"""Checks the cameras: which formats they offer, and which program uses them."""

import errno
from collections.abc import Iterator

from realtime_bg.devices.cameras import Camera, cameras, held_by, query
from realtime_bg.devices.v4l2 import Format, formats
from realtime_bg.doctor.findings import Finding, Machine, Needs, State, severity
from realtime_bg.errors import reason
from realtime_bg.settings import Settings

OURSELVES = "realtime-bg"
MANY = 4  # formats shown in one line
VIDEO_CLASS = "0e"  # the class of USB video interfaces
JOIN = 'sudo usermod -aG video "$USER", then log out and in again'


def video(machine: Machine, _: Settings, needs: Needs) -> Iterator[Finding]:
    """Report all cameras; a needed one that is missing or busy is a fault."""
    wanted = _wanted(machine, needs)
    found = list(_on_linux(machine, wanted) if machine.linux else _elsewhere())
    candidates = [one for one in found if wanted in ("", one.name)]
    missing = needs.camera is not None and not any(one.state == "ok" for one in candidates)
    for one in found:
        blamed = missing and one in candidates
        yield Finding(one.name, "fault", one.text, one.fix, one.data) if blamed else one
    if not found:
        yield Finding("camera", severity(missing), "no camera found", _no_camera(machine))
    elif missing and not candidates:
        text = f"{wanted} does not exist or delivers no pictures"
        yield Finding("camera", "fault", text, "name another with --source")


def _wanted(machine: Machine, needs: Needs) -> str:
    """Return the configured camera by the name that findings use; empty if any camera will do."""
    target = needs.camera or ""
    if machine.linux and target.isdigit():
        return f"/dev/video{target}"
    if target.startswith("/dev/") and machine.path(target).is_symlink():  # /dev/v4l/by-id/...
        return f"/dev/{machine.path(target).resolve().name}"
    return target


def _elsewhere() -> Iterator[Finding]:
    for camera in cameras():
        yield Finding(camera.path, "ok", f"camera {camera.path} opens")


def _on_linux(machine: Machine, wanted: str) -> Iterator[Finding]:
    folder = machine.path("/dev")
    numbers = sorted(int(p.name[5:]) for p in folder.glob("video*") if p.name[5:].isdigit())
    for number in numbers:
        name, path = f"/dev/video{number}", str(folder / f"video{number}")
        label = machine.read(f"/sys/class/video4linux/video{number}/name")
        try:
            camera, delivers = query(path)
            # Another program's virtual camera counts only if it is the configured one.
            if delivers and (not camera.virtual or name == wanted):
                yield _camera(machine, name, path, camera)
        except OSError as error:
            text = f"{name}{label and f'  {label}'}: cannot be opened ({reason(error)})"
            fix = JOIN if error.errno in (errno.EACCES, errno.EPERM) else "plug it in again"
            yield Finding(name, "note", text, fix)


def _camera(machine: Machine, name: str, path: str, camera: Camera) -> Finding:
    offers = formats(path)
    holder = held_by(path, machine.path("/proc"))
    text = f"{name}  {camera.name}: {_offers(offers)}"
    data = {
        "name": camera.name,
        "held_by": holder,
        "formats": [
            {"code": one.code, "size": list(size), "fps": fps}
            for one in offers
            for size, fps in one.sizes.items()
        ],
    }
    if not holder:
        return Finding(name, "ok", text, data=data)
    state: State = "ok" if holder.startswith(OURSELVES) else "note"
    fix = "" if state == "ok" else f"close {holder.partition(' (')[0]} to free the camera"
    return Finding(name, state, f"{text}; used by {holder}", fix, data)


def _offers(offers: list[Format]) -> str:
    """Describe the first few formats, in the driver's order."""
    more = [f"and {len(offers) - MANY} more formats"] if len(offers) > MANY else []
    return "; ".join([*map(_offer, offers[:MANY]), *more]) or "lists no formats"


def _offer(offered: Format) -> str:
    """Describe the three largest sizes: "MJPG 1920x1080 at 30, 1280x720 at 60"."""
    largest = sorted(offered.sizes.items(), key=lambda item: -item[0][0] * item[0][1])
    sizes = [f"{w}x{h}{f' at {fps:g}' if fps else ''}" for (w, h), fps in largest[:3]]
    more = f" and {len(largest) - 3} smaller" if len(largest) > 3 else ""
    return f"{offered.code} {', '.join(sizes)}{more}".strip()


def _no_camera(machine: Machine) -> str:
    demo = "without a camera: realtime-bg --source demo"
    if not machine.linux:
        return f"plug one in, and allow the terminal to use it in the system settings\n{demo}"
    usb = machine.path("/sys/bus/usb/devices")
    if any(path.read_text().strip() == VIDEO_CLASS for path in usb.glob("*/bInterfaceClass")):
        if machine.in_container():
            return f"pass the connected camera to the container: --device /dev/video0\n{demo}"
        return f"a USB camera is connected but has no driver: sudo modprobe uvcvideo\n{demo}"
    if machine.in_container():
        return f"pass one to the container: --device /dev/video0\n{demo}"
    return f"plug one in\n{demo}"
