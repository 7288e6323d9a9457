"""Checks xdg-desktop-portal, through which browsers and sandboxed programs reach cameras, and tells
which switch the browsers need."""

from collections.abc import Iterator
from typing import Any

from realtime_bg.doctor.desktop import STORE, STORE_PATH
from realtime_bg.doctor.findings import Finding, Machine, State

INSTALL = {  # by a word in ID or ID_LIKE of os-release
    "debian": "sudo apt install xdg-desktop-portal",
    "fedora": "sudo dnf install xdg-desktop-portal",
    "arch": "sudo pacman -S xdg-desktop-portal",
    "suse": "sudo zypper install xdg-desktop-portal",
}
BACKEND = "its part for your desktop: xdg-desktop-portal-gnome, -kde or -gtk; then log in again"
MANAGE = "systemctl --user restart wireplumber"
RESTART = "systemctl --user restart xdg-desktop-portal"
FLATPAK = "flatpak permission-remove devices camera"
FORGET = f"busctl --user call {STORE} {STORE_PATH} {STORE} Delete ss devices camera"
CHROMIUM = (
    "open chrome://flags/#enable-webrtc-pipewire-camera in it, choose Enabled, and start it again"
)
FIREFOX = (
    "open about:config in it, set media.webrtc.camera.allow-pipewire to true, and start it again"
)


def portal(machine: Machine, known: dict[str, Any], wanted: State) -> Iterator[Finding]:
    """Check the portal. ``known``: what the probe has found out; ``wanted``: the state of what does
    not work."""
    version = f"xdg-desktop-portal {known.get('portal_version') or ''}".strip()
    if not known.get("bus"):
        text = "the session's D-Bus does not answer, so browsers cannot ask the portal for a camera"
        yield Finding("portal", wanted, text, "run this in the session of your desktop")
        return
    if not known.get("portal_installed"):
        text = "xdg-desktop-portal is not installed: browsers and Flatpaks find no camera"
        yield Finding("portal", wanted, text, f"{machine.suited(INSTALL)}\nand {BACKEND}")
        return
    if not known.get("portal"):
        text = "xdg-desktop-portal is installed; it is started when a program asks for a camera"
        yield Finding("portal", "ok", text)
    elif known.get("portal_cameras") is None:
        text = f"{version} runs but gives nobody a camera: it has no part for this desktop"
        yield Finding(
            "portal", wanted, text, f"{RESTART}\nif that does not help, install {BACKEND}"
        )
    else:
        yield Finding("portal", "ok", f"{version} runs and gives access to cameras")
    yield from _permissions(known, wanted)


def awareness(known: dict[str, Any]) -> Iterator[Finding]:
    """Find out about portals that have lost track of the cameras, or may have."""
    if known.get("portal_sees") is False:
        text = (
            "the portal did not notice a new camera: a program that asks it whether there is one, "
            "such as GNOME's camera, may find none"
        )
        yield Finding("portal cameras", "note", text, f"while realtime-bg runs: {RESTART}")
    if known.get("manager_first"):
        # github.com/flatpak/xdg-desktop-portal/issues/2143: on some machines only
        text = (
            "WirePlumber was started before the portal; on some machines, no camera is found then"
        )
        yield Finding("start order", "note", text, f"only if that is so here: {MANAGE}")


def _permissions(known: dict[str, Any], wanted: State) -> Iterator[Finding]:
    permissions = known.get("permissions") or {}
    data = {"permissions": permissions}
    fix = f"{FLATPAK if known.get('flatpak') else FORGET}   (then they ask again)"
    refused = [name for name, word in permissions.items() if word == "no"]
    if "" in refused:
        text = "the portal refuses the camera to all programs outside sandboxes, browsers included"
        yield Finding("permission", wanted, text, fix, data)
    if named := [name for name in refused if name]:
        text = f"the portal refuses the camera to {', '.join(named)}"
        yield Finding("permission", "note", text, fix, data)
    if not refused:
        given = [name or "programs outside sandboxes" for name, word in permissions.items()]
        text = f"given to {', '.join(given)}" if given else "each program asks when it needs it"
        yield Finding("permission", "ok", f"permission for the camera: {text}", data=data)


def browsers(machine: Machine, known: dict[str, Any]) -> Iterator[Finding]:
    """Say which switch the installed browsers need; what is set in them is not read."""
    browsers = known.get("browsers") or {}
    if name := browsers.get("chromium"):
        text = f"{name} looks for cameras in PipeWire only with its flag PipeWire Camera support"
        yield Finding("chromium", "note", text, CHROMIUM)
    if name := browsers.get("firefox"):
        if machine.distribution().split()[:1] == ["fedora"]:  # since Fedora 41
            yield Finding("firefox", "ok", f"{name} looks for cameras in PipeWire, as on Fedora")
            return
        text = f"{name} looks for cameras in PipeWire only with a preference of about:config"
        yield Finding("firefox", "note", text, FIREFOX)
