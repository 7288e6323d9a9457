"""The background in use: opened off the frame path, swapped in when it is ready."""

import logging
import threading

from realtime_bg.backgrounds import open_background
from realtime_bg.backgrounds.base import Background
from realtime_bg.errors import RealtimeBgError
from realtime_bg.settings import BackgroundSettings
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)


def stays(spec: str) -> str:
    """What is shown where another background cannot be opened: ``spec``, as before; who leaves
    the camera's own picture must not be shown in it again."""
    return "blur" if spec == "none" else spec


class CurrentBackground:
    """Follows the settings; `get` never waits for a disk or a decoder in live use."""

    def __init__(self, settings: BackgroundSettings, stats: Stats, wait: bool) -> None:
        """Open the first background now, so that a bad one is known before anything starts.

        ``wait``: see `Background`; True also opens later ones at once instead of off-thread.
        Raises BackgroundError.
        """
        self._stats, self._wait = stats, wait
        self._settings = self._opened = settings  # asked for, and what is open
        self._open = open_background(settings.current, settings, wait)
        self._rejected: tuple[str, str] | None = None
        self._lock = threading.Lock()
        self._opener: threading.Thread | None = None
        self._closed = self._stale = False

    def get(self, settings: BackgroundSettings) -> Background:
        """The background for ``settings``, or the last good one while that is being opened or
        when it cannot be."""
        if self._rejected is not None:  # the settings are about to be taken back
            return self._open
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
        except RealtimeBgError as error:
            kept = stays(self.spec)
            log.warning(
                "%s; %s %s", error, kept, "stays" if kept == self.spec else "takes its place"
            )
            self._stats.notice(f"cannot open {settings.current}")
            if kept != settings.current:
                self._rejected = settings.current, kept
                if kept == self.spec:
                    self._settings = self._opened
            return
        with self._lock:
            self._opened = settings
            # The compositor may still be rendering the old one: it reads `_open` once a frame,
            # and backgrounds survive a close while a picture of theirs is being used.
            old, self._open = (self._open, new) if not self._closed else (new, self._open)
        old.close()

    @property
    def spec(self) -> str:
        """What is open."""
        return self._opened.current

    def reload(self) -> None:
        """Open it anew: its file has changed. What is open stays where that fails."""
        self._stale = True

    def rejected(self) -> tuple[str, str] | None:
        """The spec that could not be opened and the one to use instead, since the last call."""
        told, self._rejected = self._rejected, None
        return told

    def close(self) -> None:
        """Release whatever is open. Idempotent."""
        with self._lock:
            self._closed = True
        self._open.close()
