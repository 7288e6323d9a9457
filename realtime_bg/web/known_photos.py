"""The photos that were sent last, decoded, with the engine's mattes, so that another background or
another edge does not need the network again. They are in memory only, and not for long."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from realtime_bg.frames import Matte
from realtime_bg.media.photos import Photo

PIXELS = 40_000_000  # of all known photos together, each at 6 to 14 bytes
SECONDS = 600.0  # without use, after which a photo is forgotten


class Known(NamedTuple):
    """A photo as it was matted. ``fits_all``: its colours are the same with every background."""

    photo: Photo
    matte: Matte
    fits_all: bool

    @property
    def pixels(self) -> int:
        """The number of its pixels."""
        height, width = self.photo.image.shape[:2]
        return height * width


class Key(NamedTuple):
    """``digest``: of the file's bytes. ``srgb``: whether its colours were converted to sRGB."""

    digest: bytes
    engine: str
    srgb: bool


class KnownPhotos:
    """Remembers photos, those that were used last, up to a number of pixels. Thread-safe."""

    def __init__(self, forgotten: Callable[[], None]) -> None:
        """``forgotten`` is called from a thread of its own after photos were forgotten for lack of
        use."""
        self._forgotten = forgotten
        self._known: dict[Key, tuple[Known, float]] = {}  # with the time of use, oldest first
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def find(self, key: Key) -> Known | None:
        """A photo that was kept, if it is still known."""
        with self._lock:
            for at in (key, key._replace(srgb=not key.srgb)):
                known, _ = self._known.get(at, (None, 0.0))
                if known is not None and (at == key or known.fits_all):
                    self._use(at, known)
                    return known
        return None

    def keep(self, key: Key, known: Known) -> None:
        """Remember a photo, unless it alone has too many pixels."""
        if known.pixels > PIXELS:
            return
        with self._lock:
            self._use(key, known)
            while sum(one.pixels for one, _ in self._known.values()) > PIXELS:
                del self._known[next(iter(self._known))]

    def _use(self, key: Key, known: Known) -> None:
        self._known.pop(key, None)
        self._known[key] = known, time.monotonic()
        if self._timer is None:
            self._wait(SECONDS)

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._forget)
        self._timer.daemon = True
        self._timer.start()

    def _forget(self) -> None:
        """Forget the photos that were not used for a while, and wait for the next one's time."""
        with self._lock:
            before = len(self._known)
            end = time.monotonic() - SECONDS
            self._known = {key: pair for key, pair in self._known.items() if pair[1] > end}
            gone, self._timer = before - len(self._known), None
            if self._known:
                self._wait(min(used for _, used in self._known.values()) - end)
        if gone:
            self._forgotten()

    def close(self) -> None:
        """Forget everything. Idempotent."""
        with self._lock:
            self._known.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
