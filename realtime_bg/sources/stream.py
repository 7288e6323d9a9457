"""A network stream (RTSP, HTTP, UDP ...): a camera at the end of a URL."""

from collections.abc import Iterator
from typing import Any

from realtime_bg.decoding import to_bgr
from realtime_bg.frames import Image
from realtime_bg.geometry import fit
from realtime_bg.sources._av import open_video, pictures
from realtime_bg.sources.reopening import ReopeningSource

TIMEOUTS = (5.0, 1.5)  # seconds to connect, and to wait for data
OPTIONS = {"rtsp_transport": "tcp", "fflags": "nobuffer"}


class StreamSource(ReopeningSource):
    """``target``: the URL. A stream that ends or stalls is connected to again."""

    def _connect(self) -> None:
        self._container, stream = open_video(self.target, timeout=TIMEOUTS, options=OPTIONS)
        self._pictures: Iterator[Any] = pictures(self._container, stream)
        width, height = stream.codec_context.width, stream.codec_context.height
        self.size = self.settings.size or (width, height)
        self.fps = self.settings.fps or float(stream.average_rate or 25)
        self.description = (
            f"{self.target}: {self.size[0]}x{self.size[1]}, {stream.codec_context.name}"
        )

    def _read(self) -> Image | None:
        picture = next(self._pictures, None)
        return None if picture is None else fit(to_bgr(picture), self.size, "cover")

    def _disconnect(self) -> None:
        self._container.close()
