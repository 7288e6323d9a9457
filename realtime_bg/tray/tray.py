"""Runs the tray: follows the daemon's state, and carries out what is chosen in the menu."""

import asyncio
import logging
import shutil
import signal
import subprocess
import tempfile
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dbus_fast import BusType, NameFlag, RequestNameReply
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError

from realtime_bg.daemon.control import ask_once
from realtime_bg.daemon.service import program, service
from realtime_bg.errors import DaemonError, RealtimeBgError
from realtime_bg.tray.items import ITEM_PATH, MENU_PATH, Item, Menu
from realtime_bg.tray.menu import Daemon, entries
from realtime_bg.tray.pictures import thumbnail

log = logging.getLogger(__name__)

OWN = "io.github.realtime_bg.Tray"  # the name that a second tray finds taken
WATCHER, WATCHER_PATH = "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher"
START_SECONDS = 20.0  # in which a daemon that was started has to answer
LOOK_SECONDS = 1.0  # between questions to the daemon
VIEWERS_EVERY = 5  # looks between questions for the programs, which cost more
NO_PANEL = (
    "this desktop shows no tray icons; on GNOME, install the extension AppIndicator; the icon "
    "appears as soon as there is a place for it"
)


class Tray:
    """The icon of one session."""

    def __init__(self) -> None:
        self._item, self._menu = Item(), Menu()
        self._ended, self._look_now = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._viewers: tuple[str, ...] = ()
        self._refusal, self._choices = "", 0  # of the last choice; how many there were
        self._looks = 0

    async def run(self) -> None:
        """Show the icon until it is closed or a signal asks to stop. Raises DaemonError."""
        bus = await _connected()
        bus.export(ITEM_PATH, self._item)
        bus.export(MENU_PATH, self._menu)
        self._show(await asyncio.to_thread(self._look))  # whoever finds the name finds a menu
        if await bus.request_name(OWN, NameFlag.DO_NOT_QUEUE) != RequestNameReply.PRIMARY_OWNER:
            bus.disconnect()
            raise DaemonError("the tray runs already")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._ended.set)
        await self._follow_panel(bus)
        while True:
            waits = [asyncio.create_task(one.wait()) for one in (self._ended, self._look_now)]
            await asyncio.wait(waits, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if self._ended.is_set():
                break
            self._look_now.clear()
            self._show(await asyncio.to_thread(self._look))
        bus.disconnect()

    async def _follow_panel(self, bus: MessageBus) -> None:
        """Register with the panel, now and whenever it is started anew."""
        own = "org.freedesktop.DBus"
        peer = bus.get_proxy_object(own, "/org/freedesktop/DBus", await bus.introspect(own, "/"))
        names: Any = peer.get_interface(own)

        def changed(name: str, _: str, owner: str) -> None:
            if name == WATCHER and owner:
                self._start(self._register(bus))

        names.on_name_owner_changed(changed)
        if not await names.call_name_has_owner(WATCHER):
            log.warning("%s", NO_PANEL)
        else:
            await self._register(bus)

    async def _register(self, bus: MessageBus) -> None:
        try:
            described = await bus.introspect(WATCHER, WATCHER_PATH)
            panel: Any = bus.get_proxy_object(WATCHER, WATCHER_PATH, described)
            await panel.get_interface(WATCHER).call_register_status_notifier_item(OWN)
        except DBusError as error:
            log.warning("the panel does not take the icon (%s)", error.text)

    def _look(self) -> Daemon:
        """Ask the daemon. Runs on a thread of its own."""
        try:
            status = ask_once({"command": "status"})
            settings = ask_once({"command": "settings"})
            if not status.get("watched"):
                self._viewers, self._looks = (), 0
            else:
                if self._looks % VIEWERS_EVERY == 0:
                    self._viewers = tuple(ask_once({"command": "viewers"}))
                self._looks += 1
        except DaemonError:
            return Daemon(refusal=self._refusal)
        return Daemon(status, settings, self._viewers, self._refusal)

    def _show(self, daemon: Daemon) -> None:
        self._item.show(daemon.state, daemon.summary)
        self._menu.show(entries(daemon, self._do, thumbnail))

    def _do(self, action: str, argument: Any) -> None:
        """Begin what was chosen in the menu; D-Bus gets its answer before it is done."""
        if action == "quit":
            self._ended.set()
            return

        self._choices += 1
        own = self._choices
        self._refusal = ""

        async def work() -> None:
            try:
                await asyncio.to_thread(ACTIONS[action], argument)
            except RealtimeBgError as error:
                log.warning("%s", error)
                if own == self._choices:  # else the daemon may have been stopped meanwhile
                    self._refusal = str(error)
            self._look_now.set()

        self._start(work())

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._tasks.discard)


async def _connected() -> MessageBus:
    try:
        return await MessageBus(bus_type=BusType.SESSION).connect()
    except Exception as error:  # no address, no socket, or a refusal: each raises its own
        raise DaemonError(
            f"no session bus ({error}); start the tray in a desktop session"
        ) from None


def _start_daemon(_: Any) -> None:
    """Start the service if there is one, otherwise a process of its own, and wait until it answers.
    Raises DaemonError with its last words if it ends instead."""
    made = service(None, [])
    if made.path.exists() and shutil.which("systemctl"):
        subprocess.run(["systemctl", "--user", "start", "realtime-bg"], check=False)
        return
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(
            [*program(), "daemon"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            start_new_session=True,
        )
        end = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            with suppress(DaemonError):
                ask_once({"command": "status"})
                return
            time.sleep(0.2)
        words.seek(0)
        said = words.read().decode(errors="replace").strip().splitlines()
    last = said[-1].removeprefix("realtime-bg: ") if said else "it does not say why"
    raise DaemonError(f"the daemon has not started: {last}")


def _command(name: str) -> Callable[[Any], None]:
    return lambda _: ask_once({"command": name})


ACTIONS: dict[str, Callable[[Any], Any]] = {
    "start": _start_daemon,
    "stop": _command("stop"),
    "pause": _command("pause"),
    "resume": _command("resume"),
    "background": lambda spec: ask_once(
        {"command": "set", "changes": {"background.current": spec}}
    ),
    "page": webbrowser.open,
}


def run() -> None:
    """Show the icon until it is closed. Raises DaemonError."""
    asyncio.run(Tray().run())
