"""One worker as the driver sees it: hired, given units, and brought the files that its node cannot
read."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from realtime_bg.cluster import luggage, places
from realtime_bg.cluster.pool import Lost
from realtime_bg.cluster.progress import Progress
from realtime_bg.cluster.tasks import Hello, Outcome, Result, Source, Unit
from realtime_bg.errors import SettingsError, SinkError, SourceError, reason
from realtime_bg.photos.batch import PhotoOptions
from realtime_bg.settings import Settings
from realtime_bg.system.files import whole
from realtime_bg.version import __version__
from realtime_bg.videos.convert import VideoOptions

POLL = 0.25  # seconds between two looks at a worker
MARK = ".realtime-bg-"
PIECE = 8 * 2**20  # bytes that are brought at a time
PATIENCE = 120.0  # seconds until the first worker must have started
LEAVING = 5.0  # seconds that it has to delete its files
GRACE = 20.0  # seconds that a worker has to stop


class Workers(Protocol):
    """What `Pool` offers; see there."""

    workers: int

    def hire(self) -> Any: ...
    def ask(self, worker: Any, method: str, *arguments: Any) -> Any: ...
    def answered(self, reference: Any, seconds: float) -> bool: ...
    def answer(self, reference: Any) -> Any: ...
    def put(self, data: bytes) -> Any: ...
    def dismiss(self, worker: Any) -> None: ...


class Job:
    """What all units of a run have in common. ``out``: the output folder, a path or URL. ``mark``:
    a file in it and its content, by which a worker sees that it has the same folder."""

    def __init__(
        self, pool: Workers, settings: Settings, options: PhotoOptions | VideoOptions, out: str
    ) -> None:
        """Raises SinkError if the folder cannot be written."""
        self.pool, self.options, self.out = pool, options, out
        self.settings = luggage.absolute(settings)
        self.items = luggage.packed(settings)
        self._stored: dict[int, Any] = {}
        self._lock = threading.Lock()
        self.mark = "", ""
        if not places.is_url(out):
            content = uuid.uuid4().hex
            for left in Path(out).glob(f"{MARK}*"):  # by a run that was killed
                left.unlink(missing_ok=True)
            path = Path(out).absolute() / f"{MARK}{content[:12]}"
            places.write(str(path), content.encode())
            self.mark = str(path), content

    def stored(self, indices: Sequence[int]) -> list[Any]:
        """References to files of the luggage, each stored in the cluster once."""
        with self._lock:
            for index in indices:
                if index not in self._stored:
                    content = Path(self.items[index].path).read_bytes()
                    self._stored[index] = self.pool.put(content)
            return [self._stored[index] for index in indices]

    def close(self) -> None:
        """Remove the mark. Idempotent."""
        if self.mark[0]:
            with suppress(OSError):
                Path(self.mark[0]).unlink(missing_ok=True)


class Hand:
    """A worker. Used by one thread. ``node``: where it runs. ``sees``: whether it can read inputs
    by their names, as far as is known."""

    common_disk = True  # whether nodes may be expected to see the driver's files

    def __init__(self, job: Job, number: int, progress: Progress, stop: threading.Event) -> None:
        self.number, self.node = number, "?"
        self.sees = self.common_disk
        self._job, self._pool = job, job.pool
        self._progress, self._stop = progress, stop
        self._given: dict[str, str] = {}  # inputs on its node: name -> path
        self._is_idle = False  # settled, and not at work
        self._worker = self._pool.hire()

    def settle(self, is_wanted: Callable[[], bool], others_work: Callable[[], bool]) -> bool:
        """Wait until it has started, and hand it the settings; False if it is not wanted any more.
        Raises Lost, and RealtimeBgError for a problem of all workers."""
        reference = self._pool.ask(self._worker, "hello", self._job.items, self._job.mark)
        began = time.monotonic()
        while not self._pool.answered(reference, POLL):
            if not is_wanted():
                return False
            if time.monotonic() - began > PATIENCE and not others_work():
                raise SettingsError(
                    f"no worker has started within {PATIENCE:.0f} s; is the cluster busy? "
                    "`ray status` says; or lower --workers, --cpus-per-worker"
                )
        hello: Hello = self._pool.answer(reference)
        self.node = hello.node
        if hello.version != __version__:
            raise SettingsError(
                f"{hello.node} has realtime-bg {hello.version}, this machine {__version__}; "
                "install the same version on all nodes"
            )
        self._writes = places.is_url(self._job.out) or (hello.shares and self.common_disk)
        out = self._job.out
        out = out if places.is_url(out) else str(Path(out).absolute())
        problem = self._ask(
            "settle",
            self._job.settings,
            self._job.options,
            out if self._writes else None,
            self._job.items,
            hello.missing,
            *self._job.stored(hello.missing),
        )
        if problem is not None:
            raise problem
        self._is_idle = True
        return True

    def do(self, unit: Unit) -> Outcome:
        """Let it do a unit; what it has made is then at its place. Raises Lost, SinkError."""
        if not self.sees:
            unit = self._brought(unit)
        self._is_idle = False
        reference = self._pool.ask(self._worker, "do", unit)
        before, end = 0, None
        while not self._pool.answered(reference, POLL):
            if self._stop.is_set():
                if end is None:
                    end = time.monotonic() + GRACE
                    self._pool.ask(self._worker, "cancel")
                elif time.monotonic() > end:
                    return Outcome(stopped=True)
                continue
            before = self._look(unit, before)
        outcome: Outcome = self._pool.answer(reference)
        self._look(unit, before)
        self._is_idle = True
        outcome.results = [self._kept(result) for result in outcome.results]
        return outcome

    def _look(self, unit: Unit, before: int) -> int:
        """Take note of the progress; returns how much of the unit is done."""
        done, total = self._ask("progress")
        self._progress.made_by(self.node, done - before)
        if total:
            self._progress.at_work(self.number, unit.weight * min(1.0, done / total))
        return int(done)

    def _brought(self, unit: Unit) -> Unit:
        """The unit with inputs that its node cannot read."""
        photos = tuple(
            photo
            if places.is_url(photo.source.name)
            else photo._replace(source=_with_content(photo.source))
            for photo in unit.photos
        )
        if unit.source is None:
            return replace(unit, photos=photos)
        source, *parts = self._with_paths([unit.source, *unit.parts])
        return replace(unit, source=source, parts=tuple(parts))

    def _with_paths(self, sources: list[Source]) -> list[Source]:
        """Inputs with their paths on the node, to which they are brought; others there go."""
        names = {source.name for source in sources if not places.is_url(source.name)}
        for name in self._given.keys() - names:
            self._ask("drop", self._given.pop(name))
        for name in names - self._given.keys():
            if (path := self._bring(name)) is not None:
                self._given[name] = path
        return [
            source._replace(path=self._given[source.name])
            if source.name in self._given
            else _without_version(source)
            for source in sources
        ]

    def _bring(self, name: str) -> str | None:
        """The path of a file on the node; None if it cannot be read here."""
        there, offset, path = f"{uuid.uuid4().hex}{Path(name).suffix}", 0, ""
        try:
            with open(name, "rb") as file:
                while (data := file.read(PIECE)) or not path:
                    path = self._ask("receive", there, offset, data)
                    offset += len(data)
        except OSError:
            return None
        return path

    def _kept(self, result: Result) -> Result:
        """A result without its content, which is now in the output folder."""
        if result.data is not None:
            places.write(places.within(self._job.out, result.key), result.data)
        for place, path in result.files:
            target = Path(places.within(self._job.out, place))
            try:
                with whole(target) as partial, partial.open("wb") as file:
                    while data := self._ask("piece", path, file.tell(), PIECE):
                        file.write(data)
            except OSError as error:
                raise SinkError(f"{target}: cannot be written ({reason(error)})") from None
            self._ask("drop", path)
        return result._replace(data=None, files=())

    def _ask(self, method: str, *arguments: Any) -> Any:
        return self._pool.answer(self._pool.ask(self._worker, method, *arguments))

    def dismiss(self) -> None:
        """End it."""
        if self._is_idle:
            with suppress(Lost):
                self._pool.answered(self._pool.ask(self._worker, "leave"), LEAVING)
        self._pool.dismiss(self._worker)


def _with_content(source: Source) -> Source:
    try:
        return source._replace(data=places.read(source.name))
    except SourceError:
        return _without_version(source)


def _without_version(source: Source) -> Source:
    """An input that cannot be read here, of which its worker says so."""
    return source if places.is_url(source.name) else source._replace(version="")
