"""The sound of a result: the source's packets as they are, or encoded anew where its container
cannot store them; on the clock of the pictures, also where the file's times step back."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.filter import Graph

from realtime_bg.errors import SinkError
from realtime_bg.media.av import open_video
from realtime_bg.media.filtering import finished
from realtime_bg.videos.clips import Clip

# containers with sound, those with the most codecs first
KEEPERS = (".mkv", ".mov", ".mp4", ".webm")
# What sound is encoded with where a container cannot store it, the better first.
ENCODERS = {
    ".mkv": ("libopus", "flac", "aac"),
    ".mov": ("aac",),
    ".mp4": ("aac",),
    ".webm": ("libopus", "libvorbis"),
}
BIT_RATE = 80_000  # per channel; FLAC ignores it
RATE = 48_000  # samples per second of encoded sound
LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
SECOND = Fraction(1)
APART = 10 * SECOND  # a larger distance from the sound before is no continuation of it


class Plan(NamedTuple):
    """What is done with an audio track. ``stream``: its index. ``codec``: its own. ``encoder``:
    what it is encoded with; None if its packets are copied."""

    stream: int
    codec: str
    encoder: str | None


def plan_sound(target: Path, clip: Clip, folder: Path, suffixes: tuple[str, ...]) -> list[Plan]:
    """What is done with each audio track of ``clip``. ``folder``: a writable folder. ``suffixes``:
    the containers that may be suggested. Raises SinkError if nothing works."""
    suffix = target.suffix.lower()
    source, _ = open_video(str(clip.path))
    with source:
        tracks = [track for track in source.streams.audio if track.codec_context is not None]
        plans = []
        for track in tracks:
            encoder = None if stores(suffix, track, folder) else _encoder(suffix, track, folder)
            if encoder == "":
                others = [s for s in KEEPERS if s in suffixes and stores(s, track, folder)]
                advice = f"use {others[0]} for the output, or leave" if others else "leave"
                raise SinkError(
                    f"{target}: {suffix} cannot store the sound of {clip.path} "
                    f"({track.codec_context.name}), nor can it be converted; {advice} the sound "
                    "out with --no-sound"
                )
            plans.append(Plan(track.index, track.codec_context.name, encoder))
    return plans


def stores(suffix: str, track: Any, folder: Path) -> bool:
    """Whether a container can store the packets of ``track``; writes a trial file in ``folder``."""
    try:
        with av.open(str(folder / f"trial{suffix}"), "w") as trial:
            trial.add_stream_from_template(track)
            trial.start_encoding()
    except (av.FFmpegError, OSError, ValueError):
        return False
    return True


def _encoder(suffix: str, track: Any, folder: Path) -> str:
    """The encoder for the sound of ``track``, or an empty string."""
    for name in ENCODERS[suffix]:
        try:
            with av.open(str(folder / f"trial{suffix}"), "w") as trial:
                Encoded(trial, name, track)
                trial.start_encoding()
        except (av.FFmpegError, OSError, ValueError):
            continue
        return name
    return ""


class Copied:
    """An audio track whose packets are copied to ``stream``."""

    def __init__(self, out: Any, track: Any) -> None:
        self.stream = out.add_stream_from_template(track)
        self._last: int | None = None

    def add(self, packet: Any) -> Iterator[Any]:
        """Yield the packets to write for one of the source, whose times are already shifted."""
        if self._last is None or packet.dts > self._last:
            self._last = packet.dts
            packet.stream = self.stream
            yield packet

    def finish(self) -> Iterator[Any]:
        """Yield what is left."""
        yield from ()


class Encoded:
    """An audio track that is decoded and encoded anew to ``stream``. Gaps become silence, so that
    it stays with the pictures."""

    def __init__(self, out: Any, encoder: str, track: Any) -> None:
        """Raises FFmpegError, OSError or ValueError."""
        context = track.codec_context
        layout = LAYOUTS[max(1, min(context.channels, len(LAYOUTS))) - 1]
        self.stream = out.add_stream(encoder, rate=RATE, layout=layout)
        sample = self.stream.codec_context.codec.audio_formats[0].name
        self.stream.codec_context.format = sample
        self.stream.bit_rate = BIT_RATE * (LAYOUTS.index(layout) + 1)
        self._decoder = context
        self._form = f"sample_fmts={sample}:sample_rates={RATE}:channel_layouts={layout}"
        self._graph: Graph | None = None

    def add(self, packet: Any) -> Iterator[Any]:
        """Yield the packets to write for one of the source, whose times are already shifted."""
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError:
            return  # silence, as where a packet is missing
        for frame in frames:
            if frame.pts is not None:
                yield from self._encode(frame)

    def _encode(self, frame: Any) -> Iterator[Any]:
        if self._graph is None:
            self._graph = self._chain(frame)
        self._graph.push(frame)
        yield from self._pulled()

    def _pulled(self) -> Iterator[Any]:
        assert self._graph is not None
        for frame in finished(self._graph):
            yield from self.stream.encode(frame)

    def _chain(self, frame: Any) -> Graph:
        graph = Graph()
        # Fills gaps and removes overlaps by the frames' times, and starts at time 0.
        aligned = graph.add("aresample", f"{RATE}:async=1:min_hard_comp=0.005:first_pts=0")
        source = graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        form, sink = graph.add("aformat", self._form), graph.add("abuffersink")
        graph.link_nodes(source, aligned, form, sink).configure()
        return graph

    def finish(self) -> Iterator[Any]:
        """Yield what is left."""
        try:
            frames = self._decoder.decode(None)
        except av.FFmpegError:
            frames = []
        for frame in frames:
            if frame.pts is not None:
                yield from self._encode(frame)
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pulled()
        yield from self.stream.encode(None)


def made(out: Any, track: Any, plan: Plan) -> Copied | Encoded:
    """The track of the result ``out`` for a track of the source."""
    return Copied(out, track) if plan.encoder is None else Encoded(out, plan.encoder, track)


class Joints:
    """The places where the times of a file step back, as its video packets pass.

    ``offsets``: see `Timeline`, in seconds. ``epoch``: how many of those places lie behind.
    """

    def __init__(self, clip: Clip) -> None:
        self.offsets = [Fraction(offset) * clip.time_base for offset in clip.offsets]
        self.epoch = 0
        self._last: Fraction | None = None

    def pass_by(self, packet: Any) -> None:
        """Take note of a video packet."""
        if packet.dts is None:
            return
        at = packet.dts * packet.time_base
        if self._last is not None and at <= self._last - SECOND:
            self.epoch += 1
        self._last = at


class Clock:
    """What has to be added to the times of one track."""

    def __init__(self, joints: Joints) -> None:
        self._joints, self._epoch = joints, 0
        self._offset = Fraction(0)
        self._last: Fraction | None = None
        self._end = Fraction(0)

    def offset(self, at: Fraction, duration: Fraction) -> Fraction | None:
        """In seconds, for the packet at ``at`` that lasts ``duration``; None if what it holds was
        heard already, as where the segments of a stream overlap."""
        is_first = self._last is None
        if self._last is None:
            self._enter(self._joints.epoch, at)
        elif at <= self._last - SECOND:
            # Near the place itself, sound and pictures may come in either order.
            epoch = self._joints.epoch
            self._enter(epoch if epoch > self._epoch else epoch + 1, at)
        self._last = at
        placed = at + self._offset
        if not is_first and placed + duration / 2 < self._end:
            return None
        self._end = placed + duration
        return self._offset

    def _enter(self, epoch: int, at: Fraction) -> None:
        offsets = self._joints.offsets
        offset = offsets[epoch] if epoch < len(offsets) else None
        if offset is not None and (self._last is None or abs(at + offset - self._end) < APART):
            self._epoch, self._offset = epoch, offset
        elif self._last is not None:  # only the sound steps back: it goes on where it was
            self._offset = self._end - at
