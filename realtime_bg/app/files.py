"""Runs without a viewer, from source to file: frame by frame on one thread, every frame kept."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

from realtime_bg.frames import Frame
from realtime_bg.processing.compositor import fitted
from realtime_bg.processing.framing import output_size
from realtime_bg.processing.processor import Processor
from realtime_bg.sinks import open_sink
from realtime_bg.sinks.base import Sink
from realtime_bg.sources.base import Source

WARM_UP = 4  # times a recurrent engine runs on the first frame before its matte is used


def run(
    source: Source,
    processor: Processor,
    outputs: Sequence[str],
    duration: float | None,
    stop: threading.Event,
    progress: Callable[[Frame], None] = lambda frame: None,
) -> int:
    """Process frames until the source ends, until ``duration`` seconds of it are done, or until
    ``stop`` is set; files are complete in any case. Returns the number of frames written.

    Raises RealtimeBgError; a file that was begun then keeps its temporary name.
    """
    stats = processor.stats
    sinks: list[Sink] = []
    count, start = 0, None
    with contextlib.ExitStack() as stack:
        stack.callback(source.close)
        frames = stack.enter_context(contextlib.closing(iter(source)))
        while not stop.is_set():
            with stats.stage("capture"):
                frame = next(frames, None)
            if frame is None:
                break
            start = frame.time if start is None else start
            # Half a frame of tolerance, because many containers round timestamps.
            if duration is not None and frame.time - start > duration - 0.5 / source.fps:
                break
            if not sinks:
                size = output_size(frame.size, processor.live.now.frame)
                for spec in outputs:
                    sinks.append(open_sink(spec, size, source.fps))
                    stack.push(_finisher(sinks[-1]))
                for _ in range(WARM_UP):
                    processor.matte(frame)
            composite = processor.process(frame)
            with stats.stage("hand-over"):
                for sink in sinks:
                    sink.send(fitted(composite, sink.size))
            stats.tick()
            progress(frame)
            count += 1
    return count


def _finisher(sink: Sink) -> Callable[..., None]:
    """Closes ``sink`` at the end of a `with`, as complete unless an exception is being raised."""

    def close(kind: type[BaseException] | None, *_: Any) -> None:
        sink.close(complete=kind is None)

    return close
