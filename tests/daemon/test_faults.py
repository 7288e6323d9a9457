"""Everything that can fail, failing many times under the daemon: nothing of the room gets out,
outputs never stop for two seconds, nothing is left behind, and it recovers. Prints a table."""

import logging
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from helpers import faulty
from helpers.daemons import Running
from helpers.faulty import LAYER, SIZE, bench
from helpers.waiting import PROMPT, until

from realtime_bg import backgrounds, engines, sources
from realtime_bg.daemon.endpoint import UnixEndpoint
from realtime_bg.daemon.supervisor import Sleeping
from realtime_bg.live import outlets
from realtime_bg.processing import given_up as given_up_engines

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts in /proc")
LONGEST = 2.0  # seconds an output may be without a picture
ROWS = []


@dataclass
class Rig:
    """A daemon with the faulty devices."""

    run: Running
    config: Path
    room: Path
    model: Path
    clock: list = field(default_factory=lambda: [0.0])

    def well(self, *names):
        """Whether each output has a new picture in which all is well."""
        for name in names or ("null", "virtualcam"):
            until(lambda name=name: name in bench.seen)
            seen = bench.seen[name]
            before = seen.count
            until(lambda seen=seen, before=before: seen.count > before + 2 and seen.well)

    def has_viewers(self, path):
        until(lambda: self.run.daemon.files.watches(path))

    def hidden(self):
        until(lambda: not bench.seen["null"].well)

    def said(self, text):
        return any(text in line for line in self.run.daemon.ring.last(1000))


def camera(kind):
    def inject(rig):
        bench.camera = kind
        rig.hidden()

    return inject


def stalled(kind, words):
    """Until the watchdog has done about it what it says."""

    def inject(rig):
        rig.run.daemon.ring._lines.clear()
        camera(kind)(rig)
        until(lambda: rig.said(words))

    return inject


def busy(rig):
    """Unplugged, and somebody else has it when it is back."""
    camera("gone")(rig)
    for kind in ("gone", "busy"):
        bench.camera, tries = kind, bench.tries
        until(lambda tries=tries: bench.tries > tries)


def resize(rig):
    bench.size = (96, 54) if bench.size == SIZE else SIZE


def engine(kind):
    def inject(rig):
        before = rig.run.daemon.stats.failures
        bench.engine = kind
        until(lambda: rig.run.daemon.stats.failures > before)

    return inject


def out_of_memory(rig):
    """Each time on the GPU anew: choosing it says that it may be tried again."""
    device = "cuda" if rig.run.live.now.engine.device == "auto" else "auto"
    rig.run.live.update(engine__device=device)
    until(lambda: rig.run.daemon.stats.provider == "CUDA:0")
    before = len(bench.engines)
    bench.engine = "oom"
    until(lambda: ("room", "cpu") in bench.engines[before:])


def given_up(rig):
    """Until it has been tried again in vain."""
    before = len(bench.engines)
    bench.engine = "sick"
    until(lambda: bench.engines[before:].count(("room", "auto")) > 1)
    rig.well()
    status = rig.run.ask("status")
    assert status["engine"] == "embedded"
    assert "RuntimeError: bad weights; tried again" in status["given_up"]["room"]


def no_engine(rig):
    """The engine, and both that stand in for it."""
    bench.engine = "broken"
    restarts = rig.run.daemon.restarts
    until(lambda: rig.run.daemon.restarts > restarts)


def output(kind):
    def inject(rig):
        bench.output = kind
        count = bench.seen["virtualcam"].count
        time.sleep(0.7)  # in which it gets next to nothing
        assert bench.seen["virtualcam"].count - count < 5

    return inject


def disk(rig):
    rig.run.live.update(output__record=True)
    until(lambda: "recording" in bench.seen)
    bench.disk = "full"
    until(lambda: not rig.run.live.now.output.record)
    del bench.seen["recording"]


def stage(rig):
    bench.stage = "raising"
    restarts = rig.run.daemon.restarts
    until(lambda: rig.run.daemon.restarts > restarts)


def write_room(path, shade):
    new = path.with_name("new.png")
    new.write_bytes(cv2.imencode(".png", np.full((36, 64, 3), (0, shade, 0), np.uint8))[1])
    os.replace(new, path)


def repaint(rig):
    """Another picture under the same name; seen in the output."""
    shade = 80 + (bench.seen["null"].corner[1] - 79) % 100
    write_room(rig.room, shade)
    until(lambda: bench.seen["null"].corner == (0, shade, 0))


def room_replaced(rig):
    rig.has_viewers(rig.room)
    repaint(rig)


def room_deleted(rig):
    rig.has_viewers(rig.room)
    rig.room.unlink()
    until(lambda: rig.said("room.png has been deleted"))
    rig.well()  # what was read stays
    rig.run.daemon.ring._lines.clear()
    repaint(rig)


def model_replaced(rig):
    rig.has_viewers(rig.model)
    count = len(bench.engines)
    rig.model.write_text(str(time.monotonic()))
    until(lambda: len(bench.engines) > count)


def wall_clock(rig, monkeypatch):
    jump = 86400 * 365 * (1 if int(time.monotonic() * 10) % 2 else -1)
    real = time.time.__self__.time if hasattr(time.time, "__self__") else time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    count = bench.seen["null"].count
    until(lambda: bench.seen["null"].count > count + 5)
    monkeypatch.undo()


def suspend(rig):
    count = rig.run.live.now.resets
    rig.clock[0] += 3600
    until(lambda: rig.run.live.now.resets > count)


def bad_edit(rig):
    before = rig.run.live.now
    rig.config.write_text("refine:\n  feather: soft\n")
    until(lambda: "line 2" in rig.run.daemon.config.problem)
    assert rig.run.live.now.refine == before.refine
    rig.config.write_text(yaml.safe_dump({"refine": {"threshold": 0.5}}))
    until(lambda: rig.run.daemon.config.problem == "")


# what, how often, how
FAULTS = {
    "camera unplugged and back": (10, camera("gone")),
    "camera busy when it is back": (4, busy),
    "camera sends nothing": (3, stalled("silent", "has sent no frames")),
    "camera hangs in its driver": (2, stalled("hanging", "is abandoned")),
    "camera's picture cannot be read": (3, camera("raising")),
    "camera changes its resolution": (20, resize),
    "engine raises": (20, engine("raising")),
    "engine says NaN": (20, engine("lying")),
    "engine hangs": (4, engine("hanging")),
    "engine given up and back": (3, given_up),
    "GPU out of memory": (10, out_of_memory),
    "no engine is left": (2, no_engine),
    "virtual camera removed and back": (4, output("gone")),
    "virtual camera blocks": (3, output("blocked")),
    "disk full while recording": (10, disk),
    "background cannot be drawn": (2, stage),
    "background replaced": (3, room_replaced),
    "background deleted and back": (3, room_deleted),
    "model file replaced": (3, model_replaced),
    "wall clock jumps by a year": (10, wall_clock),
    "computer sleeps for an hour": (5, suspend),
    "config.yaml spoiled and mended": (2, bad_edit),
}
RETRY = {"engine raises": 100, "engine says NaN": 100}  # engine.retries where it must not run out


@pytest.fixture
def rig(request, tmp_path, monkeypatch):
    bench.__init__()
    monkeypatch.setitem(sources.SOURCES, "demo", "helpers.faulty:Camera")
    monkeypatch.setitem(backgrounds.BACKGROUNDS, "image", "helpers.faulty:Room")
    for name in ("room", "embedded", "grabcut"):
        monkeypatch.setitem(engines.ENGINES, name, "helpers.faulty:Network")
    monkeypatch.setattr(outlets, "open_sink", faulty.open_output)
    monkeypatch.setattr(outlets, "BLOCKED", 0.4)
    config, room = tmp_path / "config.yaml", tmp_path / "room.png"
    config.write_text("refine: {threshold: 0.5}\n")
    write_room(room, 200)
    bench.model = tmp_path / "model.onnx"
    bench.model.write_text("1")
    name = request.node.callspec.params["name"]
    if name == "engine given up and back":
        monkeypatch.setattr(given_up_engines, "PAUSES", (0.1,))
    flags = {
        "engine.name": "room",
        "background.current": str(room),
        "source.stall": 1.0,
        "output.sinks": ("null", "virtualcam", LAYER),
        "layers.items": [
            {"name": "Clock", "text": "{time:%S}", "position": (1, 1), "behind": True},
            {"name": "Lost", "file": str(tmp_path / "lost.png")},
        ],
        "subject.mode": "main",
        "frame.mode": "auto",
        "light.active": True,
        "light.denoise": 1.0,
        "privacy.max_age": 0.2,
        "engine.hang": 0.3,
        "engine.retries": RETRY.get(name, 0),
        "output.folder": str(tmp_path),
    }
    run = Running(UnixEndpoint(tmp_path), config=config, flags=flags)
    rig = Rig(run, config, room, bench.model)
    run.daemon._sleeping = Sleeping(lambda: time.monotonic() + rig.clock[0])
    logger = logging.getLogger("realtime_bg")
    logger.addHandler(run.daemon.ring)
    run.start()
    yield rig
    heal()
    run.stop()
    logger.removeHandler(run.daemon.ring)


def heal():
    bench.camera = bench.engine = bench.output = bench.disk = bench.stage = ""
    bench.healed.set()


def held():
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


@pytest.fixture(scope="module", autouse=True)
def table(request):
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n| {'fault':<33}| times | recovery, s: median | longest | longest pause, s |")
        print("|---|---|---|---|---|")
        for name, times, recoveries, gap in ROWS:
            middle = sorted(recoveries)[len(recoveries) // 2]
            print(
                f"| {name:<33}| {times:>5} | {middle:>19.2f} | {max(recoveries):>7.2f} "
                f"| {gap:>16.2f} |"
            )


@pytest.mark.parametrize("name", FAULTS)
def test_it_survives(rig, name, monkeypatch):
    times, inject = FAULTS[name]
    rig.well()
    time.sleep(0.1)  # threads that start late are there, too
    before, recoveries = held(), []
    for seen in bench.seen.values():
        seen.gap = 0.0
    for _ in range(times):
        bench.healed.clear()
        inject(*([rig, monkeypatch] if inject is wall_clock else [rig]))
        begin = time.monotonic()
        heal()
        if name == "engine hangs":  # a choice of the user resets it at once
            rig.run.live.modify(
                lambda s: {
                    "refine.feather": s.refine.feather,
                    "engine.retries": s.engine.retries + 1,
                }
            )
        if name == "engine given up and back":
            until(lambda: rig.run.daemon.stats.engine == "room")
            assert rig.run.ask("status")["given_up"] == {}
        rig.well()
        recoveries.append(time.monotonic() - begin)
    gap = bench.seen["null"].gap
    ROWS.append((name, times, recoveries, gap))
    assert not bench.leaks, "a raw pixel reached an output"
    assert bench.persons
    assert gap < LONGEST
    until(lambda: len(bench.opened) == 1)  # one camera, and no more
    until(lambda: held()[0] <= before[0] and held()[1] <= before[1])
    assert rig.run.stop() < PROMPT
    assert rig.run.raised is None
    until(lambda: not bench.opened)
