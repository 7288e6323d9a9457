"""What the driver and the workers tell each other. The driver is the process of the command; the
workers are actors on the nodes of the cluster."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from realtime_bg.errors import RealtimeBgError
from realtime_bg.media.photos import Format

ATTEMPTS = 3  # how often a unit is begun before it counts as failed


class Source(NamedTuple):
    """An input file. ``version``: see `places.version`. ``data`` or ``path``: its content, or where
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


class Range(NamedTuple):
    """A segment of a video: its number, and the ticks between which its frames lie; None means the
    clip's start or end."""

    number: int
    start: int | None
    end: int | None


@dataclass(slots=True)
class Unit:
    """What one worker does in one go. ``kind``: a batch of photos, a whole video, one segment of a
    video, or the joining of all its segments. ``key``: its name in the manifest, unless it is a
    batch. ``weight``: its share of the work; for photos 1 each, for videos bytes. ``size``: bytes
    of a video, the same for each of its segments. ``attempts``: how often it was begun."""

    kind: Literal["photos", "video", "segment", "join"]
    key: str
    weight: float
    photos: tuple[Photo, ...] = ()
    source: Source | None = None
    place: str = ""
    range: Range | None = None
    count: int = 0  # segments to join
    attempts: int = 0


class Result(NamedTuple):
    """What became of one photo, video or segment. ``hash``: SHA-256 of the input. ``grave``: the
    failure may be that of every unit. ``data`` or ``path``: the result, or where it lies on the
    worker's node, if the worker has not delivered it; ``name``: the result's place."""

    key: str
    why: str = ""
    hash: str = ""
    grave: bool = False
    data: bytes | None = None
    files: tuple[tuple[str, str], ...] = ()  # (place, path on the node)


@dataclass(slots=True)
class Outcome:
    """A worker's answer for a unit. ``lines``: what it said. ``unseen``: it cannot read the input
    by its name. ``again``: why the unit should be tried by another worker. ``ranges``: the segments
    into which a video is to be divided instead. ``fatal``: a problem of all units. ``stopped``:
    the unit was not finished because of a request to stop."""

    results: list[Result] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    unseen: bool = False
    again: str = ""
    ranges: list[Range] = field(default_factory=list)
    fatal: RealtimeBgError | None = None
    stopped: bool = False
    engine: str = ""


class Hello(NamedTuple):
    """How a worker introduces itself. ``node``: its machine's name and address. ``missing``: the
    indices of the luggage's files that its node lacks. ``shares``: whether it sees the output
    folder of the driver."""

    node: str
    version: str
    missing: list[int]
    shares: bool
