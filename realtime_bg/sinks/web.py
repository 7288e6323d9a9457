"""The live picture for browsers: encodes each composite once, and only while there are viewers."""

import threading
import time

import cv2

from realtime_bg.frames import Composite, Size
from realtime_bg.sinks.base import Sink

QUALITY = 85
LOOKING = 2.0  # seconds after its last request for which a viewer counts as present


class Channel:
    """Holds the newest composite, for any number of viewers on other threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._newest: Composite | None = None
        self._count = 0
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._asked = float("-inf")

    @property
    def has_viewers(self) -> bool:
        """Whether a viewer has recently requested a picture."""
        return time.monotonic() - self._asked < LOOKING

    @property
    def newest(self) -> Composite | None:
        """The last composite; None before the first one and after the end."""
        return self._newest

    def sink(self, size: Size, fps: float) -> "WebSink":
        """A sink that feeds this channel, in the form of `OpenSink`."""
        return WebSink(self, size, fps)

    def put(self, composite: Composite | None) -> None:
        """Set the next picture; None means that there will be no more."""
        with self._changed:
            self._newest = composite
            self._count += 1
            self._changed.notify_all()

    def jpeg(self, after: int, timeout: float) -> tuple[int, bytes] | None:
        """The first picture after number ``after``, as (number, JPEG). None if there is none within
        ``timeout`` seconds."""
        self._asked = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self._count > after and self._newest, timeout)
            composite, count = self._newest, self._count
        if composite is None or count <= after:
            return None
        with self._encoding:
            if self._jpeg[0] != count:
                options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
                self._jpeg = count, cv2.imencode(".jpg", composite.image, options)[1].tobytes()
            return self._jpeg


class WebSink(Sink):
    """Passes composites to a `Channel`; the server of the channel gives it to the pipeline."""

    description = "the web page"

    def __init__(self, channel: Channel, size: Size, fps: float) -> None:
        super().__init__("", size, fps)
        self._channel = channel

    def send(self, composite: Composite) -> None:
        self._channel.put(composite)

    def has_viewers(self) -> bool | None:
        return self._channel.has_viewers

    def close(self, complete: bool = True) -> None:
        self._channel.put(None)
