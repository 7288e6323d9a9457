"""What the driver and the workers tell each other. The driver is the process of the command; the
workers are actors on the nodes of the cluster."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from realtime_bg.errors import RealtimeBgError
from realtime_bg.media.photos import Format
from realtime_bg.videos.segments import Segment

ATTEMPTS = 3  # how often a unit is begun before it counts as failed
SEGMENT = "#"  # in keys, between a video's place and the number of a segment


def segment_key(place: str, number: int) -> str:
    """The name of a video's segment in the manifest."""
    return f"{place}{SEGMENT}{number:04d}"


def segments_folder(place: str) -> str:
    """Where a video's finished segments lie until they are joined, in the output folder."""
    return f".{place}.segments"


def segment_place(key: str) -> str:
    """Where a finished segment lies."""
    place, _, number = key.rpartition(SEGMENT)
    return f"{segments_folder(place)}/{number}.tar"


class Source(NamedTuple):
    """An input file. ``version``: see `places.version`; empty if the driver cannot look at it.
    ``data`` or ``path``: its content, or where
    it was put on the worker's node, if the worker cannot read it by its name."""

    name: str
    version: str
    data: bytes | None = None
    path: str | None = None


class Photo(NamedTuple):
    """A photo and the place of its result in the output folder."""

    source: Source
    place: str
    format: Format


@dataclass(slots=True)
class Unit:
    """What one worker does in one go. ``kind``: a batch of photos, a whole video, one segment of a
    video, or the joining of all its segments. ``key``: its name in the manifest, unless it is a
    batch. ``weight``: its share of the work; for photos 1 each, for videos bytes. ``place``: of a
    video's result. ``segment``, or ``parts``: what is to be converted, or joined. ``length``: of
    the segments, in frames, with which a long video may be answered instead; 0 if it may not.
    ``attempts``: how often it was begun."""

    kind: Literal["photos", "video", "segment", "join"]
    key: str
    weight: float
    photos: tuple[Photo, ...] = ()
    source: Source | None = None
    place: str = ""
    segment: Segment | None = None
    parts: tuple[Source, ...] = ()  # what is to be joined
    length: int = 0
    attempts: int = 0

    @property
    def inputs(self) -> list[tuple[Source, str]]:
        """The photos or the video, each with its key in the manifest."""
        if self.source is not None:
            return [(self.source, self.key)]
        return [(photo.source, photo.place) for photo in self.photos]


class Result(NamedTuple):
    """What became of one photo, video or segment. ``why``: it failed. ``hash``: SHA-256 of the
    input. ``grave``: the failure may be that of every unit. ``data``, or ``files`` as places and
    paths on the worker's node: the result, if the worker has not delivered it."""

    key: str
    why: str = ""
    hash: str = ""
    grave: bool = False
    data: bytes | None = None
    files: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Outcome:
    """A worker's answer for a unit. ``lines``: what it said. ``unseen``: it cannot read the input
    by its name. ``again``: why the unit should be tried by another worker. ``segments``: those
    into which a video is to be divided instead. ``fatal``: a problem of all units. ``stopped``:
    the unit was not finished because of a request to stop."""

    results: list[Result] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    unseen: bool = False
    again: str = ""
    segments: list[Segment] | None = None
    fatal: RealtimeBgError | None = None
    stopped: bool = False


class Hello(NamedTuple):
    """How a worker introduces itself. ``node``: its machine's name and address. ``missing``: the
    indices of the luggage's files that its node lacks. ``shares``: whether it sees the output
    folder of the driver."""

    node: str
    version: str
    missing: list[int]
    shares: bool
