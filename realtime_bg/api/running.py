"""`open`: a live pipeline in the background of the caller's program."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Self, TypeAlias

from realtime_bg.api.arguments import as_keys, as_settings
from realtime_bg.errors import RealtimeBgError, SettingsError
from realtime_bg.frames import Composite, Image, Size
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.live.report import reported
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, SourceSettings
from realtime_bg.settings.live import Live
from realtime_bg.sinks.base import Sink
from realtime_bg.sources import open_source
from realtime_bg.sources.base import Source
from realtime_bg.stats import Stats
from realtime_bg.steering.changes import apply
from realtime_bg.steering.checks import prepare

Output: TypeAlias = str | Callable[[Image], None]
"""An output as on the command line, or a function that is called with every composite, BGR ``uint8
(H, W, 3)``, on its own thread."""

STOP_SECONDS = 5.0


class _Caller(Sink):
    """Passes composites to a function."""

    live = True

    def __init__(self, function: Callable[[Image], None], size: Size, fps: float) -> None:
        super().__init__("", size, fps)
        self.description, self._function = "a function", function

    def send(self, composite: Composite) -> None:
        self._function(composite.image)

    def close(self, complete: bool = True) -> None:
        pass


def _opener(function: Callable[[Image], None]) -> Callable[[Size, float], Sink]:
    return lambda size, fps: _Caller(function, size, fps)


class Running:
    """A pipeline that runs until `stop`; as a context manager, it stops at the end of the block."""

    def __init__(self, settings: Settings, functions: Sequence[Callable[[Image], None]]) -> None:
        """See `open`, which creates it."""
        self._live, self._stats = Live(settings), Stats()
        source = open_source(settings.source, paced=True)
        try:
            processor = Processor(self._live, self._stats, wait=False)
        except RealtimeBgError:
            source.close()
            raise
        extra = {f"function {number}": _opener(one) for number, one in enumerate(functions, 1)}
        self._pipeline = Pipeline(
            self._live, self._stats, processor, source, _reopened, extra_sinks=extra
        )
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="realtime-bg", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._pipeline.run()
        except Exception as error:
            self._error = error

    @property
    def running(self) -> bool:
        """Whether the pipeline is still running."""
        return self._thread.is_alive()

    @property
    def settings(self) -> dict[str, Any]:
        """All current settings, as in config.yaml."""
        return self._live.now.model_dump(mode="json")

    @property
    def stats(self) -> dict[str, Any]:
        """The state, the engine, the rates and the time of each stage; see docs/api.md."""
        problem = str(self._error) if self._error is not None else ""
        return reported(self._live, self._stats, self.running, problem)

    def set(self, **changes: Any) -> None:
        """Change settings while it runs, named as in `open`. If it raises SettingsError, nothing
        has changed."""
        apply(self._live, lambda _: as_keys(changes))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the source has ended, at most ``timeout`` seconds. Return whether it has
        ended. Raises the error with which it ended."""
        self._thread.join(timeout)
        if self._error is not None:
            raise self._error
        return not self.running

    def stop(self) -> None:
        """Stop the pipeline: files are finished and the camera is released. Idempotent. Raises the
        error with which the pipeline ended by itself, if any."""
        self._pipeline.stop()
        self.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _reopened(settings: SourceSettings) -> Source:
    return open_source(settings, paced=True)


def open(
    source: str = "camera",
    background: str = "blur",
    outputs: Sequence[Output] = ("virtualcam",),
    **settings: Any,
) -> Running:
    """Run the live pipeline in the background: camera in, composites out.

    ``source`` and ``background`` as on the command line. ``outputs``: ``"virtualcam"``, video
    files, ``"null"``, or functions; the preview window needs the main thread and is not among them.
    ``settings``: see `api.arguments.as_settings`. Raises RealtimeBgError for settings that cannot
    work.
    """
    functions = [one for one in outputs if callable(one)]
    sinks = tuple(one for one in outputs if not callable(one))
    if "window" in sinks:
        raise SettingsError("outputs: a window needs the main thread; give a function instead")
    given = {"source": source, "background": background, "output__sinks": sinks, **settings}
    return Running(prepare(as_settings(given), "program"), functions)
