"""Hot keys: keys of the preview window that work whatever program has the focus, where the desktop
has a portal for them."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable

from realtime_bg.errors import RealtimeBgError
from realtime_bg.installing import add_extra
from realtime_bg.settings import HotKeySettings
from realtime_bg.settings.live import Live
from realtime_bg.settings.shortcuts import ANYWHERE
from realtime_bg.stats import Stats
from realtime_bg.steering.keys import press
from realtime_bg.system.backoff import Backoff

log = logging.getLogger(__name__)

PAUSES = (1.0, 5.0, 30.0)  # seconds before the portal is asked again
# How often, if it is not there although it was, or when the program starts with the session.
TRIES = 3
ACTIVE = "hotkeys.active"
OTHERWISE = "bind commands such as `realtime-bg ctl toggle paused` in the desktop's own settings"
# Names of characters in XKB, which the desktop wants.
SYMBOLS = {" ": "space", "[": "bracketleft", "]": "bracketright", ",": "comma", ".": "period"}


class HotKeys:
    """Follows the settings ``hotkeys`` from construction until `close`. There is a thread, and a
    connection to the desktop, only once they have been active."""

    def __init__(self, live: Live, stats: Stats) -> None:
        self._live, self._stats = live, stats
        self._wanted = HotKeySettings()
        self._lock = threading.Lock()  # of what follows
        self._thread: threading.Thread | None = None
        self._tries = TRIES if live.now.hotkeys.active else 0
        self._wake: Callable[[], object] = lambda: None
        self._closed = False
        live.follow(self._changed)
        self._changed()

    def close(self) -> None:
        """Give the keys back. Idempotent."""
        with self._lock:
            self._closed = True
            self._wake()

    def _changed(self) -> None:
        with self._lock:
            before, self._wanted = self._wanted, self._live.now.hotkeys
            if self._closed or self._wanted == before:
                return
            self._wake()
            if self._thread is None and self._wanted.active:
                self._thread = threading.Thread(target=self._run, name="hot-keys", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        news, loop = asyncio.Event(), asyncio.get_running_loop()
        with self._lock:
            self._wake = lambda: loop.call_soon_threadsafe(news.set)
        while not self._closed:
            news.clear()
            wanted = self._live.now.hotkeys
            task = asyncio.ensure_future(self._listen(wanted)) if wanted.active else None
            await news.wait()
            self._tries = 0
            if task is not None:
                task.cancel()
                await asyncio.wait({task})
        with self._lock:
            self._wake = lambda: None

    async def _listen(self, wanted: HotKeySettings) -> None:
        """Listen until cancelled. What cannot work is switched off, and the reason is logged."""
        if not sys.platform.startswith("linux"):
            self._refuse(f"they are for Linux desktops; {OTHERWISE}")
            return
        try:
            from realtime_bg.devices.shortcut_portal import (
                AbsentError,
                RefusedError,
                Shortcut,
                listen,
            )
        except ModuleNotFoundError as missing:
            if missing.name != "dbus_fast":
                raise
            self._refuse(f"they need the package 'dbus-fast'; run: {add_extra('hotkeys')}")
            return
        shortcuts = [
            Shortcut(name(key), ANYWHERE[key], trigger(key, wanted.modifiers))
            for key in wanted.keys
        ]
        keys, backoff = {name(key): key for key in wanted.keys}, Backoff(*PAUSES)

        def bound(triggers: dict[str, str]) -> None:
            backoff.succeeded()
            self._tries = TRIES
            self._live.confirm(ACTIVE, True)
            told = [
                f"{text}: {ANYWHERE[keys[one]]}" for one, text in triggers.items() if one in keys
            ]
            log.info("hot keys: %s", "; ".join(told) or "the desktop has given none a key")

        while True:
            try:
                await listen(shortcuts, lambda one: self._press(keys[one]), bound)
            except RefusedError as why:
                if not isinstance(why, AbsentError) or backoff.failures >= self._tries:
                    self._refuse(f"{why}; {OTHERWISE}")
                    return
                await asyncio.sleep(backoff.failed())
            except ConnectionError as error:
                log.debug("hot keys: %s", error)
                await asyncio.sleep(backoff.failed())
            except Exception as error:  # an answer that is not as specified
                log.debug("hot keys", exc_info=True)
                self._refuse(f"the desktop's answer is not understood ({error!r}); {OTHERWISE}")
                return

    def _refuse(self, why: str) -> None:
        log.warning("no hot keys: %s", why)
        self._live.take_back({ACTIVE: True}, {ACTIVE: False}, f"no hot keys: {why}")

    def _press(self, key: str) -> None:
        try:
            press(self._live, key)
        except RealtimeBgError as error:
            log.warning("%s", error)
            self._stats.notice(str(error))


def name(key: str) -> str:
    """The name of the shortcut for ``key``, under which the desktop keeps what the user chose."""
    symbol = SYMBOLS.get(key, key)
    return f"shift-{symbol.lower()}" if symbol.isupper() and len(symbol) == 1 else symbol


def trigger(key: str, modifiers: str) -> str:
    """The keys that the desktop is asked for: ``key`` with ``modifiers``, in the form of the
    shortcuts specification. The presets are on 1 to 9, because Linux switches its consoles with
    CTRL+ALT and a function key; the last three have none."""
    if len(key) > 1:
        number = key.removeprefix("F")
        return f"{modifiers}+{number}" if len(number) == 1 else ""
    symbol = SYMBOLS.get(key, key)
    if symbol.isupper():
        held = modifiers if "SHIFT" in modifiers.split("+") else f"{modifiers}+SHIFT"
        return f"{held}+{symbol.lower()}"
    return f"{modifiers}+{symbol}"
