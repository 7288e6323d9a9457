"""From parts to the finished file: stream copies, with the source's own sound packets beside."""

import heapq
import re
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image as Pillow

from realtime_bg.errors import SinkError, reason
from realtime_bg.frames import Image
from realtime_bg.videos.clips import Clip
from realtime_bg.videos.codings import INDEX_CLOCK
from realtime_bg.videos.parts import Part

KEEPERS = (".mkv", ".mov", ".mp4", ".webm")  # what holds sound, most kinds of it first
MARGIN = 1.0  # seconds before the start from which sound is looked for
TRANSPARENT, LEVELS = 255, 254  # GIF: the palette's place without colour, and places with one
SEQUENCE = re.compile(r"\d{6,}\.png|frames\.ffconcat")
GIF_CLOCK = Fraction(1, 100)
GIF_LEAST = 2  # of these a picture lasts; browsers show a shorter one for ten


class Stopped(Exception):  # noqa: N818 - not an error, as StopIteration is none
    """The user asked to stop; what was begun is removed."""


class Span:
    """From where to where, in ticks of ``clip``; ``end`` None: to its end. ``cut``: whether the
    beginning was cut off."""

    def __init__(self, clip: Clip, start: float | None, end: float | None) -> None:
        self.clip, self.cut = clip, start is not None
        self.start = clip.ticks(start or 0)
        self.end = None if end is None else clip.ticks(end)


def check_sound(target: Path, clip: Clip, folder: Path, suffixes: tuple[str, ...]) -> None:
    """Raises SinkError when the file's kind cannot hold the source's sound as it is. ``folder``:
    where something may be written. ``suffixes``: the kinds there are to advise."""
    if left := unheld(target.suffix, clip, folder):
        other = holding(clip, folder, suffixes)
        advice = f"name the output {other}, or leave" if other else "leave"
        raise SinkError(
            f"{target}: {target.suffix} cannot hold the sound of {clip.path} ({left}); {advice} "
            "the sound out with --no-sound"
        )


def holding(clip: Clip, folder: Path, suffixes: tuple[str, ...]) -> str | None:
    """The first kind of file that holds the source's sound as it is; None where there is none."""
    ordered = sorted(set(suffixes) & set(KEEPERS), key=KEEPERS.index)
    return next((suffix for suffix in ordered if not unheld(suffix, clip, folder)), None)


def unheld(suffix: str, clip: Clip, folder: Path) -> str | None:
    """The codec of a sound track that a kind of file cannot hold; None where it holds all."""
    with av.open(str(folder / f"trial{suffix}"), "w") as trial:
        return next((codec for codec in clip.sound if codec not in trial.supported_codecs), None)


def join_video(
    path: Path, parts: list[Part], track: str, span: Span, sound: bool, stop: threading.Event
) -> None:
    """Write the track of all parts, and the source's sound, to ``path``. Raises SinkError;
    Stopped."""
    clip = span.clip
    options = {"movflags": "+faststart"} if path.suffix.lower() in (".mp4", ".mov") else {}
    try:
        with av.open(str(path), "w", options=options) as out:
            with av.open(str(parts[0].files[track])) as first:
                encoded = first.streams.video[0]
                video: Any = out.add_stream_from_template(encoded)
                if encoded.codec_context.name == "prores":  # which of them it is
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
    """What a player has to know of the first part's pictures: that they have an alpha."""
    with av.open(str(path)) as container:
        found = container.streams.video[0].metadata
        return {"alpha_mode": "1"} if {"alpha_mode", "ALPHA_MODE"} & set(found) else {}


def _packets(parts: list[Part], track: str) -> Iterator[tuple[Any, int, int]]:
    """Packets with the ticks at which their pictures begin and end."""
    for number, part in enumerate(parts):
        after = parts[number + 1].pts[0] if number + 1 < len(parts) else part.end
        ends = [*part.pts[1:], after]
        with av.open(str(part.files[track])) as container:
            for packet in container.demux(video=0):
                if packet.pts is not None:
                    place = round(packet.pts * packet.time_base / INDEX_CLOCK)
                    yield packet, part.pts[place], ends[place]


def _video(parts: list[Part], track: str, stream: Any, span: Span) -> Iterator[tuple[float, Any]]:
    for packet, start, end in _packets(parts, track):
        packet.pts = packet.dts = start - span.start
        packet.duration, packet.time_base = end - start, span.clip.time_base
        packet.stream = stream
        yield float(packet.pts * span.clip.time_base), packet


def _sound(source: Any, tracks: list[tuple[Any, Any]], span: Span) -> Iterator[tuple[float, Any]]:
    """The packets of the source's sound in the span, on the same clock as the pictures."""
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


def write_sequence(folder: Path, parts: list[Part], span: Span, stop: threading.Event) -> None:
    """One PNG a picture, and their times in a list that FFmpeg reads (``ffmpeg -i
    frames.ffconcat``). Raises SinkError; Stopped."""
    lines = ["ffconcat version 1.0"]
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        folder.mkdir()
        for number, (packet, start, end) in enumerate(_packets(parts, "video")):
            if stop.is_set():
                raise Stopped
            name = f"{number:06d}.png"
            (folder / name).write_bytes(bytes(packet))  # a packet of this codec is a whole file
            seconds = float((end - start) * span.clip.time_base)
            lines += [f"file {name}", f"duration {seconds:.6f}"]
        (folder / "frames.ffconcat").write_text("\n".join(lines) + "\n")
    except OSError as error:
        raise SinkError(f"{folder}: cannot be written ({reason(error)})") from None


def not_of_a_sequence(folder: Path) -> str | None:
    """The name of something in ``folder`` that `write_sequence` does not make. Raises SinkError."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise SinkError(f"{folder}: cannot be read ({reason(error)})") from None
    return next((name for name in names if not SEQUENCE.fullmatch(name)), None)


def write_gif(path: Path, parts: list[Part], span: Span, stop: threading.Event) -> None:
    """An animated GIF that loops, a palette for each picture. Raises SinkError; Stopped."""
    clip = span.clip
    try:
        with av.open(str(path), "w", options={"loop": "0"}) as out:
            stream: Any = out.add_stream("gif", rate=clip.rate.limit_denominator(1001))
            stream.width, stream.height = clip.size
            stream.pix_fmt = "pal8"
            stream.codec_context.time_base = GIF_CLOCK
            last = -GIF_LEAST
            for packet, start, _ in _packets(parts, "video"):
                if stop.is_set():
                    raise Stopped
                at = round((start - span.start) * clip.time_base / GIF_CLOCK)
                if at < last + GIF_LEAST:
                    continue
                png = np.frombuffer(bytes(packet), np.uint8)
                full: Any = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
                picture = av.VideoFrame.from_ndarray(paletted(full), "pal8")
                last = picture.pts = at
                picture.time_base = GIF_CLOCK
                out.mux(stream.encode(picture))
            out.mux(stream.encode(None))
    except (OSError, av.FFmpegError) as error:
        raise SinkError(f"{path}: cannot be written ({reason(error)})") from None


def paletted(full: Image) -> tuple[Image, Image]:
    """BGR or BGRA ``uint8`` pixels as places ``uint8 (H, W)`` in a palette, ARGB ``(256, 4)``; an
    alpha below one half is no colour."""
    rgb = cv2.cvtColor(np.ascontiguousarray(full[..., :3]), cv2.COLOR_BGR2RGB)
    reduced = Pillow.fromarray(rgb).quantize(LEVELS, Pillow.Quantize.FASTOCTREE)
    places = np.array(reduced, np.uint8)
    colours = np.frombuffer(reduced.palette.tobytes(), np.uint8).reshape(-1, 3)  # type: ignore[union-attr]
    palette = np.zeros((256, 4), np.uint8)
    palette[: len(colours), 1:] = colours
    palette[:TRANSPARENT, 0] = 255
    if full.shape[2] == 4:
        places[full[..., 3] < 128] = TRANSPARENT
    return places, palette
