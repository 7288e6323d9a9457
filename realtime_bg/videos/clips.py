"""Reads video files for conversion: streams, timestamps and seeking."""

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av

from realtime_bg.errors import SourceError
from realtime_bg.frames import Size
from realtime_bg.media.av import in_order, open_video, pictures
from realtime_bg.media.decoding import HD_HEIGHT, UNSPECIFIED, to_bgr

RGB, BT709, SMPTE170M = 0, 1, 6  # matrix coefficients (H.273)
STUDIO, FULL = 1, 2  # AVColorRange


@dataclass(frozen=True, slots=True)
class Colour:
    """The colour encoding as in H.273: ``full`` or studio range, ``matrix``, ``primaries`` and
    ``transfer`` (2: not specified in the file)."""

    full: bool
    matrix: int
    primaries: int
    transfer: int


class Shot(NamedTuple):
    """A decoded frame and its time in ticks of the clip's ``time_base``."""

    pts: int
    picture: Any


class Clip:
    """A video file. ``time_base``: seconds per tick. ``rate``: average frames per second. ``step``:
    average ticks per frame. ``origin``: the tick of time 0. ``size``: (width, height) upright.
    ``aspect``: a pixel's width divided by its height. ``frames``: their number according to the
    file, or an estimate, or None. ``length``: seconds from its start to the end of the video
    according to the file (0: unknown). ``sound``: the codecs of its audio tracks."""

    def __init__(self, path: Path, pixels: int | None = None) -> None:
        """``pixels``: see `open_video`. Raises SourceError."""
        self.path = path
        container, stream = open_video(str(path), pixels)
        with container:
            first = next(pictures(container, stream), None)
            if first is None:
                raise SourceError(f"{path}: contains no readable frames; is the file complete?")
            self.time_base = Fraction(stream.time_base)
            self.rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
            self.step = max(1, round(1 / (self.rate * self.time_base)))
            start = Fraction(container.start_time or 0, av.time_base)
            self.origin = round(start / self.time_base)
            length = Fraction(container.duration or 0, av.time_base)
            self.length = float(length)
            if stream.duration is not None:
                last = (stream.start_time or 0) + stream.duration
                self.length = float((last - self.origin) * self.time_base)
            self.frames = stream.frames or round(length * self.rate) or None
            self.sound = tuple(
                track.codec_context.name
                for track in container.streams.audio
                if track.codec_context is not None
            )
            self._first = first.pts
            self.colour = _colour(first)
            aspect = Fraction(stream.sample_aspect_ratio or 1)
        height, width = to_bgr(first).shape[:2]
        self.size: Size = width, height
        self.aspect = 1 / aspect if round(first.rotation / 90) % 2 else aspect

    def ticks(self, seconds: float) -> int:
        """Convert seconds from the start of the clip to a tick."""
        return self.origin + round(Fraction(seconds).limit_denominator(1_000_000) / self.time_base)

    def seconds(self, pts: int) -> float:
        """Convert a tick to seconds from the start of the clip."""
        return float((pts - self.origin) * self.time_base)

    def shots(self, start: int | None = None) -> Generator[Shot, None, None]:
        """Yield all frames from the tick ``start`` on, in order, with strictly increasing times."""
        seek = start is not None and self._first is not None and start > self._first
        if seek:
            found = False
            for shot in self._decoded(start):
                if not found and shot.pts > start:  # type: ignore[operator]
                    break  # the file's index is wrong: the frame lies before this one
                found = True
                if shot.pts >= start:  # type: ignore[operator]
                    yield shot
            else:
                if found:
                    return
        for shot in self._decoded(None):
            if start is None or shot.pts >= start:
                yield shot

    def _decoded(self, seek: int | None) -> Generator[Shot, None, None]:
        container, stream = open_video(str(self.path))
        with container:
            if seek is not None:
                try:
                    container.seek(seek, stream=stream)
                except (av.FFmpegError, OSError):
                    return  # not seekable
            last: int | None = None
            second = round(1 / self.time_base)
            for picture in pictures(container, stream):
                pts: int | None = picture.pts
                if last is None:
                    last = self.origin if pts is None else pts
                else:
                    last = in_order(pts, last, self.step, 1, second)
                yield Shot(last, picture)


def _colour(picture: Any) -> Colour:
    matrix = int(picture.colorspace)
    if matrix in (UNSPECIFIED, RGB):  # stored as `to_bgr` interprets it
        matrix = BT709 if matrix == RGB or picture.height >= HD_HEIGHT else SMPTE170M
    full = int(picture.color_range) == FULL or picture.format.name.startswith("yuvj")
    is_rgb = picture.format.is_rgb
    return Colour(full and not is_rgb, matrix, int(picture.color_primaries), int(picture.color_trc))


class Span:
    """A time span in ticks of ``clip``. ``end``: None for the clip's end. ``cut``: whether a start
    was given."""

    def __init__(self, clip: Clip, start: float | None, end: float | None) -> None:
        self.clip, self.cut = clip, start is not None
        self.start = clip.ticks(start or 0)
        self.end = None if end is None else clip.ticks(end)
