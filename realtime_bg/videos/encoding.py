"""Encodes the frames of a clip, or of a segment of it, in parts."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from itertools import islice, takewhile
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from realtime_bg.errors import SourceError
from realtime_bg.media.reading import Notes
from realtime_bg.processing.processor import Processor
from realtime_bg.sinks.coding import Coding
from realtime_bg.videos.clips import Shot, Span
from realtime_bg.videos.codings import PartWriter
from realtime_bg.videos.parts import Parts
from realtime_bg.videos.pixels import PixelMaker
from realtime_bg.videos.resuming import resume

PART = 250  # frames; a stopped run loses fewer than these

Progress: TypeAlias = Callable[[int, int | None, float], None]
"""Called for every frame with the number of frames done, their total (an estimate, or None) and the
frames per second."""


class Lead(NamedTuple):
    """The warm-up of a recurrent engine before a part: up to ``frames`` frames, which are searched
    in the ``seconds`` before it."""

    frames: int
    seconds: float


RESUMING = Lead(8, 1.0)


class Encoding:
    """Encodes the frames of one run into parts. ``notes``: what was noticed in the source."""

    def __init__(
        self,
        processor: Processor,
        maker: PixelMaker,
        span: Span,
        tracks: dict[str, Coding],
        parts: Parts,
        target: Path,
    ) -> None:
        """``tracks``: see `codings`. ``target``: the result, which errors name."""
        self._processor, self._maker = processor, maker
        self._span, self._clip = span, span.clip
        self._parts, self._target = parts, target
        self._codings = tracks
        self.notes = Notes()

    def encode(
        self, current_job: dict[str, Any], progress: Progress, stop: threading.Event
    ) -> bool:
        """Encode the remaining frames of ``current_job``; return False if ``stop`` came first.
        Raises RealtimeBgError."""
        first = self._begin()
        at = resume(self._parts, current_job, self._processor)
        self._warm_up(first if at is None else at, RESUMING)
        done = sum(len(part.pts) for part in self._parts.done)
        return self._encode(first if at is None else at, self._span.end, done, progress, stop)

    def encode_segment(
        self,
        start: int | None,
        end: int | None,
        lead: Lead,
        progress: Progress,
        stop: threading.Event,
    ) -> bool:
        """Encode the frames from the tick ``start`` until before the tick ``end``, after a warm-up;
        None means the start or end of the span. Return False if ``stop`` came first. Raises
        RealtimeBgError."""
        first = self._begin()
        # The first segment begins as the whole clip does.
        self._warm_up(first if start is None else start, RESUMING if start is None else lead)
        end = self._span.end if end is None else end
        return self._encode(first if start is None else start, end, 0, progress, stop)

    def _begin(self) -> int:
        """Process the first frame, which starts the background's clock, and selects the engine,
        which may fall back to another; return its tick."""
        span = self._span
        first = next(self._clip.shots(span.start if span.cut else None), None)
        if first is None or (span.end is not None and first.pts >= span.end):
            raise SourceError(
                f"{self._clip.path}: no frames in this time span; is the video that long?"
            )
        self._processor.process(self._maker.picture(first, 0, epoch=0).frame)
        return first.pts

    def _warm_up(self, at: int, lead: Lead) -> None:
        """Process a few frames before the tick ``at``; if the clip starts there, the frames from
        there on in reverse, so that the last one processed is adjacent."""
        before: deque[Shot] = deque(maxlen=lead.frames)
        earlier = at - round(lead.seconds / self._clip.time_base)
        with closing(self._clip.shots(earlier)) as shots:
            for shot in shots:
                if shot.pts < at:
                    before.append(shot)
                    continue
                if not before:
                    before.extend([shot, *islice(shots, lead.frames - 1)][::-1])
                break
        for index, shot in enumerate(before):
            self._maker.warm_up(self._maker.picture(shot, index, epoch=1))

    def _encode(
        self, at: int, end: int | None, done: int, progress: Progress, stop: threading.Event
    ) -> bool:
        stats, total = self._processor.stats, self._total(at, end, done)
        progress(done, total, 0.0)

        def advance() -> None:
            stats.tick()
            progress(done + len(pts), total, stats.fps)

        with closing(self._within(at, end)) as shots:
            while True:
                pts: list[int] = []
                last = self._part(islice(_until(shots, stop), PART), pts, advance)
                if pts:
                    self._parts.seal(pts, last)
                done += len(pts)
                if len(pts) < PART:
                    return not stop.is_set()

    def _part(self, shots: Iterator[Shot], pts: list[int], advance: Callable[[], None]) -> int:
        """Encode one part, adding to ``pts``; return the tick at which its last frame ends."""
        stats, end = self._processor.stats, 0
        files = self._parts.files(len(self._parts.done))
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(PartWriter(files[name], coding, self._clip, self._target))
                for name, coding in self._codings.items()
            }
            while True:
                with stats.stage("capture"):
                    shot = next(shots, None)
                if shot is None:
                    break
                pixels = self._maker.pixels(self._maker.picture(shot, len(pts), epoch=1))
                with stats.stage("hand-over"):
                    for name, writer in writers.items():
                        writer.add(pixels[name], shot.pts)
                pts.append(shot.pts)
                end = shot.pts + (shot.picture.duration or self._clip.step)
                advance()
            for writer in writers.values() if pts else ():
                writer.finish()
        return end

    def _within(self, at: int, end: int | None) -> Generator[Shot, None, None]:
        with closing(self._clip.shots(at, self.notes)) as shots:
            for shot in shots:
                if end is not None and shot.pts >= end:
                    return
                yield shot

    def _total(self, at: int, end: int | None, done: int) -> int | None:
        clip = self._clip
        if end is not None:
            return done + round((end - at) * clip.time_base * clip.rate)
        if clip.frames is None:
            return None
        return max(1, done + clip.frames - round((at - clip.origin) * clip.time_base * clip.rate))


def _until(shots: Iterator[Shot], stop: threading.Event) -> Iterator[Shot]:
    return takewhile(lambda _: not stop.is_set(), shots)
