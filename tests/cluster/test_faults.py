"""What dies in the middle of a run: a worker, a node, the command itself. Nothing is lost, and
nothing is done twice."""

import contextlib
import json
import signal
import subprocess
import sys
import threading

import cv2
import numpy as np
import psutil
import pytest
from helpers.clips import NEEDS_FFMPEG, clip, decoded, picture, sound, times
from helpers.waiting import PATIENCE, until

from realtime_bg.cluster.bulk import Cluster, Run
from realtime_bg.cluster.manifest import NAME
from realtime_bg.photos.batch import PhotoOptions
from realtime_bg.settings import load
from realtime_bg.videos import segments
from realtime_bg.videos.convert import VideoOptions

pytestmark = pytest.mark.usefixtures("place", "cluster")

COUNT = 24
SETTINGS = {"engine.name": "embedded", "background.current": "blue"}


@pytest.fixture
def photos(place):
    (place / "in").mkdir()
    for index in range(COUNT):
        cv2.imwrite(str(place / f"in/{index:02d}.png"), picture(3 * index, (192, 128)))
    return place / "in"


def run(stop, tick, workers=None, **options):
    made = Run(
        Cluster("auto", workers), load(None, SETTINGS), PhotoOptions(**options), "out", False
    )
    return made.photos(["in"], stop, tick)


def workers():
    """The processes of workers, of this machine's cluster."""
    found = []
    for process in psutil.Process().children(recursive=True):  # tests beside this one have others
        with contextlib.suppress(psutil.Error):
            if "ray::Worker" in " ".join(process.cmdline()):
                found.append(process)
    return found


def results(place):
    return {path.name: path.stat().st_mtime_ns for path in (place / "out").glob("*.png")}


def done(folder):
    lines = [json.loads(line) for line in (folder / NAME).read_text().splitlines()]
    return [line["unit"] for line in lines if line.get("state") == "done"]


def first_result(process, folder):
    """Wait until a command has done one unit: a new process, Ray, new workers, their engines."""
    until(
        lambda: (folder / NAME).exists() and done(folder),
        lambda: f"no photo was done; the command's exit code: {process.poll()}",
        timeout=2 * PATIENCE,
    )


class Once:
    """A `tick` that does something once, as soon as enough results are there."""

    def __init__(self, action, results=1):
        self._action, self._results, self.happened = action, results, False

    def __call__(self, view):
        if not self.happened and view.made >= self._results:
            self.happened = True
            self._action(view)


def kill_one(_):
    victim = workers()[0]
    victim.kill()
    victim.wait(60)


def test_a_worker_that_is_killed_is_replaced(photos, place, caplog):
    tick = Once(kill_one)
    outcome = run(threading.Event(), tick)
    assert tick.happened
    assert (outcome.done, outcome.failed) == (COUNT, [])
    assert len(results(place)) == COUNT
    assert sorted(done(place / "out")) == sorted(results(place))  # each once
    assert "has died" in caplog.text


def test_a_node_that_is_killed_is_done_without(photos, place, cluster):
    node = cluster.add_node(num_cpus=1)
    nodes = []

    def remove(view):
        nodes.extend(view.nodes)
        cluster.remove_node(node, allow_graceful=False)

    tick = Once(remove, 3)
    outcome = run(threading.Event(), tick)
    assert tick.happened
    assert len(nodes) > 1
    assert (outcome.done, outcome.failed) == (COUNT, [])
    assert sorted(done(place / "out")) == sorted(results(place))
    assert len(results(place)) == COUNT


def test_after_a_stop_the_rest_is_done(photos, place):
    stop = threading.Event()
    first = run(stop, Once(lambda _: stop.set()))
    before = results(place)
    assert 0 < len(before) < COUNT
    assert first.done == len(before)
    until(lambda: not workers(), "workers are left")
    second = run(threading.Event(), lambda _: None)
    assert (second.done, second.skipped) == (COUNT - len(before), len(before))
    after = results(place)
    assert len(after) == COUNT
    assert {name: after[name] for name in before} == before


def test_a_command_that_is_killed_goes_on_where_it_was(photos, place):
    words = [sys.executable, "-m", "realtime_bg", "image", "in", "-o", "out/", "-b", "blue"]
    words += ["-e", "embedded", "--cluster", "auto", "--overwrite"]
    with subprocess.Popen(words) as process:
        first_result(process, place / "out")
        process.kill()
    until(lambda: not workers(), "its workers outlive it")
    recorded = set(done(place / "out"))
    before = {name: at for name, at in results(place).items() if name in recorded}
    assert 0 < len(before) < COUNT
    with (place / "out" / NAME).open("a") as file:
        file.write('{"unit": "torn')  # by a power failure
    ended = subprocess.run(words, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 0, ended.stderr
    after = results(place)
    assert len(after) == COUNT
    assert {name: after[name] for name in before} == before
    # The run has ended: the same command with --overwrite is a new one.
    text = (place / "out" / NAME).read_text()
    assert json.loads(text.splitlines()[-1])["state"] == "ended"
    assert not list((place / "out").glob(".realtime-bg*"))


def test_ctrl_c_ends_it_cleanly(photos, place):
    words = [sys.executable, "-m", "realtime_bg", "image", "in", "-o", "out/", "-b", "blue"]
    words += ["-e", "embedded", "--cluster", "auto"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        first_result(process, place / "out")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "goes on from here" in said
    assert "Traceback" not in said
    assert sorted(done(place / "out")) == sorted(results(place))
    assert not list((place / "out").glob(".*"))


@NEEDS_FFMPEG
def test_a_segment_whose_worker_is_killed_is_done_again(place, monkeypatch):
    monkeypatch.setattr(segments, "LENGTH", 250)
    tone = ("-f", "lavfi", "-i", "sine=440:sample_rate=44100:duration=38")
    source = clip(place / "long.mp4", sound=tone, pictures=[picture(n % 60) for n in range(760)])
    settings = load(None, {"engine.name": "threshold", "background.current": "blue"})
    run = Run(Cluster("auto"), settings, VideoOptions(), "out", False)
    killed = []

    def tick(_):
        if not killed and any("#" in unit for unit in done(place / "out")):
            kill_one(None)
            killed.append(True)

    outcome = run.videos([str(source)], threading.Event(), tick)
    assert killed
    assert (outcome.done, outcome.failed) == (1, [])
    assert times(place / "out/long.mp4") == times(source)
    assert sound(place / "out/long.mp4") == sound(source)
    assert decoded(place / "out/long.mp4").shape == np.shape(decoded(source))
    assert done(place / "out").count("long.mp4#0001") == 1
