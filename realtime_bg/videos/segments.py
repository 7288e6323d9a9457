"""Divides a long video into segments that are converted apart, and joins what they became.

A segment begins where a part of the undivided conversion would begin, so its pictures are encoded
in the same groups, and at such a place soon after a key frame of the source, so that few pictures
are decoded in vain. A recurrent engine first processes the frames before it (`WARM_UP`).
"""

import json
import tarfile
import threading
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from realtime_bg.errors import SinkError, SourceError, reason
from realtime_bg.media.av import open_video
from realtime_bg.media.reading import demuxed
from realtime_bg.processing.engine_choice import named
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats
from realtime_bg.videos.clips import Span
from realtime_bg.videos.codings import SUFFIXES, codings
from realtime_bg.videos.convert import (
    VideoOptions,
    check_files,
    finish,
    outputs,
    run_settings,
    span_of,
)
from realtime_bg.videos.encoding import PART, Encoding, Lead, Progress
from realtime_bg.videos.parts import Part, Parts
from realtime_bg.videos.pixels import PixelMaker
from realtime_bg.videos.reporting import announce, report_losses, warn_of_short
from realtime_bg.videos.sound import plan_sound

LENGTH = 1000  # frames of a segment, about
NEAR = 2 * PART  # frames by which a segment may be longer or shorter
WARM_UP = Lead(60, 6.0)  # docs/cluster.md says what this gives with RVM
# Engines whose matte depends on few frames before; the others learn from all they have seen.
FORGETTING = {"rvm", "rvm-torch", "embedded", "semantic", "threshold", "edges"}
LIST = "parts.json"


class Segment(NamedTuple):
    """The ticks between which its frames lie; None means the start or end of the span."""

    start: int | None
    end: int | None


def why_whole(settings: Settings) -> str:
    """Why a video cannot be divided with these settings; empty if it can."""
    engine = settings.engine
    if settings.background.current == "erase":
        return "the background erase learns the room from all pictures before"
    for name in (*named(engine), engine.combine.engine):
        is_instance = name == "instance" and engine.instance.instances == "all"
        if name not in (None, "grabcut", *FORGETTING) and not is_instance:
            return f"the engine {name} depends on all pictures before"
    if engine.name == "grabcut":
        return "the engine grabcut depends on all pictures before"
    return ""


def divided(
    source: Path, suffix: str, options: VideoOptions, length: int = LENGTH
) -> list[Segment]:
    """The segments, of about ``length`` frames, into which a video should be divided; none if it is
    short, or its times are such that its frames cannot be found apart. ``suffix``: of the result.
    Raises SourceError."""
    span = span_of(source, suffix, options)
    ticks, keys = _index(span)
    starts: list[int] = []
    last = 0
    while len(ticks) - last >= 2 * length:
        wanted = last + length
        near = min(NEAR, length // 2 // PART * PART)
        places = [
            place
            for place in range(PART, len(ticks), PART)
            if last < place and abs(place - wanted) <= max(near, PART // 2)
        ]
        if not places:
            break
        last = min(places, key=lambda place: (_after_key(place, keys), abs(place - wanted)))
        starts.append(ticks[last])
    if not starts:
        return []
    return [Segment(*ends) for ends in zip([None, *starts], [*starts, None], strict=True)]


def _after_key(place: int, keys: Sequence[int]) -> int:
    """How many frames a place lies after a key frame."""
    before = bisect_right(keys, place)
    return place - keys[before - 1] if before else place


def _index(span: Span) -> tuple[list[int], list[int]]:
    """The ticks of all frames in order, and which of them are key frames; nothing if the file does
    not say it. Decodes nothing."""
    clip = span.clip
    found: list[tuple[int, bool]] = []
    last: int | None = None
    container, _ = open_video(str(clip.path))
    with container:
        for packet in demuxed(container, container.streams[clip.stream]):
            if packet.dts is None:
                continue
            if packet.pts is None or (last is not None and packet.dts <= last):
                return [], []
            last = packet.dts
            if packet.pts >= span.start and (span.end is None or packet.pts < span.end):
                found.append((packet.pts, bool(packet.is_keyframe)))
    found.sort()
    if not clip.seekable or len({tick for tick, _ in found}) < len(found):
        return [], []
    keys = [index for index, (_, is_key) in enumerate(found) if is_key]
    return [tick for tick, _ in found], keys


def convert_segment(
    settings: Settings,
    source: Path,
    target: Path,
    options: VideoOptions,
    segment: Segment,
    progress: Progress,
    stop: threading.Event,
) -> Path | None:
    """Convert a segment of ``source`` into a file beside ``target``, for `join`. Returns its path,
    or None if it was stopped. Raises RealtimeBgError."""
    settings = run_settings(settings, options)
    check_files(settings, source, target, options)
    span = span_of(source, target.suffix.lower(), options)
    with ExitStack() as stack:
        parts = Parts(target, tuple(outputs(target, options)))
        stack.callback(parts.close)
        processor = Processor(Live(settings), Stats(), wait=True)
        stack.enter_context(closing(processor))
        maker = PixelMaker(processor, span.clip, options.alpha)
        tracks = codings(options.alpha, target.suffix.lower(), span.clip.grade is not None)
        encoding = Encoding(processor, maker, span, tracks, parts, target)
        if not encoding.encode_segment(*segment, WARM_UP, progress, stop):
            parts.remove()
            return None
        report_losses(span.clip, encoding.notes)
        packed = target.with_name(f"{target.name}.segment.tar")
        try:
            _pack(packed, parts.done)
        except OSError as error:
            raise SinkError(f"{packed}: cannot be written ({reason(error)})") from None
        parts.remove()
        parts.done.clear()
    return packed


def _pack(path: Path, parts: list[Part]) -> None:
    listed = [
        {
            "files": {track: file.name for track, file in part.files.items()},
            "pts": part.pts,
            "end": part.end,
        }
        for part in parts
    ]
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps(listed))
    with tarfile.open(path, "w") as tar:
        tar.add(beside, LIST)
        for part in parts:
            for file in part.files.values():
                tar.add(file, file.name)
    beside.unlink()


def _unpack(path: Path, folder: Path) -> list[Part]:
    with tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
    return [
        Part({t: folder / name for t, name in one["files"].items()}, one["pts"], one["end"])
        for one in json.loads((folder / LIST).read_text())
    ]


def join(
    source: Path,
    target: Path,
    options: VideoOptions,
    segments: Sequence[Path],
    stop: threading.Event,
) -> bool:
    """Join the files that `convert_segment` has made of ``source``, in order, into ``target``, with
    its sound; see `outputs`. Returns False if it was stopped. Raises RealtimeBgError."""
    span, suffix = span_of(source, target.suffix.lower(), options), target.suffix.lower()
    with ExitStack() as stack:
        parts = Parts(target, tuple(outputs(target, options)))
        stack.callback(parts.close)
        for number, path in enumerate(segments):
            try:
                parts.done += _unpack(path, parts.folder / f"segment-{number}")
            except (OSError, ValueError, KeyError, tarfile.TarError) as error:
                raise SourceError(f"{path}: not a segment ({reason(error)})") from None
        sound = None
        if options.sound and suffix != ".gif":
            sound = plan_sound(target, span.clip, parts.folder, SUFFIXES[options.alpha])
        announce(target, span, options.sdr, sound, parts.folder)
        warn_of_short(span, parts)
        return finish(parts, outputs(target, options), options, span, sound, stop)
