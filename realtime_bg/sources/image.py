"""A still picture as a source: repeats the same frame at a low rate."""

import time
from collections.abc import Generator
from pathlib import Path

import cv2

from realtime_bg.errors import DataError, SourceError
from realtime_bg.frames import Frame, as_image
from realtime_bg.imaging.geometry import fit
from realtime_bg.media.photos import read_photo
from realtime_bg.media.pictures import read_picture
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.base import Source

DEFAULT_FPS = 10.0


class ImageSource(Source):
    """An endless source. ``target`` is the path of a file; the picture is turned upright by its
    EXIF data, and its transparent parts are white."""

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        super().__init__(target, settings, paced)
        try:
            image = read_picture(Path(target))
            full = None if image is None else read_picture(Path(target), cv2.IMREAD_UNCHANGED)
            if full is not None and full.ndim == 3 and full.shape[2] == 4:
                image = read_photo(Path(target)).image  # what is transparent stays hidden
        except DataError as error:
            raise SourceError(str(error)) from None
        except (OSError, cv2.error) as error:  # deleted in the meantime, or far too large
            reason = getattr(error, "strerror", None) or getattr(error, "err", error)
            raise SourceError(f"{target}: cannot be read ({reason})") from None
        if image is None:
            raise SourceError(f"{target}: cannot be read as an image; is it a complete file?")
        if settings.size is not None:
            image = fit(image, settings.size, "cover")
        self._image = as_image(image)
        self.size = image.shape[1], image.shape[0]
        self.fps = settings.fps or DEFAULT_FPS
        self.description = f"{target}: still image, {self.size[0]}x{self.size[1]}"

    def __iter__(self) -> Generator[Frame, None, None]:
        start, index = time.monotonic(), 0
        while not self.closed.is_set():
            at = index / self.fps
            if self.paced:
                at += start
                self.closed.wait(max(0.0, at - time.monotonic()))
            yield Frame(self._image, index, at)
            index += 1

    def close(self) -> None:
        self.closed.set()
