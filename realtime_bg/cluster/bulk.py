"""Bulk runs from inputs to a report: which files, which are done already, and what is left."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from realtime_bg.cluster import luggage, places
from realtime_bg.cluster.books import Books
from realtime_bg.cluster.crew import Crew
from realtime_bg.cluster.divisions import Divisions
from realtime_bg.cluster.hand import Job
from realtime_bg.cluster.manifest import Manifest
from realtime_bg.cluster.places import Found
from realtime_bg.cluster.pool import Pool
from realtime_bg.cluster.progress import Progress, View
from realtime_bg.cluster.schedule import Schedule
from realtime_bg.cluster.tasks import Photo, Source, Unit
from realtime_bg.errors import RealtimeBgError, SettingsError, SinkError
from realtime_bg.media.suffixes import MOVING_BACKGROUNDS, PHOTOS
from realtime_bg.photos import batch
from realtime_bg.photos.batch import PhotoOptions
from realtime_bg.settings import Settings, at_home
from realtime_bg.steering.checks import check
from realtime_bg.version import __version__
from realtime_bg.videos.convert import VideoOptions, named, outputs

VIDEOS = MOVING_BACKGROUNDS  # what is taken from a folder


class Cluster(NamedTuple):
    """Where to run. ``address``: ``auto``, ``local`` or ``ray://HOST:PORT``. ``workers``, ``cpus``
    and ``gpus``: see `Pool`."""

    address: str
    workers: int | None = None
    cpus: float | None = None
    gpus: float | None = None


class Outcome(NamedTuple):
    """How a run ended. ``changed``: of the ``skipped``, results of other settings or inputs.
    ``failed``: one line for each input. ``folder``: of the results."""

    done: int
    skipped: int
    changed: int
    failed: list[str]
    folder: str


class Run:
    """One call of a command: the same settings and options for all its inputs."""

    def __init__(
        self,
        where: Cluster,
        settings: Settings,
        options: PhotoOptions | VideoOptions,
        out: str,
        overwrite: bool,
    ) -> None:
        """``out``: the output folder, a path or URL. ``overwrite``: make results anew that earlier
        runs have made. Raises RealtimeBgError for settings that cannot work."""
        check(settings)
        self._where, self._settings, self._options = where, settings, options
        self._out = out if places.is_url(out) else str(at_home(out).absolute())
        self._overwrite = overwrite
        self._skipped = self._changed = 0

    def photos(
        self, inputs: list[str], stop: threading.Event, tick: Callable[[View], None]
    ) -> Outcome:
        """Process photos, folders and patterns, paths or URLs, like `batch.run`. ``tick`` is called
        from time to time. Raises RealtimeBgError."""
        assert isinstance(self._options, PhotoOptions)
        found = [each for name in inputs for each in _photos(name, self._out)]
        mirrored = batch.mirrored([Path(each.place) for each in found], self._options)
        with self._manifest() as manifest:
            there = _There(self._out, manifest, self._overwrite)
            photos = [
                Photo(source, place.as_posix(), format)
                for each, (place, format) in zip(found, mirrored, strict=True)
                if self._is_left(there, place.as_posix(), [], source := _source(each))
            ]
            progress = Progress(len(photos), len(photos))
            return self._do(manifest, Schedule(photos=photos), progress, stop, tick)

    def videos(
        self, inputs: list[str], stop: threading.Event, tick: Callable[[View], None]
    ) -> Outcome:
        """Convert videos, paths or URLs, like `convert`. Raises RealtimeBgError."""
        assert isinstance(self._options, VideoOptions)
        if self._options.alpha == "png-sequence":
            raise SettingsError("--alpha png-sequence makes folders; leave --cluster out")
        found = [each for name in inputs for each in _videos(name)]
        targets = [named("./", Path(each.place), self._options).name for each in found]
        for place, often in Counter(targets).items():
            if often > 1:
                raise SinkError(f"two videos would become {place}; convert them in two calls")
        with self._manifest() as manifest:
            there = _There(self._out, manifest, self._overwrite)
            units = []
            for each, place in zip(found, targets, strict=True):
                made = [path.name for path in outputs(Path(place), self._options).values()]
                source = _source(each)
                if self._is_left(there, place, made, source):
                    weight = _size(source.name)
                    units.append(Unit("video", place, weight, source=source, place=place))
            divisions = Divisions(self._out, manifest)
            left = [each for unit in units for each in divisions.resumed(unit) or [unit]]
            progress = Progress(sum(unit.weight for unit in left), len(units))
            return self._do(manifest, Schedule(left), progress, stop, tick, divisions)

    def _is_left(self, there: "_There", key: str, made: list[str], source: Source) -> bool:
        state = there.state(key, made or [key], source)
        self._skipped += state != ""
        self._changed += state == "changed"
        return not state

    def _do(
        self,
        manifest: Manifest,
        schedule: Schedule,
        progress: Progress,
        stop: threading.Event,
        tick: Callable[[View], None],
        divisions: Divisions | None = None,
    ) -> Outcome:
        done, failed = 0, []
        if len(schedule):
            cuda = self._settings.engine.device != "cpu"
            where = self._where
            pool = Pool(where.address, where.workers, where.cpus, where.gpus, cuda)
            with closing(pool), closing(Job(pool, self._settings, self._options, self._out)) as job:
                divisions = divisions or Divisions(self._out, manifest)
                books = Books(manifest, divisions, progress)
                Crew(job, schedule, books, progress, stop).run(lambda: tick(progress.view()))
                done, failed = books.done, sorted(books.failed)
        if not stop.is_set():
            manifest.end()
        return Outcome(done, self._skipped, self._changed, failed, places.shown(self._out))

    @contextmanager
    def _manifest(self) -> Iterator[Manifest]:
        with closing(Manifest(self._out)) as manifest:
            manifest.begin(_digest(self._settings, self._options), self._overwrite)
            yield manifest


def _photos(name: str, out: str) -> list[Found]:
    if places.is_url(name):
        return places.found(name, PHOTOS)
    folder = None if places.is_url(out) else Path(out)
    return [Found(str(each.path), each.place.as_posix()) for each in batch.find(name, folder)]


def _videos(name: str) -> list[Found]:
    if places.is_url(name):
        return places.found(name, VIDEOS)
    path = at_home(name)
    if path.is_dir():
        raise SettingsError(f"{name} is a folder; give the videos in it, as in {name}/*.mp4")
    return [Found(str(path), path.name)]


def _source(each: Found) -> Source:
    """An input. One that cannot be looked at is left to a worker, which says what is wrong."""
    name = each.name if places.is_url(each.name) else str(Path(each.name).absolute())
    try:
        return Source(name, places.version(name))
    except RealtimeBgError:
        return Source(name, "")


def _size(name: str) -> int:
    try:
        return max(1, places.size(name))
    except RealtimeBgError:
        return 1


def _digest(settings: Settings, options: PhotoOptions | VideoOptions) -> str:
    """A short name for everything besides the input on which a result depends."""
    keys = {"engine", "background", "refine", "harmonise", "light", "output"}
    values = {
        "version": __version__,
        "settings": settings.model_dump(mode="json", include=keys),
        "options": options.model_dump(mode="json"),
        "files": luggage.packed(settings),
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


class _There:
    """Which results are there already."""

    def __init__(self, out: str, manifest: Manifest, overwrite: bool) -> None:
        self._out, self._manifest, self._overwrite = out, manifest, overwrite
        self._listed: dict[str, set[str]] = {}

    def state(self, key: str, made: Iterable[str], source: Source) -> str:
        """Empty if a result has to be made; ``done``, ``changed``, see `Manifest.state`, or
        ``there`` if nothing is known of it."""
        if not all(self._has(place) for place in made):
            return ""
        state = self._manifest.state(key, source.version)
        if self._overwrite:
            return "done" if state == "done" else ""
        return state or "there"

    def _has(self, place: str) -> bool:
        folder, _, name = place.rpartition("/")
        if folder not in self._listed:  # one listing for many files: stores are slow
            self._listed[folder] = set(places.names(places.within(self._out, folder)))
        return name in self._listed[folder]
