"""The two sides of hot keys that a desktop has: the part that asks its user and grabs the keys,
behind the real portal, and a portal of a later version than Debian's."""

import asyncio
import threading
from pathlib import Path
from typing import Annotated, Any

from dbus_fast import BusType, Message, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusSignature
from dbus_fast.service import ServiceInterface, dbus_method, dbus_signal

from helpers.desktop import BACKEND_NAME
from helpers.waiting import PATIENCE, until

PATH = "/org/freedesktop/portal/desktop"
ObjectPath = Annotated[str, DBusSignature("o")]
Text = Annotated[str, DBusSignature("s")]
Options = Annotated[dict[str, Any], DBusSignature("a{sv}")]
Shortcuts = Annotated[list[Any], DBusSignature("a(sa{sv})")]
Answer = Annotated[list[Any], DBusSignature("ua{sv}")]
Activation = Annotated[list[Any], DBusSignature("osta{sv}")]
Change = Annotated[list[Any], DBusSignature("oa(sa{sv})")]


class OnTheBus:
    """Objects on the session bus, served by a thread of their own."""

    def __init__(self, address, name):
        self._address, self._name = address, name
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def __enter__(self):
        self.call(self._serve())
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.bus.disconnect)
        self.loop.call_soon_threadsafe(self.loop.call_later, 0.05, self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    async def _serve(self):
        self.bus = await MessageBus(bus_address=self._address, bus_type=BusType.SESSION).connect()
        self.export()
        await self.bus.request_name(self._name)


class Backend(OnTheBus):
    """The desktop's part behind the portal. ``code``: how its user answers, 0 for yes. ``known``:
    the keys of shortcuts that it remembers from an earlier session, by their names."""

    def __init__(self, address, code=0, known=None):
        super().__init__(address, BACKEND_NAME)
        self.known = known or {}
        self.code, self.sessions, self.closed = code, [], []
        self.shortcuts, self.app, self.options = {}, None, {}
        self._interface = _Backend(self)

    def export(self):
        self.bus.export(PATH, self._interface)

    def bound(self, *names):
        """Wait until exactly these shortcuts are bound."""
        until(lambda: set(self.shortcuts) == set(names), lambda: f"{self.shortcuts}")

    def press(self, name):
        self.call(self._emit(lambda: self._interface.activated(name)))

    def change(self, triggers):
        """As when the user chooses other keys in the desktop's settings."""
        self.call(self._emit(lambda: self._interface.shortcuts_changed(triggers)))

    async def _emit(self, signal):
        signal()


def described(triggers):
    """Shortcuts as the portal describes them to the program."""
    return [
        [name, {"description": Variant("s", ""), "trigger_description": Variant("s", text)}]
        for name, text in triggers.items()
    ]


class _Backend(ServiceInterface):
    def __init__(self, owner):
        super().__init__("org.freedesktop.impl.portal.GlobalShortcuts")
        self._owner = owner

    @dbus_method("CreateSession")
    def create_session(
        self, handle: ObjectPath, session: ObjectPath, app: Text, options: Options
    ) -> Answer:
        owner = self._owner
        owner.app, owner.shortcuts, owner.options = app, {}, options
        owner.sessions.append(session)
        owner.bus.export(session, _Session(lambda: self._closed(session)))
        return [0, {}]

    def _closed(self, session):
        self._owner.closed.append(session)
        if session == self._owner.sessions[-1]:
            self._owner.shortcuts = {}

    @dbus_method("ListShortcuts")
    def list_shortcuts(self, handle: ObjectPath, session: ObjectPath) -> Answer:
        known = self._owner.known
        return [0, {"shortcuts": Variant("a(sa{sv})", described(known))}] if known else [2, {}]

    @dbus_method("BindShortcuts")
    def bind_shortcuts(
        self,
        handle: ObjectPath,
        session: ObjectPath,
        shortcuts: Shortcuts,
        parent: Text,
        options: Options,
    ) -> Answer:
        owner = self._owner
        if owner.code:
            return [owner.code, {}]
        owner.shortcuts = {
            name: {key: value.value for key, value in values.items()} for name, values in shortcuts
        }
        given = {
            name: values.get("preferred_trigger", "") for name, values in owner.shortcuts.items()
        }
        return [0, {"shortcuts": Variant("a(sa{sv})", described(given))}]

    @dbus_signal("Activated")
    def activated(self, name) -> Activation:
        return [self._owner.sessions[-1], name, 0, {}]

    @dbus_signal("ShortcutsChanged")
    def shortcuts_changed(self, triggers) -> Change:
        return [self._owner.sessions[-1], described(triggers)]


class _Session(ServiceInterface):
    def __init__(self, closed):
        super().__init__("org.freedesktop.impl.portal.Session")
        self._closed = closed

    @dbus_method("Close")
    def close(self) -> None:
        self._closed()


class LaterPortal(OnTheBus):
    """What portals from 1.21 on do: no session without an id, no id without a desktop entry."""

    def __init__(self, address, data):
        super().__init__(address, "org.freedesktop.portal.Desktop")
        self.data, self.id, self.shortcuts = Path(data), "", []

    def export(self):
        self.bus.add_message_handler(self._answer)

    def _answer(self, message):
        if message.path != PATH or not message.interface:
            return None
        answers = {
            "Register": self._register,
            "CreateSession": self._create_session,
            "BindShortcuts": self._bind_shortcuts,
        }
        return answers[message.member](message) if message.member in answers else None

    def _register(self, message):
        app = message.body[0]
        if not (self.data / f"applications/{app}.desktop").is_file():
            return self._error(message, "Could not register app ID: App info not found")
        self.id = app
        return Message.new_method_return(message)

    def _create_session(self, message):
        if not self.id:
            return self._error(message, "An app id is required")
        token = message.body[0]["session_handle_token"].value
        path = f"{PATH}/session/{self._sender(message)}/{token}"
        return self._later(message, {"session_handle": Variant("s", path)})

    def _bind_shortcuts(self, message):
        self.shortcuts = [name for name, _ in message.body[1]]
        return self._later(message, {"shortcuts": Variant("a(sa{sv})", [])})

    def _later(self, message, results):
        """Answer with a request, whose own answer comes afterwards."""
        path = f"{PATH}/request/{self._sender(message)}/{message.body[-1]['handle_token'].value}"
        interface = "org.freedesktop.portal.Request"
        done = Message.new_signal(path, interface, "Response", "ua{sv}", [0, results])
        self.loop.call_soon(self.bus.send, done)
        return Message.new_method_return(message, "o", [path])

    def _sender(self, message):
        return message.sender.lstrip(":").replace(".", "_")

    def _error(self, message, text):
        return Message.new_error(message, "org.freedesktop.portal.Error.NotAllowed", text)
