"""Uncompressed pictures on standard output, for FFmpeg, mpv and other programs that read NUT, a
container that tells them the size, the rate and the times."""

import os
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import SinkError, reason
from realtime_bg.frames import Composite, Size
from realtime_bg.sinks.base import Sink
from realtime_bg.sinks.cutouts import layer_of
from realtime_bg.sinks.video import CLOCK
from realtime_bg.system import stdout

# What is written, by target: FFmpeg's pixel format, and the pixels of a composite in it
FORMS: dict[str, tuple[str, Callable[[Composite], NDArray[np.uint8]]]] = {
    "": ("bgr24", lambda composite: composite.image),
    "rgba": ("bgra", layer_of),
    "matte": ("gray", lambda composite: np.ascontiguousarray(layer_of(composite)[..., 3])),
}
CHOICES = "choose pipe (the finished picture), pipe:rgba or pipe:matte"


class PipeSink(Sink):
    """``target``: empty for the finished picture, ``rgba`` or ``matte``."""

    takes_target = True

    @classmethod
    def wants_person(cls, target: str) -> bool:
        return target in ("rgba", "matte")

    def __init__(self, target: str, size: Size, fps: float) -> None:
        super().__init__(target, size, fps)
        if problem := pipe_problem(target):
            raise SinkError(problem)
        pixels, self._pixels = FORMS[target]
        self._name = f"pipe:{target}" if target else "pipe"
        self._start: float | None = None
        self._last = -1
        self._handle: int | None = stdout.handle()
        # A reader waits for whole pictures, so none may stay in a buffer.
        options = {"flush_packets": "1"}
        self._container = av.open(f"pipe:{self._handle}", "w", format="nut", options=options)
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = self._container.add_stream("rawvideo", rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = stream.time_base = Fraction(1, CLOCK)
        self._stream, self._format = stream, pixels

    def send(self, composite: Composite) -> None:
        picture = av.VideoFrame.from_ndarray(self._pixels(composite), format=self._format)
        self._start = composite.time if self._start is None else self._start
        self._last = max(self._last + 1, round((composite.time - self._start) * CLOCK))
        picture.pts, picture.time_base = self._last, Fraction(1, CLOCK)
        try:
            self._container.mux(self._stream.encode(picture))
        except BrokenPipeError:
            raise SinkError(f"output {self._name}: the program that reads it has ended") from None
        except (OSError, av.FFmpegError) as error:
            raise SinkError(f"output {self._name}: writing failed ({reason(error)})") from None

    def close(self, complete: bool = True) -> None:
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        with suppress(OSError, av.FFmpegError):  # the reader may be gone
            if self._start is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        with suppress(OSError):
            os.close(handle)


def pipe_problem(target: str) -> str:
    """Why ``pipe:TARGET`` cannot be opened, or an empty string."""
    name = f"output pipe:{target}" if target else "output pipe"
    if target not in FORMS:
        return f"{name}: there is no such form of a picture; {CHOICES}"
    copy = stdout.handle()
    try:
        on_terminal = os.isatty(copy)
    finally:
        os.close(copy)
    if on_terminal:
        return f"{name}: standard output is a terminal; add a program that reads it: | ffplay -"
    return ""
