"""The doctor on desktops with and without PipeWire that are described to it."""

import json
import sys

import pytest

from realtime_bg.doctor import virtual
from realtime_bg.doctor.findings import Machine, Needs
from realtime_bg.doctor.pipewire import pipewire, works
from realtime_bg.settings import load

ANY = Needs(camera=None, window=False, virtualcam=True)
NAMED = Needs(camera=None, window=False, virtualcam=True, pipewire=True)
DRIVER = Needs(camera=None, window=False, virtualcam=True, driver=True)
NOTHING = Needs(camera=None, window=False, virtualcam=False)
SETTINGS = load(flags={"output.sinks": ("pipewire:Desk",)})
GOOD = {
    "pipewire": "1.4.2",
    "wireplumber": "0.5.8",
    "tools": True,
    "pw_v4l2": True,
    "flatpak": False,
    "browsers": {},
    "server": "1.4.2",
    "manager": "WirePlumber",
    "cameras": [],
    "bus": True,
    "portal": 77,
    "portal_installed": True,
    "portal_version": "1.20.3",
    "portal_cameras": True,
    "permissions": {"": "yes"},
    "library": "1.4.2",
    "published": True,
    "portal_sees": True,
}
SILENT = {
    "server": None,
    "manager": None,
    "published": None,
    "problem": "none answers",
}


@pytest.fixture
def desk(tmp_path):
    """A Linux machine whose probe reports these facts, and whose root holds these files."""

    def build(*files, environment=None, **facts):
        report = {name: fact for name, fact in (GOOD | facts).items() if fact is not None}
        probe = tmp_path / "probe.py"
        probe.write_text(f"print({json.dumps(report)!r})")
        for name in files:
            path = tmp_path / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (tmp_path / "etc").mkdir(exist_ok=True)
        (tmp_path / "etc/os-release").write_text("ID=ubuntu\nID_LIKE=debian")
        here = {"XDG_RUNTIME_DIR": "/run/user/1000"} if environment is None else environment
        return Machine(tmp_path, "linux", here, (sys.executable, str(probe)))

    return build


def found(machine, needs=ANY, settings=SETTINGS):
    return {finding.name: finding for finding in pipewire(machine, settings, needs)}


def states(machine, needs=ANY):
    return {name: finding.state for name, finding in found(machine, needs).items()}


def driver(machine, needs=ANY):
    """What is said of v4l2loopback, which is not there."""
    (finding,) = virtual.virtual(machine, SETTINGS, needs)
    return finding


# what is well


def test_a_desktop_on_which_all_is_well(desk):
    here = desk()
    assert set(states(here).values()) == {"ok"}
    texts = [finding.text for finding in found(here).values()]
    assert texts[0] == "PipeWire 1.4.2 runs and accepts a camera (library 1.4.2)"
    assert texts[1] == "WirePlumber 0.5.8 runs"
    assert "xdg-desktop-portal 1.20.3 runs" in texts[3]
    assert works(here)


def test_a_missing_driver_is_no_fault_where_pipewire_works(desk):
    finding = driver(desk())
    assert finding.state == "note"
    assert "Zoom, Teams and Discord" in finding.text
    assert finding.fix.splitlines()[-1] == "or, for one program at a time: pw-v4l2 PROGRAM"
    finding = driver(desk(pw_v4l2=False))
    assert finding.fix.endswith("(first sudo apt install pipewire-v4l2)")
    assert driver(desk(), DRIVER).state == "fault"


def test_the_camera_is_looked_for_under_its_names(desk):
    cameras = [{"name": "Desk", "read": True}, {"name": "HD Cam", "read": False}]
    text = found(desk(cameras=cameras))["camera"].text
    assert text == "the camera: Desk is listed now, and is being read"
    cameras = [{"name": "realtime-bg", "read": False}]
    text = found(desk(cameras=cameras))["camera"].text
    assert text == "the camera: realtime-bg is listed now, and is not being read"
    assert "only while realtime-bg runs" in found(desk())["camera"].text


def test_without_its_tools_pipewire_counts_as_working(desk):
    here = desk(tools=False, server=None, manager=None)
    assert set(found(here)) == {"pipewire", "portal", "permission"}
    assert works(here)


def test_elsewhere_there_is_no_pipewire(tmp_path):
    here = Machine(tmp_path, "win32", {}, (str(tmp_path / "nowhere"),))
    assert states(here) == {"pipewire": "note"}


# what is not


@pytest.mark.parametrize(
    ("facts", "words", "fix"),
    [
        (SILENT, "does not answer (none answers)", "systemctl --user start pipewire wireplumber"),
        (
            SILENT | {"pipewire": None, "library": None, "problem": "cannot open"},
            "is not installed (cannot open)",
            "sudo apt install pipewire pipewire-bin wireplumber, then systemctl --user start",
        ),
        (
            SILENT | {"library": None, "problem": "it has no pw_stream_get_time_n"},
            "its library cannot be used (it has no pw_stream_get_time_n)",
            "sudo apt install pipewire",
        ),
    ],
)
def test_pipewire_does_not_work(desk, facts, words, fix):
    here = desk(**facts)
    finding = found(here, NAMED)["pipewire"]
    assert finding.state == "fault"
    assert words in finding.text
    assert finding.fix.startswith(fix)
    assert set(found(here)) == {"pipewire"}  # the rest does not matter yet
    assert not works(here)


def test_with_neither_there_is_one_fault_that_names_both_ways(desk):
    here = desk(**SILENT)
    assert states(here) == {"pipewire": "note"}
    finding = driver(here)
    assert finding.state == "fault"
    first, second, third = finding.fix.splitlines()
    assert first == "PipeWire, for browsers: systemctl --user start pipewire wireplumber"
    assert second.startswith("v4l2loopback, for all: sudo apt install v4l2loopback-dkms")
    assert third == virtual.LOAD
    assert driver(here, NOTHING).state == "note"
    assert states(here, NAMED) == {"pipewire": "fault"}
    assert driver(here, NAMED).state == "note"  # it would be of no use


def test_outside_the_session_of_a_desktop(desk):
    finding = found(desk(environment={}, **SILENT), NAMED)["pipewire"]
    assert "XDG_RUNTIME_DIR is not set" in finding.text
    assert "not with sudo" in finding.fix


def test_in_a_container_the_socket_has_to_be_passed(desk):
    here = desk("/.dockerenv", **SILENT | {"pipewire": None})
    assert "-v $XDG_RUNTIME_DIR/pipewire-0" in found(here, NAMED)["pipewire"].fix


def test_a_probe_that_crashes_is_no_working_pipewire(tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text('import os; print(\'{"library": "1.0"}\', flush=True); os.abort()')
    here = Machine(tmp_path, "linux", {"XDG_RUNTIME_DIR": "/x"}, (sys.executable, str(probe)))
    assert "(it crashed (SIGABRT))" in found(here, NAMED)["pipewire"].text


def test_without_a_session_manager_nobody_is_connected(desk):
    here = desk(manager=None)
    finding = found(here, NAMED)["session manager"]
    assert (finding.state, finding.fix) == ("fault", "systemctl --user restart wireplumber")
    assert driver(here).state == "fault"
    finding = found(desk(manager=None, wireplumber=None), NAMED)["session manager"]
    assert finding.fix.startswith("sudo apt install")
    assert states(desk(manager="pipewire-media-session"))["session manager"] == "ok"


@pytest.mark.parametrize(
    ("facts", "words", "fix"),
    [
        ({"bus": False, "portal": None}, "D-Bus does not answer", "in the session of your desktop"),
        (
            {"portal": 0, "portal_installed": False},
            "is not installed",
            "sudo apt install xdg-desktop-portal\nand its part for your desktop: ",
        ),
        (
            {"portal_cameras": None, "portal_sees": None},
            "has no part for this desktop",
            "systemctl --user restart xdg-desktop-portal",
        ),
    ],
)
def test_browsers_find_nothing_without_the_portal(desk, facts, words, fix):
    here = desk(**facts)
    finding = found(here)["portal"]
    assert finding.state == "fault"
    assert words in finding.text
    assert fix in finding.fix
    assert states(here, NAMED)["portal"] == "fault"
    assert states(here, DRIVER)["portal"] == states(here, NOTHING)["portal"] == "note"
    with_driver = desk("/sys/devices/virtual/video4linux/video10/x", **facts)
    assert states(with_driver)["portal"] == "note"


def test_a_portal_that_sleeps_is_well(desk):
    here = desk(portal=0, portal_version=None, portal_cameras=None, portal_sees=None)
    finding = found(here)["portal"]
    assert (finding.state, "is started when" in finding.text) == ("ok", True)


def test_a_portal_that_overlooks_new_cameras(desk):
    finding = found(desk(portal_sees=False))["portal cameras"]
    assert finding.state == "note"
    assert finding.fix.endswith("systemctl --user restart xdg-desktop-portal")


def test_a_session_manager_that_is_older_than_the_portal(desk):
    finding = found(desk(manager_first=True))["start order"]
    assert finding.state == "note"
    assert finding.fix.endswith("systemctl --user restart wireplumber")
    assert "start order" not in found(desk(manager_first=False))


def test_hints_are_for_those_who_want_a_camera(desk):
    facts = {"portal_sees": False, "manager_first": True, "browsers": {"firefox": "firefox"}}
    assert set(states(desk(**facts), NOTHING).values()) == {"ok"}
    assert list(states(desk(**facts)).values()).count("note") == 3


def test_the_portal_refuses(desk):
    here = desk(permissions={"": "no", "org.a": "yes"})
    finding = found(here)["permission"]
    assert finding.state == "fault"
    assert "browsers included" in finding.text
    assert finding.fix.startswith("busctl --user call org.freedesktop.impl.portal.PermissionStore")
    here = desk(permissions={"": "yes", "org.a": "no"}, flatpak=True)
    finding = found(here)["permission"]
    assert (finding.state, finding.text.endswith("to org.a")) == ("note", True)
    assert finding.fix.startswith("flatpak permission-remove devices camera")
    text = found(desk(permissions={}))["permission"].text
    assert text.endswith("each program asks when it needs it")


def test_browsers_need_a_switch(desk):
    here = desk(browsers={"chromium": "google-chrome", "firefox": "firefox"})
    names = found(here)
    assert "chrome://flags/#enable-webrtc-pipewire-camera" in names["chromium"].fix
    assert "media.webrtc.camera.allow-pipewire" in names["firefox"].fix
    assert names["chromium"].state == names["firefox"].state == "note"
    assert {"chromium", "firefox"}.isdisjoint(found(here, NOTHING))
    here.path("/etc/os-release").write_text("ID=fedora")
    assert states(here)["firefox"] == "ok"
    here.path("/etc/os-release").write_text('ID=rocky\nID_LIKE="rhel fedora"')
    assert states(here)["firefox"] == "note"
