"""`realtime-bg run`: decides between a live run on threads and a run from file to file, and starts
it."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from realtime_bg.app import files as batch
from realtime_bg.errors import SettingsError, SourceError
from realtime_bg.frames import Frame
from realtime_bg.live.demand import Demand
from realtime_bg.live.pipeline import Pipeline
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, SourceSettings, load
from realtime_bg.settings.live import Live
from realtime_bg.sinks import is_pipe
from realtime_bg.sinks.window import WindowSink
from realtime_bg.sources import open_source
from realtime_bg.sources.base import Source
from realtime_bg.sources.image import ImageSource
from realtime_bg.stats import Stats
from realtime_bg.steering.checks import prepare, runs_live, with_virtual_camera
from realtime_bg.steering.config_file import ConfigFile, in_use
from realtime_bg.steering.hotkeys import HotKeys
from realtime_bg.system.console import err, say, show_openings
from realtime_bg.system.signals import stop_signals
from realtime_bg.system.stdout import reserved
from realtime_bg.system.watching import FileWatch

log = logging.getLogger(__name__)

STATS_PERIOD = 1.0


def run(
    settings: Settings,
    duration: float | None,
    show_stats: bool,
    config: Path | None = None,
    flags: dict[str, Any] | None = None,
) -> None:
    """Run until the source ends, ``duration`` seconds have passed or the user stops it.

    ``config``: the file whose edits a live run applies. ``flags``: the flags of the command line,
    see `load`. Raises RealtimeBgError for anything the user can fix.
    """
    settings = prepare(settings, "run")
    with reserved() if any(map(is_pipe, settings.output.sinks)) else nullcontext():
        _run(settings, duration, show_stats, config, flags)


def _run(
    settings: Settings,
    duration: float | None,
    show_stats: bool,
    config: Path | None,
    flags: dict[str, Any] | None,
) -> None:
    is_live = runs_live(settings)
    live, stats = Live(settings), Stats()
    source = open_source(settings.source, paced=is_live)
    try:
        endless = settings.source.loop or isinstance(source, ImageSource)
        if not is_live:
            _refuse_live_only(settings)
        if not is_live and duration is None and endless:
            raise SettingsError(f"{settings.source.spec} never ends; add --duration SECONDS")
        with _statistics(stats) if show_stats else nullcontext():
            if is_live:
                _run_live(live, stats, source, duration, config, flags)
            else:
                _run_batch(live, stats, source, duration)
    finally:
        source.close()


def _refuse_live_only(settings: Settings) -> None:
    states = {
        "paused": settings.paused,
        "frozen": settings.frozen,
        "output.record": settings.output.record,
    }
    for name, value in states.items():
        if value:
            raise SettingsError(f"{name} is for live use; this run only writes files")


def _run_live(
    live: Live,
    stats: Stats,
    source: Source,
    duration: float | None,
    config: Path | None,
    flags: dict[str, Any] | None,
) -> None:
    window = None
    if "window" in live.now.output.sinks:
        window = WindowSink("", source.size, source.fps)
    processor = Processor(live, stats, wait=False, previews=window is not None)

    def opener(settings: SourceSettings) -> Source:
        return open_source(settings, paced=True)

    # Everything that the user could fix has been checked; now report what was opened.
    show_openings()
    log.info("%s", source.description)
    pipeline = Pipeline(live, stats, processor, source, opener, demand=Demand(awake=True))
    with ExitStack() as stack:
        reload = None
        if config is not None:

            def start(path: Path | None) -> Settings:
                return with_virtual_camera(load(path, flags=flags))

            file = ConfigFile(config, live, stats, start)
            watch = FileWatch(lambda: in_use(file, live, stats, processor))
            stack.enter_context(closing(watch))
            reload = partial(watch.read_again, file.path)
        stack.enter_context(closing(HotKeys(live, stats)))
        stack.enter_context(stop_signals(pipeline.stop, reload))
        pipeline.run(window, duration)


def _run_batch(live: Live, stats: Stats, source: Source, duration: float | None) -> None:
    stop = threading.Event()
    outputs = live.now.output.sinks
    processor = Processor(live, stats, wait=True)
    with (
        closing(processor),
        stop_signals(stop.set),
        _progress(source, duration) as advance,
    ):
        count = batch.run(source, processor, outputs, duration, stop, advance)
    files = [spec for spec in outputs if spec != "null"]
    if not count:
        raise SourceError(
            f"{live.now.source.spec}: no frames were processed; is --duration too short?"
        )
    if files:
        how = "interrupted; " if stop.is_set() else ""
        say(f"{how}{count} frames written to {', '.join(files)}")


@contextmanager
def _progress(source: Source, duration: float | None) -> Iterator[Callable[[Frame], None]]:
    """Show a line with frames, rate and time on a terminal; nothing elsewhere."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    total = duration * source.fps if duration is not None else None
    columns = (BarColumn(), TextColumn("{task.completed:.0f} frames"), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda _: bar.advance(task)


@contextmanager
def _statistics(stats: Stats) -> Iterator[None]:
    """Print a line of statistics every second, and once at the end."""
    from realtime_bg.processing.overlays import statistics

    done = threading.Event()

    def line() -> None:
        say(" | ".join(statistics(stats)))

    def loop() -> None:
        while not done.wait(STATS_PERIOD):
            line()

    thread = threading.Thread(target=loop, name="statistics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        line()
