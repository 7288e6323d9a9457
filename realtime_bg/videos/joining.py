"""Joins finished parts with the source's sound and subtitles, without encoding the pictures
again."""

import heapq
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from realtime_bg.media.av import open_video
from realtime_bg.media.reading import demuxed
from realtime_bg.videos.clips import Span
from realtime_bg.videos.parts import Part, Stopped, packets
from realtime_bg.videos.sound import Clock, Copied, Encoded, Joints, Plan, made, stores
from realtime_bg.videos.tags import keep_tags, keep_track_tags, left_out, timecode

MARGIN = 1.0  # seconds before the start to which the sound is sought
PAST = 10  # seconds after the end that are searched for late packets


def join_video(
    path: Path,
    parts: list[Part],
    track: str,
    span: Span,
    sound: list[Plan] | None,
    stop: threading.Event,
) -> None:
    """Write the track of all parts to ``path``, with the source's titles and chapters, and with its
    ``sound`` and subtitles unless that is None. Raises Stopped, FFmpegError, OSError and
    ValueError."""
    clip = span.clip
    suffix = path.suffix.lower()
    options = {"movflags": "+faststart"} if suffix in (".mp4", ".mov") else {}
    with ExitStack() as stack:
        out = stack.enter_context(av.open(str(path), "w", options=options))
        source = stack.enter_context(open_video(str(clip.path))[0])
        video = _video_stream(out, parts[0].files[track], span)
        keep_tags(source, out, span)
        keep_track_tags(source.streams[clip.stream], video, suffix)
        if code := timecode(source, span):
            out.metadata["timecode"] = code
        streams = [_video(parts, track, video, span)]
        if sound is not None:
            tracks: dict[int, Copied | Encoded] = {}
            for plan in sound:
                tracks[plan.stream] = made(out, source.streams[plan.stream], plan)
            for stream in source.streams.subtitles:
                if stores(suffix, stream, path.parent):
                    tracks[stream.index] = Copied(out, stream)
            for index, target in tracks.items():
                keep_track_tags(source.streams[index], target.stream, suffix)
            if tracks:
                streams.append(_beside(source, tracks, span))
        for _, packet in heapq.merge(*streams, key=lambda item: item[0]):
            if stop.is_set():
                raise Stopped
            out.mux(packet)


def what_is_left_out(suffix: str, span: Span, folder: Path) -> list[str]:
    """What of the source a result in such a container does not keep, in words for the user.
    ``folder``: a writable folder."""
    source, _ = open_video(str(span.clip.path))
    with source:
        gone = left_out(source, span.cut)
        for stream in source.streams.subtitles:
            if not stores(suffix, stream, folder):
                context = stream.codec_context
                gone.append(f"subtitles ({context.name if context else 'of an unknown kind'})")
    return list(dict.fromkeys(gone))


def _video_stream(out: Any, part: Path, span: Span) -> Any:
    clip = span.clip
    with av.open(str(part)) as first:
        encoded = first.streams.video[0]
        video: Any = out.add_stream_from_template(encoded)
        if encoded.codec_context.name == "prores":  # the ProRes profile
            video.codec_context.codec_tag = encoded.codec_context.codec_tag
        if {"alpha_mode", "ALPHA_MODE"} & set(encoded.metadata):  # tells players of the alpha
            video.metadata["alpha_mode"] = "1"
    video.time_base = clip.time_base
    video.sample_aspect_ratio = clip.aspect
    video.codec_context.framerate = clip.rate.limit_denominator(1001)
    return video


def _video(parts: list[Part], track: str, stream: Any, span: Span) -> Iterator[tuple[float, Any]]:
    for packet, start, end in packets(parts, track):
        packet.pts = packet.dts = start - span.start
        packet.duration, packet.time_base = end - start, span.clip.time_base
        packet.stream = stream
        yield float(packet.pts * span.clip.time_base), packet


def _beside(
    source: Any, tracks: dict[int, Copied | Encoded], span: Span
) -> Iterator[tuple[float, Any]]:
    """Yield packets of sound and subtitles within the span, on the pictures' clock."""
    start = span.start * span.clip.time_base
    end = None if span.end is None else span.end * span.clip.time_base
    joints, watched = Joints(span.clip), span.clip.stream
    clocks = {index: Clock(joints) for index in tracks}
    if span.cut:
        with suppress(av.FFmpegError, OSError):
            source.seek(int((start - Fraction(MARGIN)) * av.time_base))
    for packet in demuxed(source, *(source.streams[index] for index in (watched, *tracks))):
        if packet.stream_index == watched:
            joints.pass_by(packet)
        if packet.dts is None or packet.stream_index not in tracks:
            continue
        base = packet.time_base
        at = (packet.pts if packet.pts is not None else packet.dts) * base
        offset = clocks[packet.stream_index].offset(at, (packet.duration or 0) * base)
        if offset is None:
            continue
        at += offset
        if span.cut and at < start:
            continue
        if end is not None and at >= end:
            if at > end + PAST:
                break
            continue
        shift = round((offset - start) / base)
        packet.dts += shift
        if packet.pts is not None:
            packet.pts += shift
        for written in tracks[packet.stream_index].add(packet):
            yield _seconds(written), written
    for track in tracks.values():
        for written in track.finish():
            yield _seconds(written), written


def _seconds(packet: Any) -> float:
    return float(packet.dts * packet.time_base)
