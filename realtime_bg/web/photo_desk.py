"""Photos: matted one after the other with engines that stay open."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from realtime_bg.errors import DataError, MissingPackageError
from realtime_bg.frames import Image
from realtime_bg.imaging.geometry import fit
from realtime_bg.media.photos import Still, encode, encode_rgba, read_still
from realtime_bg.photos.stills import Stills
from realtime_bg.processing.compositor import blend
from realtime_bg.settings import Settings
from realtime_bg.web.answers import busy, too_large, unusable
from realtime_bg.web.form_checks import FormChoice
from realtime_bg.web.limits import Limits

ENGINES_KEPT = 2  # each holds a network


class PhotoDesk:
    """Takes photos from any thread."""

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings, self._limits = settings, limits
        self._places = threading.BoundedSemaphore(limits.photos)
        self._turn = threading.Lock()
        self._open: dict[str, Stills] = {}

    def process(self, data: bytes, choice: FormChoice, behind: Image | None) -> bytes:
        """The PNG of a photo: RGBA where neither ``behind``, BGR ``uint8 (H, W, 3)`` of any
        size, nor a background is wanted. Raises Refusal and RealtimeBgError."""
        with self._place():
            still = self._read(data)
            with self._turn:
                stills = self._stills(choice.engine or self._settings.engine.name)
                if behind is not None:
                    still = still.in_srgb()
                elif choice.background is not None:
                    still = stills.coloured_as(still, choice.background)
                cutout = still.limit(stills.matte(still.image))
                if behind is not None:
                    size = still.image.shape[1], still.image.shape[0]
                    image = blend(cutout.foreground, fit(behind, size, "cover"), cutout.alpha)
                elif choice.background is not None:
                    image = stills.over(cutout, choice.background)
                else:
                    return encode_rgba(cutout, icc=still.icc)
            return encode(image, "png", icc=still.icc)

    def close(self) -> None:
        """Release the engines."""
        with self._turn:
            for stills in self._open.values():
                stills.close()
            self._open.clear()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise busy(f"{self._limits.photos} photos are being processed")
        try:
            yield
        finally:
            self._places.release()

    def _read(self, data: bytes) -> Still:
        if len(data) > self._limits.photo:
            raise too_large(f"a photo may have {self._limits.photo / 1e6:g} MB")
        try:
            return read_still(data, self._limits.pixels)
        except (DataError, MissingPackageError) as error:
            text = str(error)
            raise (too_large if "million pixels" in text else unusable)(text) from None

    def _stills(self, engine: str) -> Stills:
        if engine not in self._open:
            while len(self._open) >= ENGINES_KEPT:
                self._open.pop(next(iter(self._open))).close()
            change = {"name": engine}
            if engine != self._settings.engine.name:
                change["model"] = None  # type: ignore[assignment]  # it belongs to the other
            engines = self._settings.engine.model_copy(update=change)
            self._open[engine] = Stills(self._settings.model_copy(update={"engine": engines}))
        return self._open[engine]
