"""Backgrounds that do not move: pictures and colours, drawn once per size."""

from abc import abstractmethod
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds.base import Background
from realtime_bg.errors import BackgroundError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.colours import parse_colour
from realtime_bg.imaging.geometry import fit
from realtime_bg.imaging.orientation import UPRIGHT, upright
from realtime_bg.media.pictures import first_bytes, is_picture
from realtime_bg.settings import BackgroundSettings

LONGEST_SIDE = 4096  # larger pictures are reduced to this many pixels: more than any output shows


def over_black(image: NDArray[Any], full: NDArray[Any] | None) -> Image:
    """``image``, BGR ``uint8 (H, W, 3)``, composited over black with the alpha channel of ``full``,
    the same picture as it was stored, if it has one."""
    if full is None or full.ndim != 3 or full.shape[2] != 4 or full.shape[:2] != image.shape[:2]:
        return image
    alpha = full[..., 3:].astype(np.float32) / np.iinfo(full.dtype).max
    return np.rint(image * alpha).astype(np.uint8)


class StillBackground(Background):
    """A background that depends only on the size; the picture of the last size is cached."""

    _cached: Image | None = None

    @abstractmethod
    def draw(self, size: Size) -> Image:
        """The picture at ``size``: BGR ``uint8 (H, W, 3)``."""

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        cached = self._cached
        if cached is None or cached.shape[:2] != (size[1], size[0]):
            cached = self._cached = self.draw(size)
        return cached


class ColourBackground(StillBackground):
    """One colour: ``#rrggbb``, ``#rgb`` or a CSS name."""

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._colour = parse_colour(target)

    @classmethod
    def check_target(cls, target: str) -> None:
        parse_colour(target)

    def draw(self, size: Size) -> Image:
        return np.full((size[1], size[0], 3), self._colour, np.uint8)


class ImageBackground(StillBackground):
    """A picture file, turned upright by its EXIF data, with transparent parts over black."""

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._image = read_image(Path(target))

    def draw(self, size: Size) -> Image:
        return fit(self._image, size, self.settings.fit)


def is_still(path: Path) -> bool:
    """Whether the first bytes of a file are those of a still picture."""
    return is_picture(first_bytes(path))


def _decoded(data: NDArray[np.uint8]) -> Image | None:
    """The picture in BGR, upright, transparent parts over black; None if the data are not a
    picture."""
    full = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if full is None or full.ndim != 3 or full.shape[2] != 4:
        return cv2.imdecode(data, cv2.IMREAD_COLOR)
    # OpenCV turns alpha channels upright only for TIFF: other formats are blended first, then
    # turned.

    stored = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        return None
    image = over_black(stored, full)
    from PIL import ExifTags
    from PIL import Image as Pillow

    try:
        with Pillow.open(BytesIO(data.tobytes()), formats=("PNG", "WEBP")) as file:
            orientation = file.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except (OSError, SyntaxError, ValueError):  # another format
        orientation = UPRIGHT
    return upright(image, orientation)


def read_image(path: Path) -> Image:
    """The picture in a file: BGR ``uint8 (H, W, 3)``. Raises BackgroundError."""
    advice = "give a JPEG, PNG, WebP, BMP or TIFF file"
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread cannot open every file name on Windows
        image = _decoded(data) if data.size else None
    except OSError as error:
        reason = error.strerror or error
        raise BackgroundError(f"background {str(path)!r}: {reason}; {advice}") from None
    except (cv2.error, MemoryError):  # OpenCV refuses more than 2**30 pixels
        raise BackgroundError(
            f"background {str(path)!r}: too large to decode; reduce it, "
            f"{LONGEST_SIDE} pixels on the longer side are enough"
        ) from None
    if image is None:
        raise BackgroundError(f"background {str(path)!r}: damaged or not a picture; {advice}")
    longest = max(image.shape[:2])
    if longest > LONGEST_SIDE:
        scale = LONGEST_SIDE / longest
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = fit(image, size, "stretch")
    return np.ascontiguousarray(image)
