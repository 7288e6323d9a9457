"""The part that runs on the nodes: an actor that keeps its engine open from unit to unit."""

import hashlib
import logging
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path

import cv2

from realtime_bg.cluster import luggage, places
from realtime_bg.cluster.luggage import Item
from realtime_bg.cluster.tasks import Hello, Outcome, Result, Source, Unit, segment_place
from realtime_bg.errors import (
    BackgroundError,
    EngineError,
    ModelError,
    RealtimeBgError,
    SinkError,
    reason,
)
from realtime_bg.photos.batch import PhotoOptions, Studio, developed
from realtime_bg.settings import Settings
from realtime_bg.system import console
from realtime_bg.version import __version__
from realtime_bg.videos.convert import VideoOptions, convert, outputs
from realtime_bg.videos.segments import Segment, convert_segment, divided, join, why_whole

log = logging.getLogger(__name__)

PREFIX = "realtime-bg-"
LEFT = 24 * 3600.0  # seconds after which the folder of a worker that has ended is deleted


class Worker:
    """Does one unit at a time on one thread; other methods may be called meanwhile."""

    def __init__(self, threads: int) -> None:
        """``threads``: how many the networks and OpenCV may use."""
        cv2.setNumThreads(threads)
        self._threads = threads
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        _sweep(self._folder)
        self._stop = threading.Event()
        self._done, self._total = 0, 0
        self._said = StringIO()
        self._names: dict[str, str] = {}  # of files in its folder: path -> what the user calls it
        self._settings: Settings | None = None
        self._options: PhotoOptions | VideoOptions | None = None
        self._out: str | None = None
        self._studio: Studio | None = None

    def hello(self, items: list[Item], mark: tuple[str, str]) -> Hello:
        """Introduce itself. ``mark``: a file in the output folder and its content, by which the
        worker sees whether it has the same folder."""
        return Hello(
            f"{socket.gethostname()}/{_node()[:4]}",
            __version__,
            luggage.lacking(items),
            _has(*mark),
        )

    def settle(
        self,
        settings: Settings,
        options: PhotoOptions | VideoOptions,
        out: str | None,
        items: list[Item],
        missing: Sequence[int],
        *contents: bytes,
    ) -> RealtimeBgError | None:
        """Take over the settings of the run. ``out``: the output folder, None if the worker cannot
        write there. ``contents``: of the files ``missing``. Returns what makes them unusable."""
        console.err.file = self._said
        console.show_logs(False)
        if settings.engine.threads is None:
            engine = settings.engine.model_copy(update={"threads": self._threads})
            settings = settings.model_copy(update={"engine": engine})
        try:
            given = dict(zip(missing, contents, strict=True))
            settings = luggage.unpacked(settings, items, given, self._folder / "luggage")
        except OSError as error:
            return SinkError(f"{socket.gethostname()}: no place for weights ({reason(error)})")
        if isinstance(options, PhotoOptions) and options.background is not None:
            options = options.model_copy(update={"background": settings.background.current})
        self._settings, self._options, self._out = settings, options, out
        return None

    def progress(self) -> tuple[int, int]:
        """How many photos or frames of the present unit are done, and of how many; 0 if unknown."""
        return self._done, self._total

    def cancel(self) -> None:
        """Stop the present unit soon."""
        self._stop.set()

    def receive(self, name: str, offset: int, data: bytes) -> str:
        """Store a piece of an input that this node cannot read; return where."""
        path = self._folder / "given" / name
        path.parent.mkdir(exist_ok=True)
        with path.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)
        return str(path)

    def piece(self, path: str, offset: int, length: int) -> bytes:
        """A piece of a result; empty at its end."""
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def drop(self, path: str) -> None:
        """Delete a file that is not needed any more."""
        Path(path).unlink(missing_ok=True)

    def leave(self) -> None:
        """Delete all its files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def do(self, unit: Unit) -> Outcome:
        """Do a unit. Whatever happens is told in the outcome."""
        self._done = self._total = 0
        self._names.clear()
        outcome = Outcome()
        kinds: dict[str, Callable[[Unit, Outcome], None]] = {
            "photos": self._photos,
            "video": self._video,
            "segment": self._segment,
            "join": self._join,
        }
        try:
            kinds[unit.kind](unit, outcome)
        except MemoryError:
            outcome.again = "out of memory"
        except _Unseen:
            outcome.unseen = True
        except (ModelError, BackgroundError) as error:
            outcome.fatal = error
        except Exception as error:  # a bug is one of this video, not of the run
            if unit.source is None:
                outcome.fatal = (
                    error if isinstance(error, RealtimeBgError) else EngineError(_text(error))
                )
            else:
                grave, why = isinstance(error, EngineError), self._why(unit.source, error)
                outcome.results.append(Result(unit.key, why, grave=grave))
        outcome.lines = [self._named(line) for line in self._said.getvalue().splitlines()]
        self._said.seek(0)
        self._said.truncate()
        return outcome

    def _photos(self, unit: Unit, outcome: Outcome) -> None:
        assert self._settings is not None
        assert isinstance(self._options, PhotoOptions)
        if self._studio is None:
            self._studio = Studio(self._settings, self._options)
        self._total = len(unit.photos)
        for photo in unit.photos:
            if self._stop.is_set():
                outcome.stopped = True
                return
            digest = ""
            try:
                data = _content(photo.source)
                digest = hashlib.sha256(data).hexdigest()
                name = places.shown(photo.source.name)
                made = developed(data, photo.format, name, self._studio)
                if self._out is not None:
                    places.write(places.within(self._out, photo.place), made)
                kept = made if self._out is None else None
                outcome.results.append(Result(photo.place, "", digest, data=kept))
            except (ModelError, BackgroundError, _Unseen, MemoryError):
                raise
            except Exception as error:
                grave = isinstance(error, EngineError | SinkError)
                why = self._why(photo.source, error)
                outcome.results.append(Result(photo.place, why, digest, grave))
            self._done += 1

    def _video(self, unit: Unit, outcome: Outcome) -> None:
        settings, options = self._for_videos()
        with self._workplace(unit) as (source, digest, target):
            if unit.length and (cut := self._cut(unit, source, target)):
                outcome.segments = cut
            elif convert(settings, source, target, options, self._advance, self._stop):
                self._hand_over(unit.key, digest, _placed(unit, options, target), outcome)
            else:
                outcome.stopped = True

    def _cut(self, unit: Unit, source: Path, target: Path) -> list[Segment]:
        """The segments of a long video; none if it has to stay whole."""
        settings, options = self._for_videos()
        found = divided(source, target.suffix.lower(), options, unit.length)
        why = why_whole(settings)
        if found and why:
            log.warning("%s: converted as a whole, because %s", unit.place, why)
        return [] if why else found

    def _segment(self, unit: Unit, outcome: Outcome) -> None:
        settings, options = self._for_videos()
        assert unit.segment is not None
        with self._workplace(unit) as (source, digest, target):
            made = convert_segment(
                settings, source, target, options, unit.segment, self._advance, self._stop
            )
            if made is None:
                outcome.stopped = True
            else:
                self._hand_over(unit.key, digest, {segment_place(unit.key): made}, outcome)

    def _join(self, unit: Unit, outcome: Outcome) -> None:
        _, options = self._for_videos()
        with self._workplace(unit) as (source, digest, target):
            parts = [self._seen(part, target.parent) for part in unit.parts]
            if join(source, target, options, parts, self._stop):
                self._hand_over(unit.key, digest, _placed(unit, options, target), outcome)
            else:
                outcome.stopped = True

    def _for_videos(self) -> tuple[Settings, VideoOptions]:
        assert self._settings is not None
        assert isinstance(self._options, VideoOptions)
        return self._settings, self._options

    @contextmanager
    def _workplace(self, unit: Unit) -> Iterator[tuple[Path, str, Path]]:
        """Yield the video of a unit on this node, its hash, and where the result is to be made."""
        assert unit.source is not None
        with tempfile.TemporaryDirectory(dir=self._folder) as work:
            target = Path(work) / "made" / unit.place
            target.parent.mkdir()
            source = self._seen(unit.source, Path(work))
            self._names |= {
                str(source): places.shown(unit.source.name),
                str(target): places.shown(places.within(self._out or "", unit.place)),
            }
            with source.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield source, digest, target

    def _why(self, source: Source, error: Exception) -> str:
        """What to say of a failure: one line that names the input."""
        text, name = self._named(_text(error)), places.shown(source.name)
        return text if text.startswith(name) else f"{name}: {text}"

    def _named(self, text: str) -> str:
        """A text with the names that the user knows."""
        for path, name in self._names.items():
            text = text.replace(path, name)
        return text

    def _hand_over(self, key: str, digest: str, files: dict[str, Path], outcome: Outcome) -> None:
        """Deliver finished files to their places, or keep them until the driver has taken them."""
        kept = []
        for place, path in files.items():
            if self._out is not None:
                places.deliver(path, places.within(self._out, place))
            else:
                handle, name = tempfile.mkstemp(dir=self._folder)
                os.close(handle)
                kept.append((place, str(path.replace(name))))
        outcome.results.append(Result(key, "", digest, files=tuple(kept)))

    def _advance(self, done: int, total: int | None, _: float) -> None:
        self._done, self._total = done, total or 0

    def _seen(self, source: Source, work: Path) -> Path:
        """The path of an input on this node, to which it is fetched if need be."""
        if source.path is not None:
            return Path(source.path)
        if places.is_url(source.name):
            path = work / (Path(source.name).name or "video")
            places.fetch(source.name, path)
            return path
        _check_seen(source)
        return Path(source.name)


def _placed(unit: Unit, options: VideoOptions, target: Path) -> dict[str, Path]:
    """The files of a result by their places in the output folder."""
    folder = Path(unit.place).parent
    return {(folder / path.name).as_posix(): path for path in outputs(target, options).values()}


class _Unseen(Exception):  # noqa: N818 - an answer
    """This node cannot read an input by its name."""


def _check_seen(source: Source) -> None:
    if not source.version:
        places.version(source.name)  # which says why it cannot be read
    try:
        same = places.version(source.name) == source.version
    except RealtimeBgError:
        same = False
    if not same:
        raise _Unseen


def _content(source: Source) -> bytes:
    if source.data is not None:
        return source.data
    if not places.is_url(source.name):
        _check_seen(source)
    return places.read(source.name)


def _text(error: Exception) -> str:
    text = str(error).split("\n")[0]
    return text if isinstance(error, RealtimeBgError) else f"{type(error).__name__}: {text}"


def _has(path: str, content: str) -> bool:
    try:
        return bool(path) and Path(path).read_text() == content
    except OSError:
        return False


def _node() -> str:
    """What the cluster calls this node."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _sweep(own: Path) -> None:
    """Delete what workers have left on this node that were killed."""
    import psutil

    for path in own.parent.glob(f"{PREFIX}[0-9]*-*"):
        number = path.name.removeprefix(PREFIX).partition("-")[0]
        if path == own or not number.isdecimal() or psutil.pid_exists(int(number)):
            continue
        with suppress(OSError):  # where containers share the folder, they have numbers of their own
            if path.stat().st_mtime < time.time() - LEFT:
                shutil.rmtree(path, ignore_errors=True)
