"""Small pictures of a video: its first frame, and the newest result while it is converted."""

import math
import time
from contextlib import closing

import numpy as np

from realtime_bg.errors import SourceError
from realtime_bg.frames import Cutout, Image, Size
from realtime_bg.imaging.geometry import resize, scaled_size
from realtime_bg.media.photos import encode
from realtime_bg.processing.compositor import blend
from realtime_bg.videos.clips import Clip

THUMBNAIL, PREVIEW = 320, 640  # pixels of the longer side
SECONDS = 1.0  # between two previews
SQUARE, GREYS = 8, (236, 200)  # pixels and grey levels of the chequered pattern behind cutouts


def displayed(clip: Clip) -> Size:
    """The size of a clip's frames with square pixels, of which the larger side is that of the
    frame or more."""
    (width, height), aspect = clip.size, float(clip.aspect)
    return round(width * max(aspect, 1.0)), round(height / min(aspect, 1.0))


def thumbnail(clip: Clip) -> bytes:
    """The first frame as JPEG. Raises RealtimeBgError."""
    with closing(clip.shots()) as shots:
        shot = next(shots, None)
        if shot is None:
            raise SourceError(f"{clip.path}: contains no readable frames; is the file complete?")
        image = clip.pixels(shot).image
    return _jpeg(resize(image, _within(displayed(clip), THUMBNAIL)))


class VideoPreview:
    """The newest finished picture of a conversion as JPEG.

    It is called by the conversion with every picture, but encodes only one a second, which costs
    almost nothing. ``count`` grows with each of them; 0 means there is none.
    """

    def __init__(self, shown: Size) -> None:
        """``shown``: the size of the pictures with square pixels."""
        self._size = _within(shown, PREVIEW)
        self.count, self.jpeg = 0, b""
        self._waiting: Image | Cutout | None = None
        self._made = -math.inf

    def __call__(self, picture: Image | Cutout) -> None:
        """Take a finished picture."""
        self._waiting = picture
        if time.monotonic() >= self._made + SECONDS:
            self.finish()

    def finish(self) -> None:
        """Encode the picture that was taken last, and keep no other."""
        picture, self._waiting = self._waiting, None
        if picture is None:
            return
        self.jpeg = _jpeg(self._small(picture))
        self.count += 1
        self._made = time.monotonic()

    def _small(self, picture: Image | Cutout) -> Image:
        if not isinstance(picture, Cutout):
            return resize(picture, self._size)
        person, alpha = resize(picture.foreground, self._size), resize(picture.alpha, self._size)
        return blend(person, _chequered(self._size), alpha)


def _within(size: Size, longest: int) -> Size:
    """``size`` reduced, if necessary, to a longer side of ``longest`` pixels."""
    return size if max(size) <= longest else scaled_size(size, (longest, longest), "contain")


def _chequered(size: Size) -> Image:
    columns, rows = (np.arange(side) // SQUARE for side in size)
    fields = (rows[:, None] + columns[None, :]) % 2
    return np.repeat(np.array(GREYS, np.uint8)[fields][..., None], 3, axis=2)


def _jpeg(image: Image) -> bytes:
    return encode(image, "jpg", quality=80)
