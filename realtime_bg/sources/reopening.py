"""The base of cameras and streams: waits for a device that has disappeared and reconnects to it."""

import logging
import threading
import time
from abc import abstractmethod
from collections.abc import Generator

from realtime_bg.errors import SourceError
from realtime_bg.frames import Frame, Image
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.base import Source
from realtime_bg.system.backoff import Backoff

log = logging.getLogger(__name__)

PAUSES = (0.25, 0.5, 1.0, 2.0)  # seconds between attempts


class ReopeningSource(Source):
    """A live source whose subclasses implement three steps: connect, read, disconnect."""

    live = True

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        super().__init__(target, settings, paced)
        self._using = threading.Lock()  # held while the device is being read or opened
        self._connect()

    @abstractmethod
    def _connect(self) -> None:
        """Open the device and set size, fps and description. Raises SourceError."""

    @abstractmethod
    def _read(self) -> Image | None:
        """Wait for the next picture and return it; None if the device is gone."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Release the device. Idempotent."""

    def __iter__(self) -> Generator[Frame, None, None]:
        index = epoch = 0
        backoff = Backoff(*PAUSES)
        try:
            while not self.closed.is_set():
                self.tried = time.monotonic()
                with self._using:
                    image = None if self.closed.is_set() else self._read()
                if image is not None:
                    if backoff.failures:
                        log.warning("%s is back: %s", self.spec, self.description)
                    backoff.succeeded()
                    self.waiting = False
                    yield Frame(image, index, time.monotonic(), epoch)
                    index += 1
                elif not self.closed.is_set():
                    if not backoff.failures:
                        epoch += 1
                        log.warning(
                            "%s no longer sends pictures; waiting for it to come back",
                            self.spec,
                        )
                    self.waiting, self.tried = True, time.monotonic()
                    self._reconnect(backoff.failed())
        finally:
            with self._using:
                self._disconnect()

    def _reconnect(self, pause: float) -> None:
        """Try to reconnect once, after ``pause`` seconds. The next read shows whether that
        worked."""
        with self._using:
            self._disconnect()
        if self.closed.wait(pause):
            return
        self.tried = time.monotonic()
        try:
            with self._using:
                self._connect()
        except SourceError as error:
            log.debug("%s", error)

    def close(self) -> None:
        self.closed.set()
        # If another thread is inside a read, the iterator releases the device afterwards.
        if self._using.acquire(blocking=False):
            try:
                self._disconnect()
            finally:
                self._using.release()
