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
from numpy.typing import NDArray

from realtime_bg.errors import SinkError, reason
from realtime_bg.frames import Composite, Size
from realtime_bg.imaging.geometry import even, trimmed
from realtime_bg.sinks.base import Sink
from realtime_bg.sinks.coding import ROUNDED, Coding, recording

log = logging.getLogger(__name__)

_numbers = count()  # makes temporary names unique, even of two sinks for one file
CLOCK = 90_000  # ticks per second; a multiple of all common frame rates
BT709 = 1  # for colour space, primaries and transfer alike (H.273)
STUDIO_RANGE = 1


class VideoSink(Sink):
    """A video file; ``target`` is its path. The file gets that name when it is complete; until
    then, or if writing fails, its name ends in .part and the suffix."""

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        self._path = Path(target)
        mark = f"{os.getpid()}-{next(_numbers)}.part"
        self._partial = self._path.with_name(f"{self._path.stem}.{mark}{self._path.suffix}")
        self._even = even(size)
        self._coding = self.coding(self._path.suffix.lower())
        if self._path.is_dir():
            raise SinkError(
                f"{target}: cannot be written (it is a folder); give the name of a file in it"
            )
        try:
            self._partial.touch()  # so that an unwritable place is reported now and not at the end
            self._container = av.open(str(self._partial.absolute()), "w")
            rate = Fraction(fps).limit_denominator(1001)
            stream: Any = self._container.add_stream(
                self._coding.codec, rate=rate, options=dict(self._coding.options)
            )
        except (OSError, ValueError, av.FFmpegError) as error:
            with suppress(OSError):
                self._partial.unlink()
            raise SinkError(
                f"{target}: cannot be written ({reason(error)}); give another --output"
            ) from None
        stream.width, stream.height = self._even
        stream.pix_fmt = self._coding.pixels
        if "a" in self._coding.pixels and self._coding.codec == "libvpx-vp9":
            stream.metadata["alpha_mode"] = "1"
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, CLOCK)
        if self._coding.pixels.startswith("yuv"):
            context.color_range, context.colorspace = STUDIO_RANGE, BT709
            context.color_primaries = context.color_trc = BT709
        self._stream = stream
        self._start: float | None = None
        self._last = -1
        self._failed = self._closed = False

    def coding(self, suffix: str) -> Coding:
        """How a file with this suffix is encoded."""
        return recording(suffix)

    def pixels(self, composite: Composite) -> NDArray[np.uint8]:
        """What is written of ``composite``, in the format that the coding is given."""
        return composite.image

    def send(self, composite: Composite) -> None:
        image = trimmed(self.pixels(composite), self._even)
        picture = av.VideoFrame.from_ndarray(image, format=self._coding.given)
        if self._coding.pixels.startswith("yuv"):
            picture = picture.reformat(
                format=self._coding.pixels,
                dst_colorspace="ITU709",
                dst_color_range="MPEG",
                interpolation=ROUNDED,
            )
        else:
            picture = picture.reformat(format=self._coding.pixels)
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
