"""Asks this desktop what a camera in PipeWire depends on: PipeWire itself, the session manager, the
portal and its permissions.

It runs in the probe's process. Every command has a time limit, and what cannot be found out is left
out or None.
"""

import ast
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from realtime_bg.devices.pipewire_objects import pipewire_objects

Facts: TypeAlias = dict[str, Any]

CHECK = "realtime-bg doctor"  # the name of the camera that is published for a moment
SECONDS = 5.0  # for each command
NOTICE = 0.3  # seconds for the portal to notice a camera
MANAGERS = ("WirePlumber", "pipewire-media-session")
PORTAL = "org.freedesktop.portal.Desktop"
PORTAL_PATH = "/org/freedesktop/portal/desktop"
STORE = "org.freedesktop.impl.portal.PermissionStore"
STORE_PATH = "/org/freedesktop/impl/portal/PermissionStore"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
BROWSERS = {  # the commands and Flatpak names of each kind
    "chromium": (
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "brave-browser",
        "microsoft-edge",
        "org.chromium.Chromium",
        "com.google.Chrome",
        "com.brave.Browser",
        "com.microsoft.Edge",
    ),
    "firefox": ("firefox", "firefox-esr", "org.mozilla.firefox"),
}
FLATPAKS = ("/var/lib/flatpak/exports/bin", "~/.local/share/flatpak/exports/bin")


def facts() -> Iterator[Facts]:
    """Yield what is installed, what runs, and what the portal permits."""
    yield {
        "pipewire": version("pipewire"),
        "wireplumber": version("wireplumber"),
        "tools": bool(shutil.which("pw-dump")),
        "pw_v4l2": bool(shutil.which("pw-v4l2")),
        "flatpak": bool(shutil.which("flatpak")),
        "browsers": browsers(),
    }
    running = objects()
    yield running
    portal = portal_state()
    yield portal
    manager, portal_process = _started(running.get("manager_pid")), _started(portal.get("portal"))
    if manager is not None and portal_process is not None:
        yield {"manager_first": manager < portal_process}
    yield {"permissions": permissions()}


def answer(*command: str) -> str | None:
    """Return what a command prints; None if it is missing, fails or is too slow."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=True
        )
        return done.stdout.decode(errors="replace")
    return None


def version(program: str) -> str | None:
    """Return the version that a program prints; empty if it prints none, None if it is missing."""
    if shutil.which(program) is None:
        return None
    found = re.search(r"\d+(?:\.\d+)+", answer(program, "--version") or "")
    return found[0] if found else ""


def browsers() -> dict[str, str]:
    """Return the first installed browser of each kind."""
    folders = [os.environ.get("PATH", ""), *(str(Path(name).expanduser()) for name in FLATPAKS)]
    path = os.pathsep.join(folders)
    kinds = {
        kind: next((name for name in names if shutil.which(name, path=path)), "")
        for kind, names in BROWSERS.items()
    }
    return {kind: name for kind, name in kinds.items() if name}


def objects() -> Facts:
    """Return the running version of PipeWire, its session manager, and the cameras in it; nothing
    if PipeWire does not answer."""
    try:
        found = pipewire_objects(SECONDS)
    except OSError:
        return {}
    result: Facts = {"cameras": []}
    for each in found:
        info = each.get("info") or {}
        props = info.get("props") or {}
        kind = str(each.get("type", "")).rpartition(":")[2]
        if kind == "Core":
            result["server"] = str(info.get("version", ""))
        elif kind == "Client" and props.get("application.name") in MANAGERS:
            result["manager"] = props["application.name"]
            result["manager_pid"] = props.get("pipewire.sec.pid")
        elif kind == "Node" and _is_camera(props):
            name = str(props.get("node.description") or props.get("node.name"))
            result["cameras"].append({"name": name, "read": info.get("state") == "running"})
    return result if "server" in result else {}


def _is_camera(props: Facts) -> bool:
    return (props.get("media.class"), props.get("media.role")) == ("Video/Source", "Camera")


def portal_state() -> Facts:
    """Return the portal's process ("portal", 0 if it does not run), its version, whether it could
    be started, and whether it has cameras. It is not started for that."""
    if (owned := call(BUS, BUS_PATH, BUS, "NameHasOwner", PORTAL)) is None:
        return {"bus": False}
    if not owned:
        names = call(BUS, BUS_PATH, BUS, "ListActivatableNames") or []
        return {"bus": True, "portal": 0, "portal_installed": PORTAL in names}
    process = call(BUS, BUS_PATH, BUS, "GetConnectionUnixProcessID", PORTAL)
    state = {"bus": True, "portal": process, "portal_installed": True}
    with suppress(OSError):
        program = os.readlink(f"/proc/{process}/exe")
        state["portal_version"] = version(program) or ""
    state["portal_cameras"] = portal_sees_camera()
    return state


def portal_sees_camera() -> bool | None:
    """Whether the portal knows of a camera; None if it does not run or has no cameras at all."""
    if not call(BUS, BUS_PATH, BUS, "NameHasOwner", PORTAL):
        return None
    properties = "org.freedesktop.DBus.Properties"
    camera = ("org.freedesktop.portal.Camera", "IsCameraPresent")
    found = call(PORTAL, PORTAL_PATH, properties, "Get", *camera)
    return found if isinstance(found, bool) else None


def permissions() -> dict[str, str]:
    """Return what the portal's permission store says of the camera, by application; the empty name
    stands for all programs outside sandboxes."""
    entry = call(STORE, STORE_PATH, STORE, "Lookup", "devices", "camera")
    if isinstance(entry, dict):
        return {name: str(words[0]) for name, words in entry.items() if words}
    lines = (
        line.split() for line in (answer("flatpak", "permissions", "devices") or "").split("\n")
    )
    rows = [words[2:] for words in lines if words[:2] == ["devices", "camera"]]
    return {row[0] if len(row) > 2 else "": row[-2] for row in rows if len(row) > 1}


def call(name: str, path: str, interface: str, method: str, *words: str) -> Any:
    """Return the first result of a D-Bus method that takes strings; None if it fails."""
    signature = ("s" * len(words), *words) if words else ()
    text = answer(
        "busctl", "--user", "--json=short", "call", name, path, interface, method, *signature
    )
    if text is not None:
        with suppress(ValueError, KeyError, IndexError):
            first = json.loads(text)["data"][0]
            return first["data"] if isinstance(first, dict) and "type" in first else first
    text = answer(
        *("gdbus", "call", "--session", "--dest", name, "--object-path", path),
        *("--method", f"{interface}.{method}", *words),
    )
    if text is not None:
        with suppress(ValueError, SyntaxError, IndexError):
            return ast.literal_eval(_as_python(text))[0]
    return None


def _as_python(text: str) -> str:
    """Convert the text form of a GVariant to a Python literal, as far as it is needed here."""
    plain = re.sub(r"@\S+ |\b(?:uint32|byte) |[<>]", "", text)
    return plain.replace("true", "True").replace("false", "False").strip()


def _started(process: int | None) -> int | None:
    """When a process was started, in ticks since the system was."""
    with suppress(OSError, ValueError, IndexError):
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    return None
