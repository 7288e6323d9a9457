"""What cameras and streams share: a device that may vanish, and is waited for without spinning."""

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator

from realtime_bg.errors import SourceError
from realtime_bg.frames import Frame, Image
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.base import Source

log = logging.getLogger(__name__)

PAUSES = (0.25, 0.5, 1.0, 2.0)  # seconds between attempts; the last one repeats


class ReopeningSource(Source):
    """A live source in three steps that a subclass fills in: connect, read, disconnect."""

    live = True

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        super().__init__(target, settings, paced)
        self._closed = threading.Event()
        self._reading = False
        self._connect()

    @abstractmethod
    def _connect(self) -> None:
        """Open the device and set size, fps and description. Raises SourceError."""

    @abstractmethod
    def _read(self) -> Image | None:
        """The next picture, waiting for it; None when the device is gone."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Release the device. Idempotent."""

    def __iter__(self) -> Iterator[Frame]:
        index = epoch = 0
        self._reading = True
        try:
            while not self._closed.is_set():
                image = self._read()
                if image is not None:
                    yield Frame(image, index, time.monotonic(), epoch)
                    index += 1
                elif not self._closed.is_set():
                    epoch += 1
                    self._wait_until_back()
        finally:
            self._disconnect()

    def _wait_until_back(self) -> None:
        log.warning("%s sends no pictures any more; waiting for it to come back",
                    self.settings.spec)  # fmt: skip
        self._disconnect()
        attempt = 0
        while not self._closed.wait(PAUSES[min(attempt, len(PAUSES) - 1)]):
            attempt += 1
            try:
                self._connect()
            except SourceError as error:
                log.debug("%s", error)
            else:
                log.warning("%s is back: %s", self.settings.spec, self.description)
                return

    def close(self) -> None:
        self._closed.set()
        if not self._reading:  # else the iterator does it: another thread may be inside a read
            self._disconnect()
