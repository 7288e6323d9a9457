"""Joins finished parts with the source's audio, without re-encoding either."""

import heapq
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from realtime_bg.errors import SinkError, reason
from realtime_bg.videos.clips import Clip, Span
from realtime_bg.videos.parts import Part, Stopped, packets

# containers with sound, those with the most codecs first
KEEPERS = (".mkv", ".mov", ".mp4", ".webm")
MARGIN = 1.0  # seconds before the start to which the audio is sought


def check_sound(target: Path, clip: Clip, folder: Path, suffixes: tuple[str, ...]) -> None:
    """Raise SinkError if the target's container cannot store the source's audio unchanged.
    ``folder``: a writable folder. ``suffixes``: the containers that may be suggested."""
    if left := unsupported_audio(target.suffix, clip, folder):
        other = container_for(clip, folder, suffixes)
        advice = f"use {other} for the output, or leave" if other else "leave"
        raise SinkError(
            f"{target}: {target.suffix} cannot store the sound of {clip.path} ({left}); {advice} "
            "the sound out with --no-sound"
        )


def container_for(clip: Clip, folder: Path, suffixes: tuple[str, ...]) -> str | None:
    """Return the first container that can store the source's audio unchanged, or None."""
    ordered = sorted(set(suffixes) & set(KEEPERS), key=KEEPERS.index)
    return next((suffix for suffix in ordered if not unsupported_audio(suffix, clip, folder)), None)


def unsupported_audio(suffix: str, clip: Clip, folder: Path) -> str | None:
    """Return the codec of an audio track that a container cannot store, or None."""
    with av.open(str(folder / f"trial{suffix}"), "w") as trial:
        return next((codec for codec in clip.sound if codec not in trial.supported_codecs), None)


def join_video(
    path: Path, parts: list[Part], track: str, span: Span, sound: bool, stop: threading.Event
) -> None:
    """Write the track of all parts and the source's audio to ``path``. Raises SinkError and
    Stopped."""
    clip = span.clip
    options = {"movflags": "+faststart"} if path.suffix.lower() in (".mp4", ".mov") else {}
    try:
        with av.open(str(path), "w", options=options) as out:
            with av.open(str(parts[0].files[track])) as first:
                encoded = first.streams.video[0]
                video: Any = out.add_stream_from_template(encoded)
                if encoded.codec_context.name == "prores":  # the ProRes profile
                    video.codec_context.codec_tag = encoded.codec_context.codec_tag
            video.time_base = clip.time_base
            video.codec_context.framerate = clip.rate.limit_denominator(1001)
            video.metadata.update(first_metadata(parts[0].files[track]))
            source = av.open(str(clip.path.absolute())) if sound and clip.sound else None
            tracks = (
                []
                if source is None
                else [
                    (stream, out.add_stream_from_template(stream))
                    for stream in source.streams.audio
                    if stream.codec_context is not None
                ]
            )
            streams: list[Iterable[tuple[float, Any]]] = [_video(parts, track, video, span)]
            if source is not None:
                streams.append(_sound(source, tracks, span))
            for _, packet in heapq.merge(*streams, key=lambda item: item[0]):
                if stop.is_set():
                    raise Stopped
                out.mux(packet)
            if source is not None:
                source.close()
    except (OSError, av.FFmpegError, ValueError) as error:
        raise SinkError(f"{path}: cannot be written ({reason(error)})") from None


def first_metadata(path: Path) -> dict[str, str]:
    """Return the metadata that tells players that the video has an alpha, if it has one."""
    with av.open(str(path)) as container:
        found = container.streams.video[0].metadata
        return {"alpha_mode": "1"} if {"alpha_mode", "ALPHA_MODE"} & set(found) else {}


def _video(parts: list[Part], track: str, stream: Any, span: Span) -> Iterator[tuple[float, Any]]:
    for packet, start, end in packets(parts, track):
        packet.pts = packet.dts = start - span.start
        packet.duration, packet.time_base = end - start, span.clip.time_base
        packet.stream = stream
        yield float(packet.pts * span.clip.time_base), packet


def _sound(source: Any, tracks: list[tuple[Any, Any]], span: Span) -> Iterator[tuple[float, Any]]:
    """Yield the source's audio packets within the span, on the same clock as the video."""
    clip = span.clip
    start = span.start * clip.time_base
    end = None if span.end is None else span.end * clip.time_base
    targets = {stream.index: target for stream, target in tracks}
    if span.cut:
        with suppress(av.FFmpegError, OSError):
            source.seek(int((start - Fraction(MARGIN)) * av.time_base))
    for packet in source.demux([stream for stream, _ in tracks]):
        if packet.dts is None:
            continue
        at = (packet.pts if packet.pts is not None else packet.dts) * packet.time_base
        if span.cut and at < start:
            continue
        if end is not None and at >= end:
            if at > end + 10:
                return
            continue
        shift = round(start / packet.time_base)
        packet.dts -= shift
        if packet.pts is not None:
            packet.pts -= shift
        target = targets[packet.stream_index]
        packet.stream = target
        yield float(at - start), packet
