"""What the tray's menu says and does, for every state of the daemon."""

import pytest

from realtime_bg.tray import pictures
from realtime_bg.tray.menu import Daemon, entries

STATUS = {
    "background": "beach",
    "watched": True,
    "cameras": {"virtualcam": "PipeWire camera"},
    "problem": "",
    "page": "http://localhost:5003/?token=x",
}
SETTINGS = {"paused": False, "background": {"items": ["blur:24", "beach", "/home/me/room.jpg"]}}


def lines(daemon):
    """The menu's lines by their text, and what was done."""
    done = []
    made = entries(daemon, lambda *what: done.append(what), lambda spec: spec.encode())
    return {entry.text: entry for entry in made if entry.text}, done


@pytest.mark.parametrize(
    ("daemon", "state", "said"),
    [
        (Daemon(), "off", "realtime-bg is off"),
        (Daemon(STATUS, SETTINGS), "on", "a program uses the camera"),
        (Daemon(STATUS, SETTINGS, ("Chromium",)), "on", "Chromium uses the camera"),
        (Daemon(STATUS, SETTINGS, ("Firefox", "zoom")), "on", "Firefox, zoom use the camera"),
        (Daemon(STATUS | {"watched": False}, SETTINGS), "on", "no program uses the camera"),
        (Daemon(STATUS | {"cameras": {}}, SETTINGS), "on", "no program uses the camera"),
        (Daemon(STATUS, SETTINGS | {"paused": True}), "paused", "paused: a card is shown"),
        (Daemon(STATUS | {"problem": "no camera"}, SETTINGS), "problem", "no camera"),
        (Daemon(refusal="it has not started"), "problem", "it has not started"),
        (Daemon(STATUS, SETTINGS, refusal="no such file"), "problem", "no such file"),
    ],
)
def test_the_first_line_says_what_goes_on(daemon, state, said):
    assert daemon.state == state
    first = next(iter(lines(daemon)[0].values()))
    assert first.text == daemon.summary
    assert first.text.startswith(said)
    assert first.act is None


def test_while_it_is_off_it_can_only_be_switched_on():
    menu, done = lines(Daemon())
    assert list(menu)[1:] == ["On", "Close this icon"]
    assert not menu["On"].on
    menu["On"].act()
    menu["Close this icon"].act()
    assert done == [("start", None), ("quit", None)]


def test_every_line_does_what_it_says():
    menu, done = lines(Daemon(STATUS, SETTINGS))
    for text in ("On", "Pause", "Blur the room", "Open the page"):
        menu[text].act()
    assert done == [
        ("stop", None),
        ("pause", None),
        ("background", "blur"),
        ("page", STATUS["page"]),
    ]
    assert (menu["On"].on, menu["Pause"].on, menu["Blur the room"].on) == (True, False, False)
    menu, done = lines(Daemon(STATUS | {"page": None}, SETTINGS | {"paused": True}))
    menu["Pause"].act()
    assert menu["Pause"].on
    assert done == [("resume", None)]
    assert "Open the page" not in menu


def test_backgrounds_are_those_of_the_list_and_the_present_one():
    menu, done = lines(Daemon(STATUS | {"background": "#00b140"}, SETTINGS))
    rooms = menu["Background"].children
    assert [(room.text, room.on, room.mark) for room in rooms] == [
        ("blur:24", False, "radio"),
        ("beach", False, "radio"),
        ("room.jpg", False, "radio"),
        ("#00b140", True, "radio"),
    ]
    assert rooms[2].icon == b"/home/me/room.jpg"
    rooms[2].act()
    assert done == [("background", "/home/me/room.jpg")]


def test_blur_that_is_on_goes_back_to_a_picture_and_never_to_the_room():
    items = {"paused": False, "background": {"items": ["none", "blur", "office"]}}
    menu, done = lines(Daemon(STATUS | {"background": "blur:24"}, items))
    assert menu["Blur the room"].on
    menu["Blur the room"].act()
    assert done == [("background", "office")]
    items = {"paused": False, "background": {"items": ["none", "blur"]}}
    menu, done = lines(Daemon(STATUS | {"background": "blur"}, items))
    menu["Blur the room"].act()
    assert done == [("background", "blur")]


def test_thumbnails_are_pictures_and_never_the_room(tmp_path):
    assert pictures.thumbnail("beach").startswith(b"\x89PNG")
    for spec in ("blur", "blur:24", "none", "erase", "nosuch", str(tmp_path / "gone.jpg")):
        assert pictures.thumbnail(spec) == b""


def test_each_state_has_an_icon_of_its_own():
    icons = {pictures.icon(state) for state in pictures.COLOURS}
    assert len(icons) == 4
    assert {len(icon) for icon in icons} == {pictures.SIDE**2 * 4}
