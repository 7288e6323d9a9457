"""The two objects on the session bus that make a tray: the icon and its menu.

The interfaces are org.kde.StatusNotifierItem (specification of freedesktop.org) and
com.canonical.dbusmenu (described in libdbusmenu's dbus-menu.xml).
"""

from typing import Annotated, Any

from dbus_fast import PropertyAccess, Variant
from dbus_fast.annotations import DBusSignature
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from realtime_bg.tray.menu import Entry, State
from realtime_bg.tray.pictures import SIDE, icon

ITEM_PATH, MENU_PATH = "/StatusNotifierItem", "/Menu"
READ = PropertyAccess.READ

Text = Annotated[str, DBusSignature("s")]
ObjectPath = Annotated[str, DBusSignature("o")]
Flag = Annotated[bool, DBusSignature("b")]
Number = Annotated[int, DBusSignature("i")]
Natural = Annotated[int, DBusSignature("u")]
Texts = Annotated[list[str], DBusSignature("as")]
Numbers = Annotated[list[int], DBusSignature("ai")]
Value = Annotated[Variant, DBusSignature("v")]
Pixmaps = Annotated[list[Any], DBusSignature("a(iiay)")]
Tip = Annotated[list[Any], DBusSignature("(sa(iiay)ss)")]
Layout = Annotated[list[Any], DBusSignature("u(ia{sv}av)")]
Update = Annotated[list[Any], DBusSignature("ui")]
Groups = Annotated[list[Any], DBusSignature("a(ia{sv})")]
Events = Annotated[list[Any], DBusSignature("a(isvu)")]
Shown = Annotated[list[Any], DBusSignature("aiai")]


class Item(ServiceInterface):
    """The icon. A click on it opens the menu, whose first line says what goes on."""

    def __init__(self) -> None:
        super().__init__("org.kde.StatusNotifierItem")
        self.state: State = "off"
        self.summary = ""

    def show(self, state: State, summary: str) -> None:
        """Change what it looks like."""
        if (state, summary) != (self.state, self.summary):
            self.state, self.summary = state, summary
            self.NewIcon()
            self.NewToolTip()

    @dbus_property(READ)
    def Category(self) -> Text:  # noqa: N802 - the specification's names, here and below
        return "Hardware"

    @dbus_property(READ)
    def Id(self) -> Text:  # noqa: N802
        return "realtime-bg"

    @dbus_property(READ)
    def Title(self) -> Text:  # noqa: N802
        return "realtime-bg"

    @dbus_property(READ)
    def Status(self) -> Text:  # noqa: N802
        return "Active"

    @dbus_property(READ)
    def WindowId(self) -> Number:  # noqa: N802
        return 0

    @dbus_property(READ)
    def IconName(self) -> Text:  # noqa: N802
        return ""

    @dbus_property(READ)
    def IconPixmap(self) -> Pixmaps:  # noqa: N802
        return [[SIDE, SIDE, icon(self.state)]]

    @dbus_property(READ)
    def ToolTip(self) -> Tip:  # noqa: N802
        return ["", [], "realtime-bg", self.summary]

    @dbus_property(READ)
    def ItemIsMenu(self) -> Flag:  # noqa: N802
        return True

    @dbus_property(READ)
    def Menu(self) -> ObjectPath:  # noqa: N802
        return MENU_PATH

    @dbus_method()
    def Activate(self, x: Number, y: Number) -> None:  # noqa: N802
        """Do nothing, because the menu opens."""

    @dbus_method()
    def SecondaryActivate(self, x: Number, y: Number) -> None:  # noqa: N802
        """Do nothing."""

    @dbus_method()
    def ContextMenu(self, x: Number, y: Number) -> None:  # noqa: N802
        """Do nothing, because the panel shows the menu."""

    @dbus_method()
    def Scroll(self, delta: Number, orientation: Text) -> None:  # noqa: N802
        """Do nothing."""

    @dbus_signal()
    def NewIcon(self) -> None:  # noqa: N802
        """The icon has changed."""

    @dbus_signal()
    def NewToolTip(self) -> None:  # noqa: N802
        """The tooltip has changed."""


class Menu(ServiceInterface):
    """The menu. A line's number is its place in the whole tree; 0 is the root."""

    def __init__(self) -> None:
        super().__init__("com.canonical.dbusmenu")
        self._root = Entry()
        self._lines: list[Entry] = [self._root]
        self._children: dict[int, list[int]] = {0: []}
        self._revision = 0

    def show(self, entries: tuple[Entry, ...]) -> None:
        """Replace the lines, and tell the panel if they look different. Lines that look the same
        may do something else now."""
        looks_different = entries != self._root.children
        self._root = Entry(children=entries)
        self._number()
        if looks_different:
            self._revision += 1
            self.LayoutUpdated()

    def _number(self) -> None:
        self._lines, self._children = [], {}

        def add(entry: Entry) -> int:
            number = len(self._lines)
            self._lines.append(entry)
            self._children[number] = [add(child) for child in entry.children]
            return number

        add(self._root)

    def _properties(self, number: int, names: list[str]) -> dict[str, Variant]:
        entry = self._lines[number]
        found: dict[str, Variant] = {}
        if entry.children or number == 0:
            found["children-display"] = Variant("s", "submenu")
        if number and not entry.text:
            found["type"] = Variant("s", "separator")
        elif number:
            found["label"] = Variant("s", entry.text.replace("_", "__"))  # one marks a letter
            found["enabled"] = Variant("b", entry.act is not None or bool(entry.children))
        if entry.mark:
            found["toggle-type"] = Variant("s", entry.mark)
            found["toggle-state"] = Variant("i", int(entry.on))
        if entry.icon:
            found["icon-data"] = Variant("ay", entry.icon)
        return {name: value for name, value in found.items() if not names or name in names}

    def _layout(self, number: int, depth: int, names: list[str]) -> list[Any]:
        inside = self._children[number] if depth else []
        children = [
            Variant("(ia{sv}av)", self._layout(child, depth - 1, names)) for child in inside
        ]
        return [number, self._properties(number, names), children]

    @dbus_property(READ)
    def Version(self) -> Natural:  # noqa: N802
        return 3

    @dbus_property(READ)
    def TextDirection(self) -> Text:  # noqa: N802
        return "ltr"

    @dbus_property(READ)
    def Status(self) -> Text:  # noqa: N802
        return "normal"

    @dbus_property(READ)
    def IconThemePath(self) -> Texts:  # noqa: N802
        return []

    @dbus_method()
    def GetLayout(self, parent: Number, depth: Number, names: Texts) -> Layout:  # noqa: N802
        """Return the lines below ``parent``, ``depth`` levels of them; -1 means all."""
        return [self._revision, self._layout(self._known(parent), depth, names)]

    @dbus_method()
    def GetGroupProperties(self, numbers: Numbers, names: Texts) -> Groups:  # noqa: N802
        """Return the properties of some lines; no numbers mean all lines."""
        wanted = [number for number in numbers if 0 <= number < len(self._lines)]
        return [
            [number, self._properties(number, names)]
            for number in (wanted if numbers else range(len(self._lines)))
        ]

    @dbus_method()
    def GetProperty(self, number: Number, name: Text) -> Value:  # noqa: N802
        """Return one property."""
        return self._properties(self._known(number), []).get(name, Variant("s", ""))

    @dbus_method()
    def Event(  # noqa: N802
        self, number: Number, event: Text, data: Value, timestamp: Natural
    ) -> None:
        """Something happened to a line; only a click means anything here."""
        self._clicked(number, event)

    @dbus_method()
    def EventGroup(self, events: Events) -> Numbers:  # noqa: N802
        """Several events; the numbers that do not exist are returned."""
        for number, event, _, _ in events:
            self._clicked(number, event)
        return [number for number, *_ in events if not 0 <= number < len(self._lines)]

    @dbus_method()
    def AboutToShow(self, number: Number) -> Flag:  # noqa: N802
        """Return whether the lines have to be asked for again; they are always up to date."""
        return False

    @dbus_method()
    def AboutToShowGroup(self, numbers: Numbers) -> Shown:  # noqa: N802
        """Return which lines have to be asked for again, and which do not exist."""
        return [[], [number for number in numbers if not 0 <= number < len(self._lines)]]

    @dbus_signal()
    def LayoutUpdated(self) -> Update:  # noqa: N802
        """The lines have changed."""
        return [self._revision, 0]

    def _known(self, number: int) -> int:
        return number if 0 <= number < len(self._lines) else 0

    def _clicked(self, number: int, event: str) -> None:
        if event == "clicked" and 0 < number < len(self._lines):
            act = self._lines[number].act
            if act is not None:
                act()
