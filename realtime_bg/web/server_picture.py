"""The live picture of `realtime-bg serve`: starts and stops the pipeline that feeds the page."""

import logging
import threading
from http import HTTPStatus
from typing import Any

from realtime_bg.errors import RealtimeBgError
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.live.report import reported
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, SourceSettings
from realtime_bg.settings.live import Live
from realtime_bg.sinks.web import Channel
from realtime_bg.sources import open_source
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats
from realtime_bg.web.answers import Refusal

log = logging.getLogger(__name__)

STOP_SECONDS = 3.0


class ServerPicture:
    """Runs at most one pipeline; `live` survives it."""

    def __init__(self, settings: Settings) -> None:
        self.channel = Channel()
        self.live, self.stats = Live(settings.at_quality("fast")), Stats()
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None
        self._thread: threading.Thread | None = None
        self.starts = 0
        self.problem = ""  # why the last pipeline ended unexpectedly

    @property
    def running(self) -> bool:
        """Whether the camera is, or is about to be, in use."""
        thread = self._thread  # `stop` may clear it in the meantime
        return thread is not None and thread.is_alive()

    @property
    def has_viewers(self) -> bool:
        """True while a browser shows the picture; nothing else uses this pipeline."""
        return self.running

    def start(self) -> None:
        """Open the source and run. Raises Refusal if that is not possible."""
        with self._lock:
            if self.running:
                return
            self.problem, self.stats = "", Stats()
            if self.live.now.paused or self.live.now.frozen:
                self.live.update(paused=False, frozen=False)
            try:
                source = self._open(self.live.now.source)
                processor = self._processor(source)
            except RealtimeBgError as error:
                self.problem = str(error)
                raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
            self._pipeline = Pipeline(
                self.live,
                self.stats,
                processor,
                source,
                self._open,
                keep=True,
                extra_sinks={"page": self.channel.sink},
            )
            self._thread = threading.Thread(
                target=self._run, args=(self._pipeline,), daemon=True, name="live"
            )
            self._thread.start()
            self.starts += 1

    def _processor(self, source: Source) -> Processor:
        try:
            return Processor(self.live, self.stats, wait=False)
        except RealtimeBgError:
            source.close()
            raise

    @staticmethod
    def _open(settings: SourceSettings) -> Source:
        return open_source(settings, paced=True)

    def _run(self, pipeline: Pipeline) -> None:
        try:
            pipeline.run()
        except RealtimeBgError as error:
            self.problem = str(error)
            log.error("%s", error)
        except Exception as error:
            self.problem = f"{type(error).__name__}: {error}"
            log.exception("the live picture ended")
        finally:
            self.channel.put(None)

    def stop(self) -> None:
        """Release the camera and wait until it is released."""
        with self._lock:
            if self._pipeline is not None and self._thread is not None:
                self._pipeline.stop()
                self._thread.join(STOP_SECONDS)
                self._pipeline = self._thread = None
                self.live.update(output__record=False)  # or the next start would record again

    def close(self) -> None:
        """Stop and release everything."""
        self.stop()

    def report(self) -> dict[str, Any]:
        """The statistics that the page shows: rates, and the median milliseconds of each stage."""
        return reported(self.live, self.stats, self.running, self.problem)
