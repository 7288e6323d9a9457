"""Network streams (RTSP, HTTP, UDP ...) as a source."""

from collections.abc import Iterator
from typing import Any

from realtime_bg.errors import SourceError
from realtime_bg.frames import Image
from realtime_bg.imaging.geometry import fit
from realtime_bg.media.av import open_video
from realtime_bg.media.decoding import to_bgr
from realtime_bg.media.reading import pictures
from realtime_bg.sources.reopening import ReopeningSource
from realtime_bg.system.urls import without_password

TIMEOUTS = (1.8, 1.5)  # seconds to connect, and to wait for data; stopping may take as long
OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "500000"}


class StreamSource(ReopeningSource):
    """A stream; ``target`` is its URL. If it ends or stalls, it is reconnected."""

    def _connect(self) -> None:
        self._container, stream = open_video(self.target, timeout=TIMEOUTS, options=OPTIONS)
        stream.thread_type = "SLICE"  # threading by frames would add latency
        self._pictures: Iterator[Any] = pictures(self._container, stream)
        self._first = next(self._pictures, None)
        if self._first is None:
            self._container.close()
            raise SourceError(f"{without_password(self.target)}: sends no pictures")
        # After turning it upright, which the stream's own size ignores
        height, width = to_bgr(self._first).shape[:2]
        self.size = self.settings.size or (width, height)
        self.fps = self.settings.fps or float(stream.average_rate or 25)
        kind = f"{self.size[0]}x{self.size[1]}, {stream.codec_context.name}"
        self.description = f"{without_password(self.target)}: {kind}"

    def _read(self) -> Image | None:
        picture, self._first = self._first or next(self._pictures, None), None
        return None if picture is None else fit(to_bgr(picture), self.size, "cover")

    def _disconnect(self) -> None:
        self._container.close()
