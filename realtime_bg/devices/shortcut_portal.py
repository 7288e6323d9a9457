"""Keys that work whatever program has the focus: a session of the desktop portal's interface
org.freedesktop.portal.GlobalShortcuts (KDE Plasma, GNOME 48 and later, Hyprland). The desktop asks
its user, once, and remembers the answer by the names of the shortcuts and the program's id.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from realtime_bg.errors import reason
from realtime_bg.installing import APP_ID
from realtime_bg.system.files import whole

PORTAL, PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
# Plasma 5.27 remembers keys by this, as its portal knows no program's id: the same in every run.
SESSION = "realtime_bg"
SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"
ENTRY = """\
[Desktop Entry]
Type=Application
Name=realtime-bg
Comment=Gives the hot keys of realtime-bg their name
Exec=realtime-bg tray
Icon=camera-web
NoDisplay=true
"""
ABSENT = {f"org.freedesktop.DBus.Error.{name}" for name in ("UnknownMethod", "UnknownInterface")}
LISTED = 5.0  # seconds in which a desktop says what it knows
NOTICED, NOTICE = 8, 0.25  # tries and seconds in which the portal sees a new desktop entry
GONE = {f"org.freedesktop.DBus.Error.{name}" for name in ("ServiceUnknown", "NameHasNoOwner")}


class RefusedError(Exception):
    """The desktop has no such shortcuts, or does not give them; the message says why."""


class AbsentError(RefusedError):
    """There is no portal, or it does not have the interface."""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """``name``: by which the desktop remembers it. ``trigger``: the preferred keys in the form of
    freedesktop.org's shortcuts specification, as "CTRL+ALT+b"; "" for none."""

    name: str
    description: str
    trigger: str


async def listen(
    shortcuts: Sequence[Shortcut],
    pressed: Callable[[str], None],
    bound: Callable[[dict[str, str]], None],
) -> None:
    """Bind ``shortcuts`` and call ``pressed`` with the name of each that is pressed, until
    cancelled.

    ``bound`` is called whenever the desktop says which keys stand for which name, in its user's
    words. Raises RefusedError; ConnectionError if the portal or the bus ends, after which another
    try is of use.
    """
    portal = await _Portal.connected(pressed, bound)
    try:
        await portal.subscribe()
        await portal.register()
        await portal.bind(shortcuts)
        await portal.ended
    finally:
        portal.close()


class _Portal:
    """A connection to the portal. A request's answer is a signal of an object of its own."""

    def __init__(
        self,
        bus: MessageBus,
        pressed: Callable[[str], None],
        bound: Callable[[dict[str, str]], None],
    ) -> None:
        self._bus, self._pressed, self._bound = bus, pressed, bound
        self._owner, self._session = "", ""
        self._numbers = count(1)
        self._answers: dict[str, asyncio.Future[tuple[int, dict[str, Any]]]] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        bus.add_message_handler(self._heard)
        self._watch = asyncio.ensure_future(self._disconnected())

    @classmethod
    async def connected(
        cls, pressed: Callable[[str], None], bound: Callable[[dict[str, str]], None]
    ) -> "_Portal":
        try:
            bus = await MessageBus(bus_type=BusType.SESSION).connect()
        except Exception as error:  # no address, no socket, or a refusal: each raises its own
            raise RefusedError(f"there is no session bus ({reason(error)})") from None
        return cls(bus, pressed, bound)

    async def subscribe(self) -> None:
        """Have the bus deliver the portal's signals, and that of its end."""
        bus = "org.freedesktop.DBus"
        rules = (
            f"type='signal',sender='{PORTAL}',path_namespace='{PATH}'",
            f"type='signal',sender='{bus}',member='NameOwnerChanged',arg0='{PORTAL}'",
        )
        for rule in rules:
            await self._call(bus, "/org/freedesktop/DBus", bus, "AddMatch", "s", [rule])

    async def register(self) -> None:
        """Say which program this is, as portals from 1.19 on want to know. They find out about
        programs in sandboxes themselves, and older ones do without."""
        registry = "org.freedesktop.host.portal.Registry"
        for _ in range(NOTICED if _write_entry() else 1):
            try:
                await self._call(PORTAL, PATH, registry, "Register", "sa{sv}", [APP_ID, {}])
            except AbsentError:
                return
            except RefusedError:  # which may matter: then the next call says so
                await asyncio.sleep(NOTICE)
            else:
                return

    async def bind(self, shortcuts: Sequence[Shortcut]) -> None:
        """Ask the desktop for ``shortcuts``. Its user may take time to answer."""
        wanted = [
            [one.name, {key: Variant("s", text) for key, text in _described(one) if text}]
            for one in shortcuts
        ]
        options = {
            "session_handle_token": Variant("s", SESSION),
            "shortcuts": Variant("a(sa{sv})", wanted),
        }
        made = await self._request("CreateSession", "", [], options)
        self._session = str(made["session_handle"].value)
        answer = await self._remembered([one.name for one in shortcuts])
        if answer is None:
            arguments = [self._session, wanted, ""]
            answer = await self._request("BindShortcuts", "oa(sa{sv})s", arguments)
        self._bound(_triggers(answer["shortcuts"].value if "shortcuts" in answer else []))

    async def _remembered(self, names: list[str]) -> dict[str, Any] | None:
        """The answer of a desktop that knows all of these shortcuts already, else None. Plasma 5.27
        takes them with the session, and opens its settings at each request to bind some."""
        listing = self._request("ListShortcuts", "o", [self._session])
        try:
            answer = await asyncio.wait_for(listing, LISTED)
        except (TimeoutError, RefusedError):
            return None
        known = answer["shortcuts"].value if "shortcuts" in answer else []
        return answer if set(names) <= {name for name, _ in known} else None

    def close(self) -> None:
        """Give the keys back."""
        self._watch.cancel()
        if not self.ended.cancel() and not self.ended.cancelled():
            self.ended.exception()  # seen: nobody waits for it any more
        self._bus.disconnect()

    async def _request(
        self,
        member: str,
        signature: str,
        arguments: list[Any],
        options: dict[str, Variant] | None = None,
    ) -> dict[str, Any]:
        """Call a method whose answer is the signal Response; return its results. Raises
        RefusedError if the user or the desktop says no."""
        token = f"realtime_bg_{next(self._numbers)}"
        sender = str(self._bus.unique_name).lstrip(":").replace(".", "_")
        future = asyncio.get_running_loop().create_future()
        self._answers[f"{PATH}/request/{sender}/{token}"] = future
        body = [*arguments, {"handle_token": Variant("s", token), **(options or {})}]
        await self._call(PORTAL, PATH, SHORTCUTS, member, f"{signature}a{{sv}}", body)
        await asyncio.wait({future, self.ended}, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            await self.ended
        code, results = future.result()
        if code:
            why = "they were declined in the desktop's dialog"
            raise RefusedError(why if code == 1 else "the desktop gives none")
        return results

    async def _call(
        self, name: str, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> None:
        """Call a method. Raises RefusedError or ConnectionError."""
        message = Message(
            destination=name,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body,
        )
        try:
            answer = await self._bus.call(message)
        except (OSError, EOFError) as error:
            raise ConnectionError(reason(error)) from None
        if answer is None:
            raise ConnectionError("the session bus has ended")
        if name == PORTAL:
            self._owner = answer.sender or ""
        if answer.message_type != MessageType.ERROR:
            return
        if answer.error_name in GONE:
            raise AbsentError("xdg-desktop-portal is not installed")
        if answer.error_name in ABSENT:
            raise AbsentError("this desktop has none (KDE Plasma, GNOME 48 and Hyprland do)")
        raise RefusedError(str(answer.body[0]) if answer.body else str(answer.error_name))

    async def _disconnected(self) -> None:
        with suppress(Exception):
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._end(ConnectionError("the session bus has ended"))

    def _end(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)

    def _heard(self, message: Message) -> None:
        """A signal. Only the portal's own count: any program can send one that looks like them."""
        if message.message_type != MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.sender == "org.freedesktop.DBus":
            if message.body[0] == PORTAL and message.body[1]:
                self._end(ConnectionError("the portal has ended"))
            return
        if not self._owner or message.sender != self._owner:
            return
        if message.member == "Response" and (future := self._answers.pop(message.path or "", None)):
            if not future.done():
                future.set_result((message.body[0], message.body[1]))
        elif message.member == "Closed" and message.path == self._session:
            self._end(RefusedError("the desktop has taken them back"))
        elif message.interface == SHORTCUTS and message.body[0] == self._session:
            if message.member == "Activated":
                self._pressed(str(message.body[1]))
            elif message.member == "ShortcutsChanged":
                self._bound(_triggers(message.body[1]))


def _described(shortcut: Shortcut) -> tuple[tuple[str, str], ...]:
    return ("description", shortcut.description), ("preferred_trigger", shortcut.trigger)


def _triggers(shortcuts: list[Any]) -> dict[str, str]:
    """The keys for each name, in the desktop's words; those without a key are left out."""
    named = {name: values.get("trigger_description") for name, values in shortcuts}
    return {name: str(text.value) for name, text in named.items() if text and text.value}


def _write_entry() -> bool:
    """Write a hidden desktop entry with the program's id unless there is one, because portals do
    not believe an id without. Return whether it was written."""
    own = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    others = (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    places = [folder / "applications" / f"{APP_ID}.desktop" for folder in (own, *map(Path, others))]
    if any(place.is_file() for place in places):
        return False
    try:
        places[0].parent.mkdir(parents=True, exist_ok=True)
        with whole(places[0]) as partial:
            partial.write_text(ENTRY)
    except OSError:
        return False
    return True
