"""Asking a desktop about PipeWire: with programs that answer for it, and with a real PipeWire."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from realtime_bg.devices.pipewire import PublishedCamera
from realtime_bg.doctor import desktop
from realtime_bg.doctor.findings import PROBE, Machine, Needs
from realtime_bg.doctor.pipewire import pipewire, works
from realtime_bg.settings import load

posix = pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder of programs, the only ones that are found; each prints what it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(desktop, "FLATPAKS", ())

    def add(name, text="", code=0, script=""):
        (folder / f"{name}.txt").write_text(text)
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n/bin/cat {folder}/{name}.txt\nexit {code}\n")
        path.chmod(0o755)

    return add


@posix
def test_nothing_is_installed(programs):
    facts = {}
    for each in desktop.facts():
        facts |= each
    assert facts == {
        "pipewire": None,
        "wireplumber": None,
        "tools": False,
        "pw_v4l2": False,
        "flatpak": False,
        "browsers": {},
        "bus": False,
        "permissions": {},
    }


@posix
def test_versions_and_browsers(programs):
    programs("pipewire", "pipewire\nCompiled with libpipewire 1.4.2\nLinked with 1.4.2\n")
    programs("wireplumber", "what?", code=1)
    programs("chromium-browser")
    assert desktop.version("pipewire") == "1.4.2"
    assert desktop.version("wireplumber") == ""
    assert desktop.version("xdg-desktop-portal") is None
    assert desktop.browsers() == {"chromium": "chromium-browser"}


@posix
def test_a_command_that_hangs_is_given_up(programs, monkeypatch):
    monkeypatch.setattr(desktop, "SECONDS", 0.2)
    programs("pw-dump", script="exec /bin/sleep 20")
    start = time.monotonic()
    assert desktop.objects() == {}
    assert time.monotonic() - start < 10


@posix
def test_what_changes_while_pipewire_is_looked_at(programs):
    camera = {"media.class": "Video/Source", "media.role": "Camera", "node.name": "Desk"}
    first = [
        {"id": 0, "type": "PipeWire:Interface:Core", "info": {"version": "1.4.2"}},
        {
            "id": 31,
            "type": "PipeWire:Interface:Client",
            "info": {"props": {"application.name": "WirePlumber", "pipewire.sec.pid": 5}},
        },
        {"id": 40, "type": "PipeWire:Interface:Node", "info": {"state": "idle", "props": camera}},
        {"id": 41, "type": "PipeWire:Interface:Node", "info": {"state": "idle", "props": camera}},
        {"id": 42, "type": "PipeWire:Interface:Node", "info": {"props": {"media.role": "Music"}}},
    ]
    gone = {"id": 41, "type": "PipeWire:Interface:Node", "info": None}
    running = {"id": 40, "info": {"state": "running", "props": camera}}
    programs("pw-dump", json.dumps(first) + "\n" + json.dumps([gone, running]) + "\n")
    assert desktop.objects() == {
        "server": "1.4.2",
        "manager": "WirePlumber",
        "manager_pid": 5,
        "cameras": [{"name": "Desk", "read": True}],
    }
    programs("pw-dump", "[]\nnonsense")
    assert desktop.objects() == {}


@posix
@pytest.mark.parametrize(
    ("tool", "printed", "answer"),
    [
        ("busctl", '{"type":"b","data":[true]}', True),
        ("gdbus", "(true,)", True),
        ("busctl", '{"type":"v","data":[{"type":"b","data":false}]}', False),
        ("gdbus", "(<false>,)", False),
        ("gdbus", "(uint32 28384,)", 28384),
        ("busctl", '{"type":"a{sas}v","data":[{"":["no"]},{"type":"y","data":0}]}', {"": ["no"]}),
        ("gdbus", "({'': ['no'], 'org.a': ['yes']}, <byte 0x00>)", {"": ["no"], "org.a": ["yes"]}),
        ("gdbus", "(@a{sas} {}, <byte 0x00>)", {}),
        ("gdbus", "(['org.a', 'org.b'],)", ["org.a", "org.b"]),
        ("gdbus", "nonsense(", None),
        ("busctl", "nonsense", None),
    ],
)
def test_either_tool_can_ask_on_the_bus(programs, tool, printed, answer):
    programs(tool, printed)
    assert desktop.call("a.b", "/a", "a.b", "Method", "word") == answer


@posix
def test_flatpak_tells_the_permissions_too(programs):
    programs(
        "flatpak",
        "Table   Object App                 Permissions Data\n"
        "devices camera                     no          0x00\n"
        "devices camera org.mozilla.firefox yes         0x00\n"
        "devices speakers org.a             yes         0x00\n",
    )
    assert desktop.permissions() == {"": "no", "org.mozilla.firefox": "yes"}


@posix
def test_the_order_of_two_processes_is_known():
    assert desktop._started(os.getppid()) <= desktop._started(os.getpid())
    assert desktop._started(None) is None


# a real one


@pytest.fixture
def private():
    """The environment of a PipeWire of its own, without a session manager and without D-Bus."""
    missing = [name for name in ("pipewire", "pw-dump") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {missing[0]} here")
    with tempfile.TemporaryDirectory(prefix="rtbg-") as folder:  # short: a socket's path is limited
        environment = os.environ | {
            "XDG_RUNTIME_DIR": folder,
            "PIPEWIRE_RUNTIME_DIR": folder,
            "XDG_CONFIG_HOME": folder,
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/nothing",
        }
        with subprocess.Popen(["pipewire"], env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                end = time.monotonic() + 20
                while not Path(folder, "pipewire-0").exists() and time.monotonic() < end:
                    time.sleep(0.02)
                yield environment
            finally:
                server.terminate()


def found(environment):
    """What the doctor finds in the desktop of this environment, and whether PipeWire works."""
    here = Machine(Path("/"), "linux", environment, PROBE)
    settings = load(flags={"output.sinks": ("pipewire:Desk",)})
    needs = Needs(camera=None, window=False, virtualcam=True)
    findings = {finding.name: finding for finding in pipewire(here, settings, needs)}
    return findings, works(here)


def test_a_real_pipewire_takes_a_camera(private, monkeypatch):
    for name, value in private.items():
        monkeypatch.setenv(name, value)
    findings, working = found(private)
    assert findings["pipewire"].state == "ok", findings["pipewire"]
    assert findings["pipewire"].data["server"] == findings["pipewire"].data["library"]
    assert "does not run" in findings["session manager"].text
    assert "D-Bus does not answer" in findings["portal"].text
    assert not working
    camera = PublishedCamera("Desk", (64, 48), 30)
    try:
        end = time.monotonic() + 10
        while not camera.published and time.monotonic() < end:
            time.sleep(0.02)
        findings, _ = found(private)
        assert findings["camera"].text.startswith("the camera: Desk is listed now")
    finally:
        camera.close()
