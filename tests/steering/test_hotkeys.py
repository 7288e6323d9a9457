"""Hot keys, with the real desktop portal on a session bus of its own."""

import shutil
import sys

import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg.errors import SettingsError
from realtime_bg.installing import APP_ID
from realtime_bg.settings import validated
from realtime_bg.settings.live import Live
from realtime_bg.settings.shortcuts import ANYWHERE
from realtime_bg.stats import Stats
from realtime_bg.steering import hotkeys
from realtime_bg.steering.hotkeys import HotKeys, name, trigger
from realtime_bg.steering.keys import FUNCTION_KEYS, KEYS

pytest.importorskip("dbus_fast")
from helpers.desktop import LIBEXEC, Desktop
from helpers.shortcuts import Backend, LaterPortal

MISSING = (
    "portals are of Linux desktops"
    if not sys.platform.startswith("linux")
    else "needs dbus-daemon and xdg-desktop-portal"
    if not shutil.which("dbus-daemon") or not (LIBEXEC / "xdg-desktop-portal").exists()
    else ""
)
real_portal = pytest.mark.skipif(bool(MISSING), reason=MISSING)
SAYS_NO = [(1, "declined in the desktop's dialog"), (2, "gives none")]


def tree(**given):
    return validated(
        {"background": {"current": "beach", "items": ("beach", "office")}, "hotkeys": given}
    )


@pytest.fixture
def desktop(monkeypatch):
    with Desktop(cameras=False) as made:
        use(made, monkeypatch)
        yield made


def use(desktop, monkeypatch):
    for variable in ("DBUS_SESSION_BUS_ADDRESS", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, desktop.environment[variable])


@pytest.fixture
def follow():
    made = []

    def follow(live):
        made.append(HotKeys(live, Stats()))
        return made[-1]

    yield follow
    for one in made:
        one.close()
        if one._thread is not None:
            until(lambda one=one: not one._thread.is_alive())


def address(desktop):
    return desktop.environment["DBUS_SESSION_BUS_ADDRESS"]


@real_portal
def test_a_key_of_the_desktop_does_what_the_windows_key_does(desktop, follow, caplog):
    caplog.set_level("INFO", "realtime_bg.steering.hotkeys")
    live = Live(tree(active=True, keys=["space", "b", "B"]))
    with Backend(address(desktop)) as backend:
        follow(live)
        backend.bound("space", "b", "shift-b")
        assert backend.shortcuts["shift-b"] == {
            "description": "previous background",
            "preferred_trigger": "CTRL+ALT+SHIFT+b",
        }
        assert live.wait_for_answer("hotkeys.active", PATIENCE) == ""
        backend.press("space")
        until(lambda: live.now.paused)
        backend.press("b")
        until(lambda: live.now.background.current == "office")
        backend.change({"space": "Ctrl+Pause"})
        until(lambda: "hot keys: Ctrl+Pause: pause" in caplog.text)
    assert "hot keys: CTRL+ALT+space: pause: show a card" in caplog.text


@real_portal
def test_a_desktop_that_knows_them_is_not_asked_to_bind_them(desktop, follow, caplog):
    """As Plasma 5.27, which takes them with the session, of the same name in every run."""
    caplog.set_level("INFO", "realtime_bg.steering.hotkeys")
    live = Live(tree(active=True, keys=["space", "b"]))
    with Backend(address(desktop), known={"space": "Ctrl+1", "b": ""}) as backend:
        follow(live)
        assert live.wait_for_answer("hotkeys.active", PATIENCE) == ""
        given = {name for name, _ in backend.options["shortcuts"].value}
        assert given == {"space", "b"}
        assert backend.sessions[0].endswith("/realtime_bg")
        backend.press("space")
        until(lambda: live.now.paused)
        assert not backend.shortcuts
    assert "hot keys: Ctrl+1: pause" in caplog.text


@real_portal
def test_a_desktop_that_knows_only_some_is_asked(desktop, follow):
    live = Live(tree(active=True, keys=["space", "b"]))
    with Backend(address(desktop), known={"space": "Ctrl+1"}) as backend:
        follow(live)
        backend.bound("space", "b")


@real_portal
def test_they_follow_the_settings_and_are_given_back(desktop, follow):
    live = Live(tree(keys=["space"]))
    with Backend(address(desktop)) as backend:
        keys = follow(live)
        assert keys._thread is None  # nothing runs until they are wanted
        live.update(hotkeys__active=True)
        backend.bound("space")
        live.update(hotkeys__keys=("f", "m"))
        backend.bound("f", "m")
        assert backend.sessions[0] in backend.closed
        live.update(hotkeys__active=False)
        until(lambda: len(backend.closed) == 2)
        backend.bound()
        live.update(hotkeys__active=True)
        backend.bound("f", "m")
        keys.close()
        until(lambda: len(backend.closed) == 3)


@real_portal
@pytest.mark.parametrize(("code", "why"), SAYS_NO)
def test_a_refusal_switches_them_off_and_says_why(desktop, follow, code, why, caplog):
    live = Live(tree(active=True))
    with Backend(address(desktop), code):
        follow(live)
        assert why in live.wait_for_answer("hotkeys.active", PATIENCE)
    assert not live.now.hotkeys.active
    assert why in live.refusals["hotkeys.active"]
    assert "realtime-bg ctl toggle paused" in caplog.text


@real_portal
def test_they_come_back_with_the_portal(desktop, follow, monkeypatch):
    monkeypatch.setattr(hotkeys, "PAUSES", (0.01,))
    monkeypatch.setattr(hotkeys, "TRIES", 10**6)  # as long as the portal takes to start
    live = Live(tree(active=True, keys=["space"]))
    with Backend(address(desktop)) as backend:
        follow(live)
        backend.bound("space")
        backend.press("space")
        until(lambda: live.now.paused)
        desktop.stop(desktop.portal)
        desktop.start_portal()
        until(lambda: len(backend.sessions) > 1)
        backend.bound("space")
        backend.press("space")
        until(lambda: not live.now.paused)


@real_portal
def test_a_change_that_cannot_work_is_told(desktop, follow, caplog):
    live = Live(tree(active=True, keys=["F1"]))
    with Backend(address(desktop)) as backend:
        follow(live)
        backend.bound("F1")
        backend.press("F1")
        until(lambda: "F1: there is no preset 1" in caplog.text)
        assert live.now.hotkeys.active


@real_portal
def test_signals_of_other_programs_are_no_keys(desktop, follow):
    live = Live(tree(active=True, keys=["space", "m"]))
    with Backend(address(desktop)) as backend:
        follow(live)
        backend.bound("space", "m")
        session = f"objpath:{backend.sessions[0]}"
        fake = ["dbus-send", "--session", "--type=signal", "/org/freedesktop/portal/desktop"]
        method = "org.freedesktop.portal.GlobalShortcuts.Activated"
        assert not desktop.run(*fake, method, session, "string:space", "uint64:0").returncode
        backend.press("m")
        until(lambda: live.now.output.mirror)
    assert not live.now.paused


@real_portal
def test_a_later_portal_is_told_which_program_it_is(follow, monkeypatch):
    with Desktop(cameras=False, portal=False) as desktop:
        use(desktop, monkeypatch)
        data = desktop.environment["XDG_DATA_HOME"]
        with LaterPortal(address(desktop), data) as portal:
            follow(Live(tree(active=True, keys=["space"])))
            until(lambda: portal.shortcuts == ["space"])
    assert portal.id == APP_ID


@real_portal
def test_a_desktop_without_portal_is_named(follow, monkeypatch):
    with Desktop(cameras=False, portal=False) as desktop:
        use(desktop, monkeypatch)
        live = Live(tree())
        follow(live)
        live.update(hotkeys__active=True)
        assert "xdg-desktop-portal is not installed" in live.wait_for_answer(
            "hotkeys.active", PATIENCE
        )


@real_portal
def test_a_portal_that_starts_after_the_program_is_waited_for(follow, monkeypatch):
    monkeypatch.setattr(hotkeys, "PAUSES", (0.01,))
    monkeypatch.setattr(hotkeys, "TRIES", 10**6)
    with Desktop(cameras=False, portal=False) as desktop:
        use(desktop, monkeypatch)
        live = Live(tree(active=True, keys=["space"]))
        follow(live)
        with Backend(address(desktop)) as backend:
            desktop.start_portal()
            backend.bound("space")
            assert live.now.hotkeys.active  # while there is a session


def test_without_a_session_they_are_off(follow, monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    live = Live(tree(active=True))
    follow(live)
    assert "there is no session bus" in live.wait_for_answer("hotkeys.active", PATIENCE)


def test_without_the_package_its_command_is_told(follow, monkeypatch):
    monkeypatch.setitem(sys.modules, "dbus_fast", None)
    monkeypatch.delitem(sys.modules, "realtime_bg.devices.shortcut_portal", raising=False)
    live = Live(tree(active=True))
    follow(live)
    why = live.wait_for_answer("hotkeys.active", PATIENCE)
    assert "'dbus-fast'" in why
    assert "install" in why


def test_on_other_systems_they_are_refused(follow, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    live = Live(tree(active=True))
    follow(live)
    assert "for Linux desktops" in live.wait_for_answer("hotkeys.active", PATIENCE)


def test_every_key_that_can_be_one_exists_and_has_its_own_name():
    assert set(ANYWHERE) <= set(KEYS) | set(FUNCTION_KEYS)
    assert {"a", "c", "d", "h", "q"}.isdisjoint(ANYWHERE)
    assert len({name(key) for key in ANYWHERE}) == len(ANYWHERE)
    wanted = [text for key in ANYWHERE if (text := trigger(key, "CTRL+ALT"))]
    assert len(wanted) == len(set(wanted)) == len(ANYWHERE) - 3  # F10 to F12 have none


@pytest.mark.parametrize(
    ("key", "modifiers", "wanted"),
    [
        ("b", "LOGO", "LOGO+b"),
        ("B", "LOGO", "LOGO+SHIFT+b"),
        ("B", "CTRL+SHIFT", "CTRL+SHIFT+b"),
        ("[", "CTRL", "CTRL+bracketleft"),
        ("F3", "CTRL+ALT", "CTRL+ALT+3"),
        ("F12", "CTRL+ALT", ""),
    ],
)
def test_what_the_desktop_is_asked_for(key, modifiers, wanted):
    assert trigger(key, modifiers) == wanted


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"keys": ["d"]}, "'d' cannot be a hot key; choose from"),
        ({"keys": ["bb"]}, "'bb' cannot be a hot key"),
        ({"modifiers": "CTRL+META"}, "'CTRL\\+META' are no modifiers"),
        ({"modifiers": "CTRL+CTRL"}, "are no modifiers"),
        ({"modifiers": ""}, "are no modifiers"),
    ],
)
def test_what_cannot_be_a_hot_key_is_refused(given, why):
    with pytest.raises(SettingsError, match=why):
        tree(**given)


def test_keys_may_be_written_in_several_ways():
    assert tree(keys="b").hotkeys.keys == ("b",)
    assert tree(keys=["space", 0, "b", "b"]).hotkeys.keys == (" ", "0", "b")
    assert tree(modifiers="ctrl+logo").hotkeys.modifiers == "CTRL+LOGO"
