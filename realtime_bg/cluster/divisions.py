"""Videos that are converted in segments: which of these are left, and when they can be joined."""

import threading

from realtime_bg.cluster import places
from realtime_bg.cluster.manifest import Manifest
from realtime_bg.cluster.tasks import (
    SEGMENT,
    Source,
    Unit,
    segment_key,
    segment_place,
    segments_folder,
)
from realtime_bg.videos.segments import Segment

JOINING = 0.02  # share of a video's weight


class Divisions:
    """Used by several threads. ``out``: the output folder."""

    def __init__(self, out: str, manifest: Manifest) -> None:
        self._out, self._manifest = out, manifest
        self._lock = threading.Lock()
        self._videos: dict[str, tuple[Unit, list[str]]] = {}
        self._left: dict[str, set[str]] = {}

    def resumed(self, video: Unit) -> list[Unit]:
        """The units that are left of a video that an earlier run has divided; nothing if it was
        not."""
        assert video.source is not None
        segments = self._manifest.segments(video.key, video.source.version)
        return self._units(video, segments) if segments else []

    def begun(self, video: Unit, segments: list[Segment]) -> list[Unit]:
        """Record a video's segments; returns their units. Raises SinkError."""
        assert video.source is not None
        self._manifest.note(
            video.key,
            state="divided",
            input=places.shown(video.source.name),
            version=video.source.version,
            segments=segments,
        )
        return self._units(video, segments)

    def _units(self, video: Unit, segments: list[Segment]) -> list[Unit]:
        assert video.source is not None
        keys = [segment_key(video.place, number) for number in range(len(segments))]
        there = set(places.names(places.within(self._out, segments_folder(video.place))))
        weight = video.weight * (1 - JOINING) / len(segments)
        units = [
            Unit("segment", key, weight, source=video.source, place=video.place, segment=segment)
            for key, segment in zip(keys, segments, strict=True)
            if self._manifest.state(key, video.source.version) != "done"
            or segment_place(key).rpartition("/")[2] not in there
        ]
        with self._lock:
            self._videos[video.key] = video, keys
            self._left[video.key] = {unit.key for unit in units}
        return units or [self._join(video.key)]

    def finished(self, key: str) -> Unit | None:
        """Take note of a finished segment; returns the unit that joins its video if it was the last
        one."""
        video = key.rpartition(SEGMENT)[0]
        with self._lock:
            self._left[video].discard(key)
            if self._left[video]:
                return None
        return self._join(video)

    def _join(self, key: str) -> Unit:
        video, keys = self._videos[key]
        names = [places.within(self._out, segment_place(each)) for each in keys]
        parts = tuple(Source(name, places.version(name)) for name in names)
        weight = video.weight * JOINING
        return Unit("join", key, weight, source=video.source, place=video.place, parts=parts)

    def remove(self, key: str) -> None:
        """Delete the segments of a video that is finished."""
        if key in self._videos:
            self._manifest.forget_segments(key)
            places.remove(places.within(self._out, segments_folder(key)))
