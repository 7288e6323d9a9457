"""Decoding with PyAV: what video files and streams have in common."""

import os
from collections.abc import Iterator
from typing import Any, TypeVar

import av

from realtime_bg.errors import SourceError, reason
from realtime_bg.system.urls import without_password

Number = TypeVar("Number", int, float)


def open_video(target: str, **options: Any) -> tuple[Any, Any]:
    """The container and its first video stream, decoding on several threads.

    Raises SourceError when it cannot be read or holds no video.
    """
    shown = without_password(target)
    try:
        # What stands before a colon in a bare file name would be taken for a protocol.
        name = os.path.abspath(target) if os.path.isfile(target) else target
        container = av.open(name, **options)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"{shown}: cannot be read as video ({without_password(reason(error))})"
        ) from None
    if not container.streams.video:
        container.close()
        raise SourceError(f"{shown}: holds no video")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        container.close()
        raise SourceError(f"{shown}: its video has a format nobody here can decode")
    stream.thread_type = "AUTO"
    return container, stream


def in_order(at: Number | None, last: Number, step: Number, tick: Number, second: Number) -> Number:
    """The time of a picture that comes after ``last``, where its own may be missing or broken.

    One that lies a little behind is put just after it (``tick``), so that those that follow are
    shown in time; one that lies a second or more behind, as where files were joined, and one
    without a time, come one ``step`` later.
    """
    if at is None or at <= last - second:
        return last + step
    return max(at, last + tick)


def pictures(container: Any, stream: Any) -> Iterator[Any]:
    """Decoded pictures in order; one that is damaged is left out, a file that is cut ends."""
    while True:
        try:
            yield from container.decode(stream)
        except av.InvalidDataError:
            continue
        except (av.FFmpegError, OSError):
            return
        return
