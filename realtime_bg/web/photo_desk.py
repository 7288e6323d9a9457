"""Matting of photos for the API, one after the other, with engines that stay open."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime_bg.errors import DataError, MissingPackageError
from realtime_bg.frames import Image
from realtime_bg.imaging.geometry import fit
from realtime_bg.media.photos import Photo, encode, encode_rgba, pixels_of, read_photo
from realtime_bg.photos.photo_matting import PhotoMatting
from realtime_bg.processing.compositor import blend
from realtime_bg.settings import Settings
from realtime_bg.web.answers import busy, too_large, unreadable
from realtime_bg.web.form_checks import FormChoice
from realtime_bg.web.limits import Limits
from realtime_bg.web.pixel_gate import PixelGate

ENGINES_KEPT = 2  # each one holds a network in memory


class PhotoDesk:
    """Processes photos from any thread."""

    def __init__(self, settings: Settings, limits: Limits, gate: PixelGate) -> None:
        self._settings, self._limits, self._gate = settings, limits, gate
        self._places = threading.BoundedSemaphore(limits.photos)
        self._turn = threading.Lock()
        self._open: dict[str, PhotoMatting] = {}

    def process(
        self, data: bytes, choice: FormChoice, read_behind: Callable[[], Image | None]
    ) -> bytes:
        """Return the result for a photo as PNG: composited over the picture of ``read_behind``, BGR
        ``uint8 (H, W, 3)`` of any size, or over the chosen background, otherwise RGBA. Nothing is
        decoded before there is a place for it. Raises Refusal and RealtimeBgError."""
        with self._place():
            behind = read_behind()
            with self._gate.admit(pixels_of(data)):
                return self._processed(self._read(data), choice, behind)

    def _processed(self, photo: Photo, choice: FormChoice, behind: Image | None) -> bytes:
        with self._turn:
            matter = self._matter(choice.engine or self._settings.engine.name)
            if behind is not None:
                photo = photo.in_srgb()
            elif choice.background is not None:
                photo = matter.coloured_as(photo, choice.background)
            cutout = photo.limit(matter.matte(photo.image))
            if behind is not None:
                size = photo.image.shape[1], photo.image.shape[0]
                image = blend(cutout.foreground, fit(behind, size, "cover"), cutout.alpha)
            elif choice.background is not None:
                image = matter.over(cutout, choice.background)
            else:
                return encode_rgba(cutout, icc=photo.icc)
        return encode(image, "png", icc=photo.icc)

    def close(self) -> None:
        """Release the engines."""
        with self._turn:
            for matter in self._open.values():
                matter.close()
            self._open.clear()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise busy(f"{self._limits.photos} photos are already being processed")
        try:
            yield
        finally:
            self._places.release()

    def _read(self, data: bytes) -> Photo:
        if len(data) > self._limits.photo:
            raise too_large(f"a photo may have at most {self._limits.photo / 1e6:g} MB")
        try:
            return read_photo(data, self._limits.pixels)
        except (DataError, MissingPackageError) as error:
            raise unreadable(str(error)) from None

    def _matter(self, engine: str) -> PhotoMatting:
        if engine not in self._open:
            while len(self._open) >= ENGINES_KEPT:
                self._open.pop(next(iter(self._open))).close()
            change = {"name": engine}
            if engine != self._settings.engine.name:
                change["model"] = None  # type: ignore[assignment]  # it belongs to the other
            engines = self._settings.engine.model_copy(update=change)
            self._open[engine] = PhotoMatting(self._settings.model_copy(update={"engine": engines}))
        return self._open[engine]
