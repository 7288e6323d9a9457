"""The tray on a session bus of its own, with a daemon, and in a real panel on a real display."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.waiting import until

from realtime_bg.daemon.control import ask_once
from realtime_bg.errors import DaemonError
from realtime_bg.tray.pictures import COLOURS

pytest.importorskip("dbus_fast")
from dbus_fast import BusType
from dbus_fast.aio import MessageBus

OWN, ITEM, MENU = "io.github.realtime_bg.Tray", "/StatusNotifierItem", "/Menu"
pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a tray of Linux desktops"),
    pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="needs dbus-daemon"),
]
PANEL = """\
<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array">
    <value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="size" type="uint" value="40"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray"/>
  </property>
</channel>
"""
CONFIG = """\
source: {spec: demo, size: 160x90}
engine: {name: threshold, offline: true}
background: {current: beach, items: [beach, office]}
output: {sinks: ["null"]}
"""


class Session:
    """A session of a desktop: its bus, its folders and what runs in it."""

    def __init__(self, stack):
        self._stack = stack
        self.folder = Path(tempfile.mkdtemp(prefix="tray-"))  # paths of sockets must be short
        stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.address = f"unix:path={self.folder}/bus"
        config = self.folder / "config"
        (config / "realtime-bg").mkdir(parents=True)
        (config / "realtime-bg/config.yaml").write_text(CONFIG)
        panel = config / "xfce4/xfconf/xfce-perchannel-xml"
        panel.mkdir(parents=True)
        (panel / "xfce4-panel.xml").write_text(PANEL)
        hidden = ("WAYLAND_DISPLAY", "DISPLAY", "NOTIFY_SOCKET")
        self.environment = {
            **{name: text for name, text in os.environ.items() if name not in hidden},
            "DBUS_SESSION_BUS_ADDRESS": self.address,
            "NO_AT_BRIDGE": "1",
            "HOME": str(self.folder),
        }
        for name in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "STATE_HOME"):
            self.environment[f"XDG_{name}"] = str(config if "CONFIG" in name else self.folder)
        self.start("dbus-daemon", "--session", "--nofork", f"--address={self.address}")
        until((self.folder / "bus").exists, "no D-Bus")

    def start(self, *command):
        """Start a program, which ends with the session."""
        log = self._stack.enter_context((self.folder / f"{Path(command[0]).name}.log").open("ab"))
        process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

        def end():
            process.terminate()
            process.wait(60)

        self._stack.callback(end)
        return process

    def tray(self):
        """Start the tray and wait for its menu."""
        process = self.start(sys.executable, "-m", "realtime_bg", "tray")
        until(lambda: self.owned(OWN), "no tray")
        return process

    def owned(self, name):
        return asyncio.run(self._called(lambda bus: _owns(bus, name)))

    async def _called(self, work):
        bus = await MessageBus(bus_address=self.address, bus_type=BusType.SESSION).connect()
        try:
            return await work(bus)
        finally:
            bus.disconnect()

    def menu(self):
        """The lines of the tray's menu: text -> number and properties."""
        return asyncio.run(self._called(_lines))

    def choose(self, text):
        until(lambda: text in self.menu(), f"no {text!r} in the menu")
        number = self.menu()[text][0]
        asyncio.run(self._called(lambda bus: _click(bus, number)))

    def property(self, name):
        return asyncio.run(self._called(lambda bus: _property(bus, name)))


async def _interface(bus, path, name):
    proxy = bus.get_proxy_object(OWN, path, await bus.introspect(OWN, path))
    return proxy.get_interface(name)


async def _owns(bus, name):
    own = "org.freedesktop.DBus"
    proxy = bus.get_proxy_object(own, "/", await bus.introspect(own, "/"))
    return await proxy.get_interface(own).call_name_has_owner(name)


async def _lines(bus):
    menu = await _interface(bus, MENU, "com.canonical.dbusmenu")
    _, root = await menu.call_get_layout(0, -1, [])
    found = {}

    def walk(line):
        number, properties, children = line
        given = {name: value.value for name, value in properties.items()}
        if "label" in given:
            found[given["label"]] = number, given
        for child in children:
            walk(child.value)

    walk(root)
    return found


async def _click(bus, number):
    from dbus_fast import Variant

    menu = await _interface(bus, MENU, "com.canonical.dbusmenu")
    await menu.call_event(number, "clicked", Variant("i", 0), 0)


async def _property(bus, name):
    item = await _interface(bus, ITEM, "org.kde.StatusNotifierItem")
    return await getattr(item, f"get_{name}")()


@pytest.fixture
def session(monkeypatch):
    with ExitStack() as stack:
        session = Session(stack)
        for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, session.environment[name])
        yield session
        stop_daemon()


def stop_daemon():
    try:
        ask_once({"command": "stop"})
        until(lambda: not runs())
    except DaemonError:
        pass


def runs():
    try:
        return ask_once({"command": "status"})["state"] == "running"
    except DaemonError:
        return False


def test_the_menu_switches_the_daemon_and_all_it_shows(session):
    tray = session.tray()
    assert session.menu()["On"][1]["toggle-state"] == 0
    assert "Pause" not in session.menu()
    session.choose("On")
    until(runs, "the daemon was not started")
    until(lambda: session.menu()["On"][1]["toggle-state"] == 1)
    session.choose("office")
    until(lambda: ask_once({"command": "status"})["background"] == "office")
    until(lambda: session.menu()["office"][1]["toggle-state"] == 1)
    assert session.menu()["beach"][1]["icon-data"].startswith(b"\x89PNG")
    session.choose("Blur the room")
    until(lambda: ask_once({"command": "status"})["background"] == "blur")
    session.choose("Pause")
    until(lambda: ask_once({"command": "settings"})["paused"])
    until(lambda: session.menu()["Pause"][1]["toggle-state"] == 1)
    assert "paused" in session.property("tool_tip")[3]
    session.choose("On")
    until(lambda: not runs())
    until(lambda: "Pause" not in session.menu())
    assert session.property("tool_tip")[3] == "realtime-bg is off"
    session.choose("Close this icon")
    assert tray.wait(60) == 0


def test_a_daemon_that_does_not_start_says_why(session):
    config = Path(session.environment["XDG_CONFIG_HOME"]) / "realtime-bg/config.yaml"
    config.write_text("refine: {feather: soft}\n")
    session.tray()
    session.choose("On")
    until(lambda: "refine.feather" in session.property("tool_tip")[3], "it does not say why")
    assert any("the daemon has not started: " in text for text in session.menu())
    config.write_text(CONFIG)
    session.choose("On")
    until(runs)
    until(lambda: session.property("tool_tip")[3] == "no program uses the camera")


def test_one_icon_is_enough(session):
    session.tray()
    command = [sys.executable, "-m", "realtime_bg", "tray"]
    second = subprocess.run(
        command, env=session.environment, capture_output=True, text=True, check=False
    )
    assert (second.returncode, second.stderr) == (2, "realtime-bg: the tray runs already\n")


def test_without_a_session_bus_it_is_one_line(tmp_path):
    command = [sys.executable, "-m", "realtime_bg", "tray"]
    environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={tmp_path}/none"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no session bus" in done.stderr


TOOLS = ("Xvfb", "xdotool", "openbox", "import", "xfce4-panel")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]


def screen(session):
    """What is on the screen, BGR."""
    path = session.folder / "shot.ppm"
    command = ["import", "-window", "root", str(path)]
    subprocess.run(command, env=session.environment, check=True)
    return cv2.imread(str(path)).astype(int)


def looks(session, name):
    """Whether the icon of a state is in the panel."""
    panel = screen(session)[:40]
    return (np.abs(panel - COLOURS[name][::-1]).max(axis=2) < 12).sum() > 60


@pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")
def test_in_a_panel_the_icon_changes_and_the_menu_can_be_clicked(session):
    read, write = os.pipe()
    server = ["Xvfb", "-displayfd", str(write), "-noreset", "-r", "-nolisten", "tcp"]
    display = subprocess.Popen(
        [*server, "-screen", "0", "700x420x24"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as numbers:
            session.environment["DISPLAY"] = f":{numbers.readline().strip()}"
        in_panel(session)
    finally:
        display.terminate()
        display.wait(60)


def in_panel(session):
    def xdotool(*words):
        subprocess.run(["xdotool", *map(str, words)], env=session.environment, check=True)

    session.start("openbox")
    session.start("xfce4-panel")
    tray = session.tray()  # it waits for the panel, if that is not there yet
    until(lambda: looks(session, "off"), "no icon")
    session.start(sys.executable, "-m", "realtime_bg", "daemon")
    until(lambda: looks(session, "on"), "the icon does not show that it is on")
    xdotool("mousemove", 17, 20, "click", 1)
    until(lambda: menu_is_open(session), "no menu")
    xdotool("key", "--window", 0, "Down", "Down", "Return")  # On, Pause
    until(lambda: ask_once({"command": "settings"})["paused"], "not paused")
    until(lambda: looks(session, "paused"), "the icon does not show the pause")
    tray.terminate()
    assert tray.wait(60) == 0
    until(lambda: not looks(session, "paused"), "the icon is still there")


def menu_is_open(session):
    return screen(session)[60:180, 20:200].mean() > 100  # the desktop is black
