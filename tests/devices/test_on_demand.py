"""The camera runs while somebody looks: who reads, how that is smoothed, and how fast it is."""

import os
import struct
import subprocess
import sys
import threading
import time

import pytest
from helpers import faulty
from helpers.daemons import Running
from helpers.faulty import bench
from helpers.waiting import until

from realtime_bg import engines, sources
from realtime_bg.daemon.endpoint import UnixEndpoint
from realtime_bg.devices import readers as on_demand
from realtime_bg.devices.readers import ClientUsage, NoReaders, OpenFiles, readers
from realtime_bg.live import outlets
from realtime_bg.live.demand import SLEEP_SECONDS, WAKE_SECONDS, Demand
from realtime_bg.live.outlets import Outlets
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sinks.base import Sink
from realtime_bg.stats import Stats

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and inotify")


# how it is smoothed


@pytest.fixture
def demand():
    demand = Demand(False, lambda: demand.now)
    demand.now = 0.0

    def at(moment, watched):
        demand.now = moment
        return demand.update(watched)

    demand.at = at
    return demand


def test_a_reader_that_stays_wakes_it_and_one_that_leaves_lets_it_sleep(demand):
    assert not demand.at(1.0, True)
    assert demand.at(1.0 + WAKE_SECONDS, True)
    assert demand.at(5.0, False)
    assert demand.at(4.9 + SLEEP_SECONDS, False)
    assert not demand.at(5.0 + SLEEP_SECONDS, False)


def test_programs_that_look_briefly_again_and_again_do_not_wake_it(demand):
    moment = 0.0
    for _ in range(100):
        assert not demand.at(moment, True)
        assert not demand.at(moment + WAKE_SECONDS * 0.9, True)
        assert not demand.at(moment + WAKE_SECONDS * 0.95, False)
        moment += 1.0


def test_a_call_that_closes_and_opens_the_camera_does_not_let_it_sleep(demand):
    demand.at(0.0, True)
    assert demand.at(1.0, True)
    for moment in range(2, 50, 2):
        assert demand.at(float(moment), False)
        assert demand.at(moment + SLEEP_SECONDS * 0.9, True)


# who reads


@pytest.fixture
def reader(tmp_path):
    """Another process that has a file open; `leave` ends it."""
    path = tmp_path / "video10"
    path.write_bytes(b"")
    code = "import sys; f = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    processes = []

    def reader():
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"open\n"
        processes.append(process)
        return process

    reader.path = str(path)
    yield reader
    for process in processes:
        process.communicate()


@linux
def test_readers_are_found_through_proc(reader):
    own = open(reader.path)  # noqa: SIM115 - we are no reader
    found = OpenFiles(reader.path)
    try:
        assert found.any() is False
        first, second = reader(), reader()
        assert found.any() is True
        first.communicate()
        assert found.any() is True
        second.communicate()
        until(lambda: found.any() is False)
        third = reader()
        third.kill()  # no word of farewell
        third.wait()
        until(lambda: found.any() is False)
    finally:
        own.close()
        found.close()
        found.close()


@linux
def test_proc_is_only_searched_when_something_happened(reader, monkeypatch):
    scans = []
    real = on_demand.holders
    monkeypatch.setattr(on_demand, "holders", lambda device: scans.append(1) or list(real(device)))
    now = [0.0]
    found = OpenFiles(reader.path, lambda: now[0])
    for _ in range(100):
        found.any()
    assert len(scans) == 1
    reader()
    assert found.any()
    assert len(scans) == 2
    now[0] = 100.0
    found.any()
    assert len(scans) == 3
    found.close()


@linux
def test_a_driver_that_tells_is_asked(monkeypatch, tmp_path):
    """v4l2loopback 0.13 and later, as its source has it; here another process plays it."""
    import fcntl

    device = tmp_path / "video10"
    device.write_bytes(b"")
    count = [0]

    def ioctl(handle, request, argument):
        if request == 0x4020565A:  # VIDIOC_SUBSCRIBE_EVENT
            kind, number, flags = struct.unpack_from("3I", argument)
            assert (kind, number, flags) == (0x10E00001, 0, 1)
            return argument
        assert request == (0x80885659 if sys.maxsize > 2**32 else 0x80805659)  # VIDIOC_DQEVENT
        answer = bytearray(argument)
        struct.pack_into("I", answer, 0, 0x10E00001)
        struct.pack_into("I", answer, 8, count[0])
        return bytes(answer)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    found = readers(str(device))
    assert isinstance(found, ClientUsage)
    assert found.any() is False
    count[0] = 1
    assert found.any() is True
    device.unlink()
    assert found.any() is None


@linux
def test_where_the_driver_does_not_tell_proc_does(reader):
    found = readers(reader.path)
    assert isinstance(found, OpenFiles)
    found.close()


def test_elsewhere_it_is_not_known(monkeypatch):
    monkeypatch.setattr(on_demand.sys, "platform", "win32")
    assert isinstance(readers("OBS Virtual Camera"), NoReaders)
    assert readers("x").any() is None


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        ((False,), False),
        ((False, True), True),
        ((False, None), True),
        ((), False),
    ],
)
def test_one_output_that_may_be_looked_at_is_enough(monkeypatch, watched, expected):
    class Watched(Sink):
        def send(self, composite):
            pass

        def close(self, complete=True):
            pass

        def has_viewers(self):
            return watched[int(self.target[0])]

    monkeypatch.setattr(outlets, "open_sink", Watched)
    specs = tuple(f"{number}.mp4" for number in range(len(watched)))
    live = Live(load(flags={"output.sinks": specs}))
    own = Outlets(live, Stats(), 30, lambda _: None, extra=())
    composite = faulty_composite()
    own.send(composite)
    until(lambda: len(own.specs()) == len(specs))
    assert own.has_viewers() is expected
    own.close(time.monotonic() + 1)


def faulty_composite():
    import numpy as np

    from realtime_bg.frames import Composite

    return Composite(np.zeros((36, 64, 3), np.uint8), 0, 0.0)


# the whole of it


class Watchable(faulty.Output):
    """A virtual camera whose readers the test plays."""

    reading = False

    def has_viewers(self):
        return Watchable.reading if self.target == "virtualcam" else None


@pytest.fixture
def sleeper(tmp_path, monkeypatch):
    bench.__init__()
    Watchable.reading = False
    monkeypatch.setitem(sources.SOURCES, "demo", "helpers.faulty:Camera")
    for name in ("room", "embedded", "grabcut"):
        monkeypatch.setitem(engines.ENGINES, name, "helpers.faulty:Network")
    monkeypatch.setattr(outlets, "open_sink", Watchable)
    flags = {
        "engine.name": "room",
        "output.sinks": ("virtualcam",),
        "source.size": "64x36",
        "output.folder": str(tmp_path),
    }
    run = Running(UnixEndpoint(tmp_path), flags=flags).start()
    yield run
    run.stop()
    assert not bench.leaks
    assert not bench.opened


def state(run):
    return run.ask("status")["state"]


def test_the_camera_opens_for_a_reader_and_closes_after_it(sleeper):
    until(lambda: "virtualcam" in bench.seen)
    assert not bench.opened  # nobody looks: no camera
    until(lambda: "idle" in state(sleeper))
    until(lambda: bench.engines)  # but the model is loaded
    for _ in range(3):
        count, seen = len(bench.engines), bench.seen["virtualcam"]
        pictures = seen.count
        Watchable.reading = True
        until(lambda before=pictures: bench.seen["virtualcam"].count > before)  # a card
        until(lambda: bench.seen["virtualcam"].well)
        assert len(bench.engines) == count  # warm
        Watchable.reading = False
        until(lambda: not bench.opened)
        until(lambda: not bench.seen["virtualcam"].well)
        assert "idle" in state(sleeper)


def test_brief_looks_do_not_open_it(sleeper):
    until(lambda: "virtualcam" in bench.seen)
    for _ in range(5):
        Watchable.reading = True
        time.sleep(0.15)  # a brief look
        Watchable.reading = False
        time.sleep(0.2)  # in which no camera is opened
        assert not bench.opened


def test_it_can_be_told_to_stay_awake_and_a_recording_keeps_it_so(sleeper):
    until(lambda: "virtualcam" in bench.seen)
    sleeper.set(output__on_demand="false")
    until(lambda: bench.seen["virtualcam"].well)
    sleeper.set(output__on_demand="true")
    until(lambda: not bench.opened)
    sleeper.ask("toggle", key="record")
    until(lambda: bench.seen["virtualcam"].well)
    sleeper.ask("toggle", key="record")
    until(lambda: not bench.opened)


@linux
def test_asleep_it_takes_next_to_no_time(sleeper):
    """In CPU seconds of this whole process; tests of speed stand in docs/reliability.md."""
    until(lambda: "virtualcam" in bench.seen and bench.engines)
    time.sleep(0.3)  # what it does at its start is over
    begin, used = time.monotonic(), time.process_time()
    time.sleep(1.5)  # the time that is measured
    # Measured: 0.01. A thread that does not sleep takes 1; on a busy machine all takes longer.
    assert (time.process_time() - used) / (time.monotonic() - begin) < 0.5
    assert threading.active_count() < 12
    assert len(os.listdir("/proc/self/fd")) < 60
