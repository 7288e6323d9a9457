"""Reads video files for conversion: streams, timestamps and seeking."""

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.format import Flags

from realtime_bg.errors import SourceError
from realtime_bg.frames import Size
from realtime_bg.imaging.geometry import fit
from realtime_bg.imaging.orientation import is_turned
from realtime_bg.media.av import Timeline, open_video
from realtime_bg.media.decoding import (
    HD_HEIGHT,
    UNSPECIFIED,
    Pixels,
    orientation_of,
    picture_grade,
    to_pixels,
)
from realtime_bg.media.reading import Notes, pictures

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


SDR = Colour(full=False, matrix=BT709, primaries=BT709, transfer=BT709)


class Shot(NamedTuple):
    """A decoded frame and its time in ticks of the clip's ``time_base``."""

    pts: int
    picture: Any


class Clip:
    """A video file. ``time_base``: seconds per tick. ``rate``: average frames per second. ``step``:
    average ticks per frame. ``origin``: the tick of time 0. ``size``: (width, height) upright.
    ``aspect``: a pixel's width divided by its height. ``frames``: their number according to the
    file, or an estimate, or None. ``length``: seconds from its start to the end of the video
    according to the file (0: unknown).
    ``grade``: the colours of HDR and wide-gamut video, or None; ``was_converted``: whether they
    are converted to BT.709. ``offsets``: see `Timeline`, as far as the clip was read. ``seekable``:
    whether its times never step back, so that a frame can be sought. ``stream``: the index of the
    video stream. ``notes``: what was noticed while reading its first frame."""

    def __init__(
        self, path: Path, pixels: int | None = None, *, sdr: bool = False, square: bool = False
    ) -> None:
        """``pixels``: see `open_video`. ``sdr``: convert HDR and wide gamut to BT.709. ``square``:
        enlarge frames whose pixels are not square until they are. Raises SourceError."""
        self.path, self.notes = path, Notes()
        container, stream = open_video(str(path), pixels)
        with container:
            first = next(pictures(container, stream, self.notes), None)
            if first is None:
                raise SourceError(f"{path}: contains no readable frames; is the file complete?")
            self.stream: int = stream.index
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
            # Where times may step back, a seek may end in the wrong place.
            self.seekable = not container.format.flags & Flags.ts_discont.value
            aspect = Fraction(stream.sample_aspect_ratio or 1)
        self.offsets: list[int] = [0]
        self._first = first.pts
        grade = picture_grade(first)
        self.was_converted = sdr and grade is not None
        self.grade = None if sdr else grade
        self.colour = SDR if self.was_converted else _colour(first)
        stored = first.width, first.height
        self._stored, self._scaled = stored, stored
        if square:
            width, height = stored
            self._scaled = round(width * max(1, aspect)), round(height / min(1, aspect))
            aspect = Fraction(1)
        turned = is_turned(orientation_of(first))
        self.size: Size = self._scaled[::-1] if turned else self._scaled
        self.aspect = 1 / aspect if turned else aspect

    def pixels(self, shot: Shot) -> Pixels:
        """The pixels of a frame at the clip's size; those in its own colours only if the clip has a
        ``grade``."""
        image, alpha, deep = to_pixels(shot.picture, self._scale(shot))
        return Pixels(
            fit(image, self.size, "contain"),
            None if alpha is None else fit(alpha, self.size, "contain"),
            None if deep is None or self.grade is None else fit(deep, self.size, "contain"),
        )

    def _scale(self, shot: Shot) -> Size | None:
        is_usual = (shot.picture.width, shot.picture.height) == self._stored
        return self._scaled if is_usual and self._scaled != self._stored else None

    def ticks(self, seconds: float) -> int:
        """Convert seconds from the start of the clip to a tick."""
        return self.origin + round(Fraction(seconds).limit_denominator(1_000_000) / self.time_base)

    def seconds(self, pts: int) -> float:
        """Convert a tick to seconds from the start of the clip."""
        return float((pts - self.origin) * self.time_base)

    def shots(
        self, start: int | None = None, notes: Notes | None = None
    ) -> Generator[Shot, None, None]:
        """Yield all frames from the tick ``start`` on, in order, with strictly increasing times.
        ``notes``: takes down what is noticed."""
        if start is not None and self.seekable and self._first is not None and start > self._first:
            found = yielded = False
            for shot in self._decoded(start, notes):
                if not found and shot.pts > start:
                    break  # the file's index is wrong: the frame lies before this one
                found = True
                if shot.pts >= start:
                    yielded = True
                    yield shot
            if yielded:
                return
        for shot in self._decoded(None, notes):
            if start is None or shot.pts >= start:
                yield shot

    def _decoded(self, seek: int | None, notes: Notes | None) -> Generator[Shot, None, None]:
        container, stream = open_video(str(self.path))
        with container:
            if seek is not None:
                try:
                    container.seek(seek, stream=stream)
                except (av.FFmpegError, OSError):
                    return  # not seekable
            line = Timeline(self.step, 1, round(1 / self.time_base))
            for picture in pictures(container, stream, notes):
                at = line.place(picture.pts, self.origin)
                if len(line.offsets) > len(self.offsets):
                    self.offsets = line.offsets
                yield Shot(at, picture)


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
