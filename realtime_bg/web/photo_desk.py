"""Matting of photos for the API, one after the other, with engines that stay open."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime_bg.errors import DataError, MissingPackageError
from realtime_bg.frames import Image
from realtime_bg.media.photos import Format, Photo, encode, encode_rgba, pixels_of, read_photo
from realtime_bg.photos.photo_matting import PhotoMatting
from realtime_bg.settings import Settings
from realtime_bg.web.answers import busy, too_large, unreadable
from realtime_bg.web.form_checks import FormChoice
from realtime_bg.web.known_photos import Key, Known, KnownPhotos
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
        self._known = KnownPhotos(self._drop_history)

    def process(
        self,
        data: bytes,
        choice: FormChoice,
        read_behind: Callable[[], Image | None],
        format: Format = "png",
    ) -> bytes:
        """Return the result for a photo as a file: composited over the picture of ``read_behind``,
        BGR ``uint8 (H, W, 3)`` of any size, or over the chosen background, otherwise with
        transparency, which ``format`` must have then. Nothing is decoded before there is a place
        for it. Raises Refusal and RealtimeBgError."""
        if len(data) > self._limits.photo:
            raise too_large(f"a photo may have at most {self._limits.photo / 1e6:g} MB")
        with self._place():
            behind = read_behind()
            with self._gate.admit(pixels_of(data)):
                return self._processed(data, choice, behind, format)

    def _processed(
        self, data: bytes, choice: FormChoice, behind: Image | None, format: Format
    ) -> bytes:
        background = choice.background
        srgb = behind is not None or (
            background is not None and PhotoMatting.needs_srgb(background)
        )
        engine = choice.engine or self._settings.engine.name
        key = Key(hashlib.sha256(data).digest(), engine, srgb)
        known = self._known.find(key)
        sent = self._read(data) if known is None else None
        settings = choice.applied(self._settings)
        with self._turn:
            matter = self._matter(engine)
            if sent is not None:
                photo = sent.in_srgb() if srgb else sent
                known = Known(photo, matter.unrefined(photo.image), sent.icc is None)
                self._known.keep(key, known)
            assert known is not None
            photo = known.photo
            cutout = photo.limit(matter.cutout(known.matte, settings.refine))
            if behind is not None:
                image = matter.over_picture(cutout, behind, settings)
            elif background is not None:
                image = matter.over(cutout, background, settings)
            else:
                return encode_rgba(cutout, format, icc=photo.icc, quick=True)
        return encode(image, format, icc=photo.icc, quick=True)

    def _drop_history(self) -> None:
        with self._turn:
            for matter in self._open.values():
                matter.drop_history()

    def close(self) -> None:
        """Release the engines, and forget all photos."""
        self._known.close()
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
