"""Clips and animated pictures as backgrounds, in an endless loop that never delays a frame."""

import logging
import threading
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from realtime_bg.backgrounds.base import Background
from realtime_bg.backgrounds.still import over_black
from realtime_bg.errors import BackgroundError, SourceError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.geometry import Fit, fit, scaled_size
from realtime_bg.imaging.orientation import is_turned, upright
from realtime_bg.media.av import open_video
from realtime_bg.media.decoding import has_alpha, orientation_of, to_bgr
from realtime_bg.media.pictures import HEAD, is_animated_webp
from realtime_bg.media.reading import pictures
from realtime_bg.settings import BackgroundSettings

log = logging.getLogger(__name__)

PREFETCH = 3  # pictures decoded in advance
LATE = 8  # successive late pictures that are skipped before one is shown anyway
PAUSE = 1.0  # seconds without a render after which the clip resumes where it was
ADVICE = "give a picture (JPEG, PNG, WebP) or a clip (MP4, WebM, GIF) that a player can open"
CLOSE = 1e-4  # seconds; timestamps are rounded to their time base
ENDLESS = float("inf")


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture in the decoder's native format; ``start`` and ``end`` are in seconds
    since the start of the clip and keep increasing from loop to loop."""

    start: float
    end: float
    native: Any  # av.VideoFrame, or an Image


def fitted(native: Any, size: Size, mode: Fit) -> Image:
    """A decoded picture, upright and fitted to ``size``: BGR ``uint8 (H, W, 3)``."""
    if isinstance(native, np.ndarray):
        return fit(native, size, mode)
    if has_alpha(native):
        full = upright(native.to_ndarray(format="bgra"), orientation_of(native))
        return fit(over_black(np.ascontiguousarray(full[..., :3]), full), size, mode)
    stored = (size[1], size[0]) if is_turned(orientation_of(native)) else size
    shape = scaled_size((native.width, native.height), stored, mode)
    if shape[0] * shape[1] > native.width * native.height:
        shape = (native.width, native.height)
    return fit(to_bgr(native, shape), size, mode)


def decode(path: Path) -> Iterator[Picture]:
    """Yield the pictures of a file once, from its start to its end or to the first damage.

    Raises BackgroundError if there is not a single picture.
    """
    yielded = False
    try:
        for picture in _animated_webp(path) if _is_webp(path) else _with_av(path):
            yielded = True
            yield picture
    except SourceError as error:
        raise BackgroundError(f"background {error}; {ADVICE}") from None
    except (av.FFmpegError, cv2.error, OSError) as error:
        if not yielded:
            reason = getattr(error, "strerror", None) or error
            raise _unreadable(path, str(reason)) from None
    if not yielded:
        raise _unreadable(path, "holds no picture")


def _unreadable(path: Path, reason: str) -> BackgroundError:
    return BackgroundError(f"background {str(path)!r}: {reason}; {ADVICE}")


def _is_webp(path: Path) -> bool:
    with path.open("rb") as file:
        return is_animated_webp(file.read(HEAD))


def _animated_webp(path: Path) -> Iterator[Picture]:
    """Read with OpenCV, because FFmpeg has only recently gained a decoder for animated WebP."""
    _ok, animation = cv2.imdecodeanimation(np.fromfile(path, np.uint8))
    start = 0.0
    for image, milliseconds in zip(animation.frames, animation.durations, strict=True):
        end = start + max(int(milliseconds), 10) / 1000
        colour = np.ascontiguousarray(image[..., :3])
        yield Picture(start, end, over_black(colour, image))
        start = end


def _with_av(path: Path) -> Iterator[Picture]:
    container, stream = open_video(str(path))
    with container:
        stream.codec_context.thread_count = 2  # leave the cores to the network
        usual = 1.0 / float(stream.average_rate or 25)
        first: float | None = None
        end = 0.0
        for frame in pictures(container, stream):
            stamp = frame.time
            if first is None:
                first = stamp or 0.0
            start = end if stamp is None else max(stamp - first, end - usual)
            length = float((frame.duration or 0) * (frame.time_base or 0)) or usual
            end = start + length
            yield Picture(start, end, frame)


def loop(path: Path) -> Generator[Picture, None, None]:
    """Repeat `decode` endlessly; the times of each pass continue those of the previous one.

    A file with a single picture yields it once, with an infinite duration.
    """
    offset = 0.0
    while True:
        held: Picture | None = None
        count = 0
        for picture in decode(path):
            if held is not None:
                # A picture lasts until the next one starts, regardless of its stated duration.
                yield Picture(held.start, picture.start + offset, held.native)
            held = Picture(picture.start + offset, picture.end + offset, picture.native)
            count += 1
        assert held is not None
        if count == 1:
            yield Picture(held.start, ENDLESS, held.native)
            return
        yield held
        offset = held.end


class VideoBackground(Background):
    """A looped clip whose clock starts with the first `render`.

    In live use, a thread decodes in advance and `render` takes the newest picture available. With
    ``wait``, every call gets exactly the picture due at its time. Going back in time is slow: the
    clip is restarted and decoded up to that time.
    """

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._path = Path(target)
        self._pictures = loop(self._path)
        self._current = next(self._pictures)
        self._image: Image | None = None
        self._origin: float | None = None
        self._last = 0.0
        self._size: Size = (1, 1)
        self._ahead: deque[tuple[Picture, Image]] = deque()
        self._change = threading.Condition()
        self._due = 0.0
        self._stopped = False
        self._thread: threading.Thread | None = None

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        if self._origin is None:
            self._origin = self._last = time
        if not self.wait and time - self._last > PAUSE:
            self._origin += time - self._last
        self._last = time
        if self.wait:
            self._seek(time - self._origin)
        else:
            self._take(size, time - self._origin)
        if self._image is None or self._image.shape[:2] != (size[1], size[0]):
            self._image = fitted(self._current.native, size, self.settings.fit)
        return self._image

    def close(self) -> None:
        with self._change:
            self._stopped = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(0.5)
        else:
            self._pictures.close()
        self._ahead.clear()

    def _seek(self, due: float) -> None:
        """Decode up to the picture that is due."""
        if self._stopped:
            return
        if due + CLOSE < self._current.start:
            self._pictures = loop(self._path)
            self._current, self._image = next(self._pictures), None
        while self._current.end <= due + CLOSE:
            self._current, self._image = next(self._pictures), None

    def _take(self, size: Size, due: float) -> None:
        """Make the newest decoded picture that is due the current one, without waiting."""
        with self._change:
            self._size, self._due = size, due
            while self._ahead and self._ahead[0][0].start <= due + CLOSE:
                self._current, self._image = self._ahead.popleft()
            self._change.notify_all()
        if self._thread is None and not self._stopped and self._current.end != ENDLESS:
            self._thread = threading.Thread(target=self._run, name="background-video", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        """Decode in advance of `render`, on a separate thread, until `close`."""
        skipped = 0
        try:
            for picture in self._pictures:
                if self._stopped:
                    return
                if picture.end <= self._due and skipped < LATE:
                    skipped += 1
                    continue
                skipped = 0
                item = picture, fitted(picture.native, self._size, self.settings.fit)
                with self._change:
                    self._change.wait_for(lambda: self._stopped or len(self._ahead) < PREFETCH)
                    if self._stopped:
                        return
                    self._ahead.append(item)
        except (BackgroundError, av.FFmpegError, cv2.error) as error:
            # The file has disappeared in the meantime
            log.warning("%s; its last picture stays", error)
        finally:
            self._pictures.close()
