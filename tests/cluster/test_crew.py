"""The driver with workers that do as they are told, without Ray: what dies, what is brought, what
ends the run."""

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from realtime_bg.cluster import crew as crews
from realtime_bg.cluster import hand as hands
from realtime_bg.cluster import places
from realtime_bg.cluster.books import Books
from realtime_bg.cluster.crew import Crew
from realtime_bg.cluster.divisions import Divisions
from realtime_bg.cluster.hand import Job
from realtime_bg.cluster.manifest import Manifest
from realtime_bg.cluster.pool import Lost, OutOfMemory
from realtime_bg.cluster.progress import Progress
from realtime_bg.cluster.schedule import Schedule
from realtime_bg.cluster.tasks import ATTEMPTS, Hello, Outcome, Photo, Result, Source, Unit
from realtime_bg.errors import EngineError, ModelError, SettingsError
from realtime_bg.photos.batch import PhotoOptions
from realtime_bg.settings import load
from realtime_bg.system.backoff import Backoff
from realtime_bg.version import __version__
from realtime_bg.videos.segments import Segment


class Pool:
    """Answers as `Pool` does. ``do``: what a worker does with a unit; it may raise Lost."""

    def __init__(self, do, workers=2, version=__version__, sees=True):
        self.workers, self._do, self._version, self._sees = workers, do, version, sees
        self.hired, self.given, self.settled = 0, [], []
        self.starts = True
        self._lock = threading.Lock()

    def hire(self):
        with self._lock:
            self.hired += 1
            return self.hired

    def ask(self, worker, method, *arguments):
        return worker, method, arguments

    def answered(self, reference, seconds):
        return self.starts or reference[1] != "hello"

    def answer(self, reference):
        worker, method, arguments = reference
        if method == "hello":
            return Hello(f"node-{worker}", self._version, [], self._sees)
        if method == "progress":
            return 0, 0
        if method == "do":
            with self._lock:
                self.given.append(arguments[0])
            return self._do(worker, arguments[0])
        if method == "settle":
            self.settled.append(arguments)
        if method == "receive":
            return f"/node/{arguments[0]}"
        return None

    def put(self, data):
        return data

    def dismiss(self, worker):
        pass


def made(unit, why=""):
    """The outcome of a unit of which everything went well, or failed."""
    keys = [photo.place for photo in unit.photos] or [unit.key]
    return Outcome([Result(key, why, "h") for key in keys])


@pytest.fixture
def crew(tmp_path):
    """Run a crew over units or so many photos: (results, failures, manifest's states)."""

    def run(pool, units=(), photos=0):
        sources = [tmp_path / f"{number}.jpg" for number in range(photos)]
        for path in sources:
            path.write_bytes(b"jpeg " + path.name.encode())
        given = [
            Photo(Source(str(path), places.version(str(path))), f"{path.stem}.png", "png")
            for path in sources
        ]
        out = str(tmp_path / "out")
        with closing(Manifest(out)) as manifest:
            manifest.begin("s", False)
            settings = load(None, {"engine.name": "threshold", "background.current": "blue"})
            with closing(Job(pool, settings, PhotoOptions(), out)) as job:
                progress = Progress(1, 1)
                books = Books(manifest, Divisions(out, manifest), progress)
                Crew(job, Schedule(units, given), books, progress, threading.Event()).run(
                    lambda: None
                )
            states = {key: line["state"] for key, line in manifest._lines.items()}
        assert [path.name for path in (tmp_path / "out").iterdir() if path.name[0] == "."] == []
        return books.done, books.failed, states

    return run


def test_only_the_photo_that_kills_its_workers_fails(crew):
    def do(worker, unit):
        if any(photo.place == "5.png" for photo in unit.photos):
            raise Lost("out of memory")
        return made(unit)

    pool = Pool(do)
    count, failed, states = crew(pool, photos=40)
    assert count == 39
    assert len(failed) == 1
    assert "5.jpg: its worker died 3 times (out of memory)" in failed[0]
    assert states.pop("5.png") == "failed"
    assert set(states.values()) == {"done"}
    assert ATTEMPTS <= pool.hired <= 2 + ATTEMPTS
    done = [photo.place for unit in pool.given for photo in unit.photos]
    assert done.count("5.png") == ATTEMPTS
    assert all(done.count(f"{n}.png") == 1 for n in range(20, 40))


def short_of_memory(monkeypatch, deaths):
    """A pool whose first workers die before they can do anything."""
    pool = Pool(lambda worker, unit: made(unit))
    answer = pool.answer

    def dying(reference):
        worker, method, _ = reference
        if method == "hello" and worker <= deaths:
            raise OutOfMemory("killed for want of memory")
        return answer(reference)

    monkeypatch.setattr(pool, "answer", dying)
    return pool


def test_a_node_short_of_memory_gets_time(crew, monkeypatch):
    pauses = []
    monkeypatch.setattr(Crew, "_wait", lambda self, seconds: pauses.append(seconds))
    count, failed, _ = crew(short_of_memory(monkeypatch, 6), photos=4)
    assert (count, failed) == (4, [])
    assert sorted(pause for pause in pauses if pause) == [2, 2, 5, 5, 15, 15]
    with pytest.raises(EngineError, match=r"workers cannot start .* for want of memory"):
        crew(short_of_memory(monkeypatch, 99), photos=4)


def test_waiting_for_memory_ends_with_the_run(crew, monkeypatch):
    monkeypatch.setattr(crews, "SHORTAGES", Backoff(3600.0))
    count, failed, _ = crew(short_of_memory(monkeypatch, 1), photos=4)
    assert (count, failed) == (4, [])


def test_a_node_without_the_files_gets_them(crew):
    def do(worker, unit):
        if unit.photos[0].source.data is None:
            return Outcome(unseen=True)
        assert all(photo.source.data.startswith(b"jpeg ") for photo in unit.photos)
        made = [Result(photo.place, "", "h", data=photo.source.data) for photo in unit.photos]
        return Outcome(made)

    pool = Pool(do, workers=1, sees=False)
    count, failed, _ = crew(pool, photos=9)
    assert (count, failed) == (9, [])
    assert pool.settled[0][2] is None  # it must not write to a folder of the same name
    assert sum(photo.source.data is None for unit in pool.given for photo in unit.photos) <= 3


def test_results_of_a_node_without_the_folder_are_taken(crew, tmp_path):
    def do(worker, unit):
        return Outcome([Result(each.place, "", "h", data=b"png") for each in unit.photos])

    crew(Pool(do, sees=False), photos=3)
    assert (tmp_path / "out/2.png").read_bytes() == b"png"


def test_an_input_that_vanishes_is_named(crew, tmp_path):
    def do(worker, unit):
        (photo,) = unit.photos
        if photo.source.version:
            Path(photo.source.name).unlink(missing_ok=True)
            return Outcome(unseen=True)
        return made(unit, f"{photo.source.name}: cannot be read")

    count, failed, _ = crew(Pool(do, workers=1), photos=1)
    assert (count, len(failed)) == (0, 1)


def test_a_problem_of_all_units_ends_the_run(crew):
    with pytest.raises(ModelError, match="no weights"):
        crew(Pool(lambda worker, unit: Outcome(fatal=ModelError("no weights"))), photos=9)

    def grave(worker, unit):
        return Outcome([Result(unit.photos[0].place, "engine x failed", grave=True)])

    with pytest.raises(EngineError, match="engine x failed"):
        crew(Pool(grave), photos=9)


def test_workers_that_never_come_to_life_end_the_run(crew, monkeypatch):
    def do(worker, unit):
        raise AssertionError

    pool = Pool(do, version="0.0.1")
    with pytest.raises(SettingsError, match=r"node-\d has realtime-bg 0\.0\.1, this machine"):
        crew(pool, photos=2)
    pool.starts = False
    monkeypatch.setattr(hands, "PATIENCE", 0.0)
    monkeypatch.setattr(hands, "POLL", 0.001)
    monkeypatch.setattr(pool, "answered", lambda *_: time.sleep(0.001))
    with pytest.raises(SettingsError, match="no worker has started"):
        crew(pool, photos=2)


def divided(fail=(), lose=()):
    """What workers do with a video of three segments."""
    lost = set(lose)

    def do(worker, unit):
        if unit.kind == "video":
            return Outcome(segments=[Segment(None, 5), Segment(5, 9), Segment(9, None)])
        if unit.key in lost:
            lost.discard(unit.key)
            raise Lost("killed")
        return made(unit, "cannot be decoded" if unit.key in fail else "")

    return do


def video(tmp_path, name="v.mp4"):
    (tmp_path / name).write_bytes(b"video")
    path = str(tmp_path / name)
    return Unit("video", name, 5.0, source=Source(path, places.version(path)), place=name)


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Segments count as delivered: these workers make no files."""
    monkeypatch.setattr(
        "realtime_bg.cluster.divisions.places.version", lambda name: f"version of {name}"
    )


@pytest.mark.usefixtures("packed")
def test_a_video_is_joined_when_all_its_segments_are_there(crew, tmp_path):
    pool = Pool(divided(lose=["v.mp4#0001"]))
    count, failed, states = crew(pool, [video(tmp_path)])
    assert (count, failed, states) == (1, [], {"v.mp4": "done"})
    assert [unit.kind for unit in pool.given].count("segment") == 4
    joined = pool.given[-1]
    assert joined.kind == "join"
    assert [part.name for part in joined.parts] == [
        str(tmp_path / f"out/.v.mp4.segments/000{number}.tar") for number in range(3)
    ]


@pytest.mark.usefixtures("packed")
def test_a_video_with_a_bad_segment_fails_once_and_others_are_done(crew, tmp_path):
    do = divided(fail=["v.mp4#0000", "v.mp4#0001"])
    units = [video(tmp_path), video(tmp_path, "w.mp4")]
    count, failed, states = crew(Pool(do, workers=1), units)
    assert (count, failed) == (1, ["cannot be decoded"])
    assert states["w.mp4"] == "done"
    assert states["v.mp4"] == "divided"
    assert states["v.mp4#0000"] == "failed"
    assert "v.mp4#0001" not in states  # of no use any more
