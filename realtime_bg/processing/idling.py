"""The idle scene: what is shown while nobody is seen."""

import logging
import threading
import time

from realtime_bg.backgrounds import open_background
from realtime_bg.backgrounds.base import Background
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Image, Matte, Size
from realtime_bg.processing.cards import card
from realtime_bg.settings import Settings
from realtime_bg.stats import Stats
from realtime_bg.system.backoff import Retry

log = logging.getLogger(__name__)

RETRIES = 5.0, 15.0, 60.0  # seconds between attempts to open the scene's background
SEEN = 0.004  # share of the picture that a person covers at least


class Idling:
    """Decides from the mattes whether somebody is seen, and draws the scene."""

    def __init__(self, stats: Stats, wait: bool) -> None:
        """``wait``: open the scene's background at once, see `Background`."""
        self._stats, self._wait = stats, wait
        self._seen: float | None = None  # when somebody was seen last, by the frames' clock
        self._spec: str | None = None
        self._background: Background | None = None
        self._opener: threading.Thread | None = None
        self._retry = Retry(*RETRIES)

    def is_idle(self, matte: Matte, settings: Settings) -> bool:
        """Whether nobody has been seen for long enough, up to this matte."""
        at = matte.frame.time
        somebody = not matte.lost and float(matte.alpha.mean()) >= SEEN
        if somebody or self._seen is None or at < self._seen:
            self._seen = at
        return at - self._seen >= settings.idle.after

    def scene(self, size: Size, at: float, settings: Settings) -> Image:
        """The scene at ``size``, BGR ``uint8 (H, W, 3)``: its background, or a card with its text
        while that is being opened or if there is none."""
        spec = settings.idle.background
        if spec != self._spec:
            self.close()
            self._spec, self._retry = spec, Retry(*RETRIES)
            if spec is not None:
                self._start(spec, settings)
        elif spec is not None and self._is_due():
            self._start(spec, settings)
        background = self._background
        if background is None:
            return card(size, settings.idle.text)
        return background.render(size, at)

    def _is_due(self) -> bool:
        """Whether the background could not be opened, and should be tried again; its file may be on
        a disk that is mounted later."""
        if self._wait or self._background is not None or not self._retry.problem:
            return False
        busy = self._opener is not None and self._opener.is_alive()
        return not busy and time.monotonic() >= self._retry.due

    def _start(self, spec: str, settings: Settings) -> None:
        if self._wait:
            self._open(spec, settings)
            return
        self._opener = threading.Thread(
            target=self._open, args=(spec, settings), name="idle-opener", daemon=True
        )
        self._opener.start()

    def _open(self, spec: str, settings: Settings) -> None:
        wanted = settings.background.model_copy(update={"current": spec})
        try:
            opened = open_background(spec, wanted, self._wait)
        except (RealtimeBgError, OSError, MemoryError) as error:
            text = f"idle.background: {error}; a card is shown"
            if spec == self._spec and self._retry.failed(text):
                log.warning("%s", text)
                self._stats.notice(text)
            return
        if spec == self._spec:
            self._background = opened
        else:
            opened.close()

    def close(self) -> None:
        """Release the scene's background. Idempotent."""
        self._spec, background, self._background = None, self._background, None
        if background is not None:
            background.close()
