"""Video files as a source: every frame in batch use, or paced by their own clock for viewing."""

import time
from collections.abc import Generator, Iterator
from typing import Any

from realtime_bg.errors import SourceError
from realtime_bg.frames import Frame, Image
from realtime_bg.imaging.geometry import fit
from realtime_bg.media.av import Timeline, open_video
from realtime_bg.media.decoding import to_bgr
from realtime_bg.media.reading import pictures
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.base import Source

LATE = 0.1  # seconds of delay after which a paced clip skips pictures
TICK = 0.001  # seconds after the previous picture at which a picture with an earlier time is shown
SKIPS = 8  # successive pictures that are skipped before one is shown anyway


class VideoSource(Source):
    """A video file; ``target`` is its path. ``settings.loop`` restarts it at the end.
    ``settings.fps`` changes the rate by dropping or repeating pictures; the speed stays the
    same."""

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        super().__init__(target, settings, paced)
        container, stream = open_video(target)
        first = next(pictures(container, stream), None)
        rate, codec = stream.average_rate, stream.codec_context.name
        container.close()
        self._step = 1 / float(rate or 25)  # how long the last picture is shown, in seconds
        if first is None:
            raise SourceError(f"{target}: contains no readable picture; is the file complete?")
        image = to_bgr(first)
        self.size = settings.size or (image.shape[1], image.shape[0])
        self.fps = settings.fps or float(rate or 25)
        self.description = f"{target}: {self.size[0]}x{self.size[1]} at {self.fps:g} fps, {codec}"

    def __iter__(self) -> Generator[Frame, None, None]:
        start, skipped = time.monotonic(), 0
        for index, (picture, at, epoch) in enumerate(self._at_rate()):
            if self.closed.is_set():
                return
            moment = at
            if self.paced:
                moment = start + at
                behind = time.monotonic() - moment
                if behind > LATE:
                    skipped += 1
                    if skipped <= SKIPS:
                        continue
                    start += behind  # decoding is too slow, so the clip slows down
                    moment = time.monotonic()
                skipped = 0
                if self.closed.wait(max(0.0, -behind)):
                    return
            yield Frame(self._image(picture), index, moment, epoch)

    def _image(self, picture: Any) -> Image:
        image = to_bgr(picture)
        if self.settings.size is not None:
            image = fit(image, self.settings.size, "cover")
        return image

    def _at_rate(self) -> Iterator[tuple[Any, float, int]]:
        """Yield pictures with their times at the requested rate: the picture that is visible at
        each tick."""
        if self.settings.fps is None:
            yield from self._timed()
            return
        held: tuple[Any, float, int] | None = None
        tick, step = 0, 1 / self.settings.fps
        for picture, at, epoch in self._timed():
            while held is not None and tick * step < at - 1e-6:
                yield held[0], tick * step, held[2]
                tick += 1
            held = picture, at, epoch
        while held is not None and tick * step < held[1] + self._step - 1e-6:
            yield held[0], tick * step, held[2]
            tick += 1

    def _timed(self) -> Iterator[tuple[Any, float, int]]:
        """Yield pictures with strictly increasing times in seconds since the start, over all
        repetitions."""
        offset, epoch = 0.0, 0
        while not self.closed.is_set():
            container, stream = open_video(self.target)
            with container:
                line, first = Timeline(self._step, TICK, 1.0), None
                for picture in pictures(container, stream):
                    first = picture.time if first is None else first
                    at = None if picture.time is None else picture.time - first
                    yield picture, offset + line.place(at), epoch
            if not self.settings.loop:
                return
            offset += (line.last or 0.0) + self._step
            epoch += 1

    def close(self) -> None:
        self.closed.set()
