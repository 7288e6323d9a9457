"""Checks the virtual camera of a driver: whether it is there, whether browsers will list it, and
how to install it. On Linux, it is needed only where a camera in PipeWire does not do."""

import platform
from collections.abc import Iterator
from typing import NamedTuple

from realtime_bg.devices import loopback
from realtime_bg.devices.cameras import Camera, held_by, query
from realtime_bg.doctor import pipewire
from realtime_bg.doctor.findings import Finding, Machine, Needs, State, severity
from realtime_bg.doctor.isolation import run_isolated
from realtime_bg.settings import Settings

OPTIONS = "video_nr=10 card_label=realtime-bg exclusive_caps=1"
LOAD = f"sudo modprobe v4l2loopback {OPTIONS}"
RELOAD = f"sudo modprobe -r v4l2loopback && {LOAD}"
KEEP = (
    "echo v4l2loopback | sudo tee /etc/modules-load.d/v4l2loopback.conf\n"
    f"echo 'options v4l2loopback {OPTIONS}' | sudo tee /etc/modprobe.d/v4l2loopback.conf"
)
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
INSTALL = {  # by a word in ID or ID_LIKE of os-release
    "debian": "sudo apt install v4l2loopback-dkms linux-headers-$(uname -r)",
    "fedora": "sudo dnf install akmod-v4l2loopback   (from RPM Fusion, rpmfusion.org)",
    "arch": "sudo pacman -S v4l2loopback-dkms linux-headers",
    "suse": "sudo zypper install v4l2loopback-kmp-default",
}
SIGN = {  # enrols the key that signed the module when it was built
    "ubuntu": "sudo update-secureboot-policy --enroll-key, then restart and choose Enroll MOK",
    "debian": "sudo mokutil --import /var/lib/dkms/mok.pub, then restart and choose Enroll MOK",
    "fedora": "sudo kmodgenca -a && sudo mokutil --import /etc/pki/akmods/certs/public_key.der, "
    "then restart and choose Enroll MOK",
}
ELSEWHERE = {
    "win32": "install OBS Studio 28 or later (obsproject.com), press Start Virtual Camera in it "
    "once, and close it\nor install UnityCapture",
    "darwin": "install OBS Studio 30 or later (obsproject.com), press Start Virtual Camera in it "
    "once, allow its camera extension in System Settings, and close it",
}
NEEDED_BY = "for Zoom, Teams and Discord as programs, and browsers without the switch for PipeWire"
SEE = "browsers and call programs list it while realtime-bg feeds it, so start that before the call"


def virtual(machine: Machine, _: Settings, needs: Needs) -> Iterator[Finding]:
    """Check whether a call program can receive the picture."""
    if not machine.linux:
        yield _program(machine, needs)
        return
    devices = list(_devices(machine))
    for device in devices:
        yield _device(machine, device, needs)
    if not devices:
        yield _missing(machine, needs)
    elif not _kept(machine):
        yield Finding("restart", "note", "the virtual camera will be gone after a restart", KEEP)


class _Device(NamedTuple):
    name: str
    path: str
    camera: Camera | None  # None if it cannot be opened
    delivers: bool


def _devices(machine: Machine) -> Iterator[_Device]:
    """Yield the loopback devices known to the kernel, including those that cannot be opened."""
    for name in loopback.devices(machine.path(str(loopback.LOOPBACKS))):
        path = str(machine.path(name))
        try:
            camera, delivers = query(path)
        except OSError:
            if _loaded(machine):
                yield _Device(name, path, None, False)
            continue
        if camera.virtual:
            yield _Device(name, path, camera, delivers)


def _device(machine: Machine, device: _Device, needs: Needs) -> Finding:
    if device.camera is None:
        return Finding(
            device.name,
            _severity(machine, needs),
            f"{device.name}: cannot be opened",
            'sudo usermod -aG video "$USER", then log out and in again',
        )
    text = f"{device.name}  {device.camera.name}"
    holder = held_by(device.path, machine.path("/proc"))
    data = {"name": device.camera.name, "held_by": holder}
    if device.delivers and device.camera.writable:
        # Chromium and Firefox skip devices that are also outputs.
        return Finding(
            device.name,
            _severity(machine, needs),
            f"{text}: browsers will not list it (loaded without exclusive_caps=1)",
            RELOAD,
            data,
        )
    if device.delivers:
        used = f"used by {holder}" if holder else "by some program"
        return Finding(
            device.name, "ok", f"{text}: is being fed ({used}); browsers list it now", data=data
        )
    return Finding(device.name, "ok", f"{text}: free; {SEE}", data=data)


def _severity(machine: Machine, needs: Needs) -> State:
    """The state of a driver's camera that does not work: a fault if it was named, or if a virtual
    camera is needed and PipeWire has none either."""
    either = needs.virtualcam and not needs.pipewire
    return severity(needs.driver or (either and not pipewire.works(machine)))


def _missing(machine: Machine, needs: Needs) -> Finding:
    """Explain why there is no device: the module is not installed, not loaded, or has none."""
    text, fix, data = _why_missing(machine)
    state = _severity(machine, needs)
    if pipewire.works(machine):
        text = f"{text}; it is needed {NEEDED_BY}"
        fix = f"{fix}\n{pipewire.v4l2_programs(machine)}"
    elif state == "fault" and not needs.driver:
        text = f"{text}, and PipeWire does not work either; one of them is enough"
        fix = f"PipeWire, for browsers: {pipewire.remedy(machine)}\nv4l2loopback, for all: {fix}"
    return Finding("v4l2loopback", state, text, fix, data)


def _why_missing(machine: Machine) -> tuple[str, str, dict[str, bool]]:
    """The reason, what to do about it, and the details."""
    if machine.in_container():
        fix = f"on the host: {LOAD}\nand pass it to the container: --device /dev/video10"
        return "no device of v4l2loopback; kernel modules belong to the host", fix, {}
    if _loaded(machine):
        return "v4l2loopback is loaded but has no device", RELOAD, {}
    secure = _secure_boot(machine)
    sign = f"\nSecure Boot requires a signed module: {machine.suited(SIGN)}" if secure else ""
    data = {"secure_boot": secure}
    if any(machine.path(f"/lib/modules/{platform.release()}").rglob("v4l2loopback.ko*")):
        return "v4l2loopback is installed but not loaded", f"{LOAD}{sign}", data
    return "v4l2loopback is not installed", f"{machine.suited(INSTALL)}\n{LOAD}{sign}", data


def _loaded(machine: Machine) -> bool:
    return machine.path("/sys/module/v4l2loopback").is_dir()


def _secure_boot(machine: Machine) -> bool:
    """Whether Secure Boot is on: the last of the EFI variable's five bytes is 1."""
    try:
        return machine.path(SECURE_BOOT).read_bytes()[-1:] == b"\1"
    except OSError:
        return False


def _kept(machine: Machine) -> bool:
    """Whether the module is loaded again when the system starts."""
    folders = ("/etc/modules-load.d", "/usr/lib/modules-load.d")
    files = [path for folder in folders for path in machine.path(folder).glob("*.conf")]
    texts = [machine.read("/etc/modules"), *(path.read_text(errors="replace") for path in files)]
    lines = (line.strip() for text in texts for line in text.splitlines())
    return any(line.startswith("v4l2loopback") for line in lines)


def _program(machine: Machine, needs: Needs) -> Finding:
    """Open the virtual camera briefly: on Windows and macOS the only way to check it."""
    outcome = run_isolated(machine, "virtualcam", seconds=20)
    result = outcome.results[-1] if outcome.results else {}
    if "device" in result:
        text = f"{result['device']} ({result['backend']}) opens; choose it in the call"
        return Finding("virtual camera", "ok", text, data=result)
    problem = result.get("problem") or outcome.problem
    return Finding(
        "virtual camera",
        severity(needs.virtualcam),
        f"no virtual camera ({problem})",
        ELSEWHERE.get(machine.platform, "see the README"),
    )
