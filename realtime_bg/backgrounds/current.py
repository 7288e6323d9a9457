"""The background in use: opens the one that the settings name off the frame path and swaps it in
when it is ready."""

import logging
import threading
from collections.abc import Callable

from realtime_bg.backgrounds import open_background
from realtime_bg.backgrounds.base import Background
from realtime_bg.errors import RealtimeBgError, reason
from realtime_bg.settings import BackgroundSettings
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

Answer = Callable[[str, str, str], None]
"""Called after every later opening with the requested spec, the spec that is now open, and the
reason why the requested one could not be opened (empty on success)."""


def stays(spec: str) -> str:
    """The background that remains when another one cannot be opened: ``spec``, the previous one,
    unless that is the plain camera picture, which a user who is leaving it must not be shown in
    again."""
    return "blur" if spec == "none" else spec


class CurrentBackground:
    """Follows the settings. In live use, `get` never waits for a disk or a decoder."""

    def __init__(
        self, settings: BackgroundSettings, stats: Stats, wait: bool, answer: Answer
    ) -> None:
        """Open the first background now, so that an invalid one is reported before anything starts.

        ``wait``: see `Background`; True also opens later ones synchronously. ``answer`` is called
        by the thread that has opened, or failed to open, a later one. Raises BackgroundError.
        """
        self._stats, self._wait, self._answer = stats, wait, answer
        self._settings = self._opened = settings  # requested, and open
        self._open = open_background(settings.current, settings, wait)
        self._refused: BackgroundSettings | None = None  # could not be opened
        self._lock = threading.Lock()
        self._opener: threading.Thread | None = None
        self._closed = self._stale = False

    def get(self, settings: BackgroundSettings) -> Background:
        """The background for ``settings``, or the last good one while that is being opened or if it
        cannot be opened."""
        if settings == self._refused:  # about to be taken back
            return self._open
        self._refused = None
        if self._stale and not self._opening():
            self._stale, self._settings = False, settings
            self._start(settings)
        elif settings is not self._settings and not self._opening():
            changed = settings.model_copy(update={"items": self._settings.items})
            different = changed != self._settings
            self._settings = settings
            if different:
                self._start(settings)
        return self._open

    def _opening(self) -> bool:
        return self._opener is not None and self._opener.is_alive()

    def _start(self, settings: BackgroundSettings) -> None:
        if self._wait:
            self._replace(settings)
            return
        self._opener = threading.Thread(
            target=self._replace, args=(settings,), name="background-opener", daemon=True
        )
        self._opener.start()

    def _replace(self, settings: BackgroundSettings) -> None:
        try:
            new = open_background(settings.current, settings, self._wait)
        except (RealtimeBgError, OSError, MemoryError) as error:
            why = str(error) if isinstance(error, RealtimeBgError) else reason(error)
            kept = stays(self.spec)
            text = f"{why}; {kept} {'stays' if kept == self.spec else 'is used instead'}"
            log.warning("%s", text)
            self._stats.notice(text)
            if kept != settings.current:
                self._refused = settings
                if kept == self.spec:
                    self._settings = self._opened
                self._answer(settings.current, kept, why)
            return
        with self._lock:
            self._opened = settings
            # The compositor may still be rendering the old one: it reads `_open` once per frame,
            # and a background tolerates being closed while one of its pictures is in use.
            old, self._open = (self._open, new) if not self._closed else (new, self._open)
        old.close()
        self._answer(settings.current, settings.current, "")

    @property
    def spec(self) -> str:
        """The spec of the open background."""
        return self._opened.current

    def reload(self) -> None:
        """Reopen the background, because its file has changed. If that fails, the open one
        stays."""
        self._stale = True

    def close(self) -> None:
        """Release the open background. Idempotent."""
        with self._lock:
            self._closed = True
        self._open.close()
