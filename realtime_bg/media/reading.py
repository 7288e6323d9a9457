"""Decoding a video stream picture by picture, past damage, empty packets and interlacing."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av

from realtime_bg.media.deinterlacing import Deinterlacer

FAILURES = 100  # successive errors of the demuxer after which a file counts as ended


@dataclass(slots=True)
class Notes:
    """What was seen while reading. ``lost``: times in seconds, on the file's clock, of packets that
    could not be decoded; with several decoding threads they may be a few pictures late.
    ``interlaced``: whether pictures were interlaced."""

    lost: list[float] = field(default_factory=list)
    interlaced: bool = False


def pictures(container: Any, stream: Any, notes: Notes | None = None) -> Iterator[Any]:
    """Yield decoded pictures in order, progressive, as ``av.VideoFrame``.

    A packet that cannot be decoded is left out and noted, so that the picture before it stays. An
    empty packet, which in AVI and Theora means "no change", yields the picture before it again, at
    its own time. A truncated file simply ends.
    """
    notes = Notes() if notes is None else notes
    repeats: deque[int] = deque()  # the times of empty packets
    shown: Any = None
    for picture in _progressive(_decoded(container, stream, notes, repeats), notes):
        yield from _again(shown, repeats, picture.pts)
        yield picture
        shown = picture
    yield from _again(shown, repeats, None)


def _again(shown: Any, repeats: deque[int], before: int | None) -> Iterator[Any]:
    """Yield the picture ``shown`` for each of ``repeats`` up to the time ``before``."""
    while repeats and (before is None or repeats[0] < before):
        at = repeats.popleft()
        if shown is not None and (shown.pts is None or at > shown.pts):
            shown.pts = at
            yield shown


def _decoded(container: Any, stream: Any, notes: Notes, repeats: deque[int]) -> Iterator[Any]:
    decoder = _decoder(stream)
    for packet in demuxed(container, stream):
        at = packet.dts if packet.pts is None else packet.pts
        if packet.size == 0:
            repeats.append(at)
            continue
        try:
            decoded = decoder.decode(packet)
        except (av.FFmpegError, OSError):
            if at is not None:
                notes.lost.append(float(at * packet.time_base))
            continue
        yield from _on_clock(decoded, stream)
    try:
        decoded = decoder.decode(None)
    except (av.FFmpegError, OSError):
        return
    yield from _on_clock(decoded, stream)


def _on_clock(decoded: list[Any], stream: Any) -> Iterator[Any]:
    for picture in decoded:
        picture.time_base = stream.time_base  # a decoder of our own does not know it
        yield picture


def _decoder(stream: Any) -> Any:
    """The stream's decoder. VP8 and VP9 store alpha beside the picture, where only libvpx looks."""
    own = stream.codec_context
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(own.name)
    if name is None or "1" not in (
        stream.metadata.get(key) for key in ("alpha_mode", "ALPHA_MODE")
    ):
        return own
    try:
        decoder = av.CodecContext.create(name, "r")
    except av.codec.codec.UnknownCodecError:  # a PyAV built without libvpx
        return own
    decoder.options = dict(own.options)
    return decoder


def demuxed(container: Any, *streams: Any) -> Iterator[Any]:
    """Yield the streams' packets with a time or with data, past errors of the demuxer."""
    failures = 0
    while failures < FAILURES:
        try:
            for packet in container.demux(*streams):
                failures = 0
                if packet.size or packet.dts is not None or packet.pts is not None:
                    yield packet
            return
        except av.InvalidDataError:
            failures += 1
        except (av.FFmpegError, OSError):
            return


def _progressive(decoded: Iterator[Any], notes: Notes) -> Iterator[Any]:
    deinterlacer: Deinterlacer | None = None
    for picture in decoded:
        if picture.interlaced_frame and deinterlacer is None:
            notes.interlaced, deinterlacer = True, Deinterlacer()
        if deinterlacer is None:
            yield picture
        else:
            yield from deinterlacer.push(picture)
    if deinterlacer is not None:
        yield from deinterlacer.flush()
