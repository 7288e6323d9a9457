"""Video files as an output: H.264 (MP4, MKV, MOV) or VP9 (WebM), each picture with its own time."""

import logging
import os
from contextlib import suppress
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation

from realtime_bg.errors import SinkError, reason
from realtime_bg.frames import Composite, Size
from realtime_bg.imaging.geometry import even
from realtime_bg.sinks.base import Sink

log = logging.getLogger(__name__)

_numbers = count()  # makes temporary names unique, even of two sinks for one file
CLOCK = 90_000  # ticks per second; a multiple of all common frame rates
BT709 = 1  # for colour space, primaries and transfer alike (H.273)
STUDIO_RANGE = 1
# Without this, colours are truncated, which tints dark ones by up to 4 levels.
ROUNDED = Interpolation.BILINEAR | Interpolation.ACCURATE_RND
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    ".webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "7", "crf": "30", "row-mt": "1"}),
    "": ("libx264", {"preset": "veryfast", "crf": "18"}),
}


class VideoSink(Sink):
    """A video file; ``target`` is its path. The file gets that name when it is complete; until
    then, or if writing fails, its name ends in .part and the suffix."""

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        self._path = Path(target)
        mark = f"{os.getpid()}-{next(_numbers)}.part"
        self._partial = self._path.with_name(f"{self._path.stem}.{mark}{self._path.suffix}")
        self._even = even(size)
        codec, options = CODECS.get(self._path.suffix.lower(), CODECS[""])
        if self._path.is_dir():
            raise SinkError(
                f"{target}: cannot be written (it is a folder); give the name of a file in it"
            )
        try:
            self._partial.touch()  # so that an unwritable place is reported now and not at the end
            self._container = av.open(str(self._partial.absolute()), "w")
            rate = Fraction(fps).limit_denominator(1001)
            stream: Any = self._container.add_stream(codec, rate=rate, options=options)
        except (OSError, ValueError, av.FFmpegError) as error:
            with suppress(OSError):
                self._partial.unlink()
            raise SinkError(
                f"{target}: cannot be written ({reason(error)}); give another --output"
            ) from None
        stream.width, stream.height = self._even
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, CLOCK)
        context.color_range, context.colorspace = STUDIO_RANGE, BT709
        context.color_primaries = context.color_trc = BT709
        self._stream = stream
        self._start: float | None = None
        self._last = -1
        self._failed = self._closed = False

    def send(self, composite: Composite) -> None:
        width, height = self._even
        image = composite.image[:height, :width]
        if image.shape[:2] != (height, width):  # a 1-pixel side
            rows, columns = height - image.shape[0], width - image.shape[1]
            image = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        picture = picture.reformat(
            format="yuv420p",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
            interpolation=ROUNDED,
        )
        self._start = composite.time if self._start is None else self._start
        self._last = max(self._last + 1, round((composite.time - self._start) * CLOCK))
        picture.pts, picture.time_base = self._last, Fraction(1, CLOCK)
        try:
            self._container.mux(self._stream.encode(picture))
        except (OSError, av.FFmpegError) as error:
            self._failed = True
            raise SinkError(f"{self._path}: writing failed ({reason(error)})") from None

    def close(self, complete: bool = True) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._start is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except (OSError, av.FFmpegError) as error:
            raise self._unfinished(reason(error)) from None
        if self._start is None:
            self._partial.unlink(missing_ok=True)
        elif self._failed:
            raise self._unfinished("writing failed before")
        elif not complete:
            log.warning(
                "%s is incomplete; the part that was written: %s", self._path, self._partial
            )
        else:
            try:
                self._partial.replace(self._path)
            except OSError as error:
                raise self._unfinished(reason(error)) from None

    def _unfinished(self, reason: str) -> SinkError:
        return SinkError(
            f"{self._path}: cannot be finished ({reason}); "
            f"the part that was written: {self._partial}"
        )
