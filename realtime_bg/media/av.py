"""Opening and decoding video files and streams with PyAV."""

import os
from collections.abc import Iterator
from typing import Any, TypeVar

import av

from realtime_bg.errors import SourceError, reason
from realtime_bg.system.urls import without_password

Number = TypeVar("Number", int, float)


def open_video(target: str, **options: Any) -> tuple[Any, Any]:
    """The container and its first video stream, decoding on several threads.

    Raises SourceError if it cannot be read or contains no video.
    """
    shown = without_password(target)
    try:
        # FFmpeg would take the part of a bare file name before a colon for a protocol.
        name = os.path.abspath(target) if os.path.isfile(target) else target
        container = av.open(name, **options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"{shown}: cannot be read as video ({without_password(reason(error))})"
        ) from None
    if not container.streams.video:
        container.close()
        raise SourceError(f"{shown}: contains no video")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        container.close()
        raise SourceError(f"{shown}: no decoder for its video format is available")
    stream.thread_type = "AUTO"
    return container, stream


def in_order(at: Number | None, last: Number, step: Number, tick: Number, second: Number) -> Number:
    """The time of a picture that follows ``last``; its own time ``at`` may be missing or wrong.

    A time slightly before ``last`` becomes ``last`` plus one ``tick``, so that the following
    pictures stay on time. A time that is missing, or a second or more before ``last`` as in joined
    files, becomes ``last`` plus one ``step``.
    """
    if at is None or at <= last - second:
        return last + step
    return max(at, last + tick)


def pictures(container: Any, stream: Any) -> Iterator[Any]:
    """Yield decoded pictures in order. Damaged ones are left out; a truncated file simply ends."""
    while True:
        try:
            yield from container.decode(stream)
        except av.InvalidDataError:
            continue
        except (av.FFmpegError, OSError):
            return
        return
