"""Pictures, animations and clips with transparency, read whole into memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import SourceError, reason
from realtime_bg.media.av import open_video
from realtime_bg.media.suffixes import PICTURES
from realtime_bg.system.file_names import readable

MOST_BYTES = 256_000_000  # of all pictures of a clip, at the size at which they are shown
SHORTEST = 0.02  # seconds for which a picture of an animation is shown at least
USUAL = 0.04  # seconds for a picture that does not say
FORMATS = ("PNG", "WEBP", "GIF", "JPEG", "BMP", "TIFF")

Pixels = NDArray[np.uint8]  # BGRA (h, w, 4), the alpha not multiplied into the colours


class Sprite(NamedTuple):
    """The pictures of a file, all of the same size, and when each one ends, in seconds from the
    start; the last end is the length of the loop."""

    pictures: tuple[Pixels, ...]
    ends: tuple[float, ...]

    def at(self, seconds: float) -> int:
        """The index of the picture that is due, in an endless loop."""
        if len(self.pictures) == 1:
            return 0
        due = seconds % self.ends[-1]
        found = int(np.searchsorted(self.ends, due, side="right"))
        return min(found, len(self.pictures) - 1)


def read_sprite(path: Path, height: int) -> Sprite:
    """Read a file with its pictures ``height`` pixels high. Raises SourceError."""
    shown = readable(str(path))
    pictures: list[Pixels] = []
    ends: list[float] = []
    used, at = 0, 0.0
    try:
        for read, seconds in _pictures(path):
            width = max(1, round(read.shape[1] * height / read.shape[0]))
            picture = _resized(read, (width, height))
            if pictures and picture.shape != pictures[0].shape:
                raise SourceError(f"{shown}: its pictures have different sizes")
            used += picture.nbytes
            if used > MOST_BYTES:
                raise SourceError(
                    f"{shown}: too long or too large for a layer; shorten it or give a smaller "
                    "scale"
                )
            at += max(seconds, SHORTEST)
            pictures.append(picture)
            ends.append(at)
    except (av.FFmpegError, cv2.error, OSError, ValueError, SyntaxError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{shown}: cannot be read ({reason(error)})") from None
    if not pictures:
        raise SourceError(f"{shown}: holds no picture")
    return Sprite(tuple(pictures), tuple(ends))


def _pictures(path: Path) -> Iterator[tuple[Pixels, float]]:
    """The pictures with the seconds for which each is shown."""
    if not path.is_file():
        raise SourceError(f"{readable(str(path))}: no such file")
    if path.suffix.lower() in (*PICTURES, ".gif", ".apng"):
        yield from _with_pillow(path)
    else:
        yield from _with_av(path)


def _with_pillow(path: Path) -> Iterator[tuple[Pixels, float]]:
    from PIL import Image, ImageOps, ImageSequence

    with Image.open(path, formats=FORMATS) as file:
        for frame in ImageSequence.Iterator(file):
            upright = ImageOps.exif_transpose(frame.convert("RGBA"))
            # Known only now, after the picture has been decoded
            seconds = float(frame.info.get("duration") or USUAL * 1000) / 1000
            yield cv2.cvtColor(np.asarray(upright), cv2.COLOR_RGBA2BGRA), seconds


def _with_av(path: Path) -> Iterator[tuple[Pixels, float]]:
    container, stream = open_video(str(path))
    with container:
        usual = 1 / float(stream.average_rate or 1 / USUAL)
        decoder = stream.codec_context
        tags = {name.lower(): value for name, value in stream.metadata.items()}
        if decoder.name == "vp9" and tags.get("alpha_mode") == "1":
            # FFmpeg's own decoder ignores the alpha
            decoder = av.CodecContext.create("libvpx-vp9", "r")
            decoder.extradata = stream.codec_context.extradata
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                yield frame.to_ndarray(format="bgra"), usual


def _resized(picture: Any, size: tuple[int, int]) -> Pixels:
    """The picture at another size, without colours of transparent pixels at its edges."""
    if (picture.shape[1], picture.shape[0]) == size:
        return np.ascontiguousarray(picture)
    alpha = picture[..., 3:].astype(np.float32) / 255
    shrinks = size[1] < picture.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    colours = cv2.resize(picture[..., :3] * alpha, size, interpolation=how)
    share = cv2.resize(alpha[..., 0], size, interpolation=how)[..., None]
    plain = colours / np.maximum(share, 1 / 255)
    return np.rint(np.clip(np.dstack([plain, share * 255]), 0, 255)).astype(np.uint8)
