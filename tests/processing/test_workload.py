"""The threads and the work size that a live run gives to a network."""

import logging
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import graphs

from realtime_bg.frames import Frame
from realtime_bg.processing import workload as module
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.workload import Workload
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

IMAGE = np.zeros((90, 160, 3), np.uint8)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(module, "threads", lambda: 4)


def engine(**changes):
    facts = {"on_cpu": True, "model": "net.onnx", "least_scale": 0.0}
    return SimpleNamespace(**facts | {"work_size": (256, 144), "stride": 8} | changes)


def workload(in_time=True, **flags):
    return Workload(
        load(flags={f"engine.{name}": to for name, to in flags.items()}).engine, in_time
    )


def too_slow(load, used, windows=4):
    """The states after each change while the network takes twice the interval."""
    seen = []
    for index in range(windows * 45):
        if load.update(used, Frame(IMAGE, index, index / 30), 0.06):
            load.opened(used)
            seen.append((load.threads, load.work_size))
    return seen


def test_a_live_run_begins_with_one_thread():
    load = workload()
    assert load.threads == 1
    assert load.opened(engine()) == 1
    assert too_slow(load, engine())[:3] == [(2, None), (4, None), (4, (192, 112))]


def test_files_use_all_cores():
    load = workload(in_time=False)
    assert load.threads is None
    assert load.opened(engine()) == 4


def test_without_a_network_there_are_no_threads():
    load = workload()
    assert load.opened(engine(model=None)) == 0
    assert all(size is not None for _, size in too_slow(load, engine(model=None)))


def test_threads_that_the_user_has_chosen_stay():
    load = workload(threads=3)
    assert load.opened(engine()) == 3
    assert {threads for threads, _ in too_slow(load, engine())} == {3}


def test_a_work_size_that_the_user_has_chosen_stays():
    load = workload(work_size="256x144")
    load.opened(engine())
    assert too_slow(load, engine()) == [(2, None), (4, None)]


def test_on_a_gpu_only_the_size_changes():
    load = workload()
    load.opened(engine(on_cpu=False))
    seen = too_slow(load, engine(on_cpu=False))
    assert [size for _, size in seen] == [(192, 112), (144, 88)]


def test_the_engine_is_opened_with_them_and_the_statistics_say_so(tmp_path, monkeypatch, caplog):
    times = iter([0.0, 0.05] * 500)
    path = graphs.person_map(tmp_path / "net.onnx")
    flags = {"engine.name": "semantic", "engine.model": str(path), "engine.gate": False}
    flags |= {"engine.device": "cpu", "engine.every": 1}
    stats = Stats()
    matting = Matting(Live(load(flags=flags)), stats, in_time=True)
    monkeypatch.setattr(
        "realtime_bg.processing.matting.time", SimpleNamespace(monotonic=lambda: next(times))
    )
    seen = []
    with caplog.at_level(logging.INFO):
        for index in range(60):
            matting.matte(Frame(IMAGE, index, index / 30))
            seen.append(stats.threads)
    matting.close()
    assert seen[0] == 1
    assert 2 in seen
    assert "the network now runs on 2 threads instead of 1" in caplog.text


@pytest.mark.parametrize(
    ("before", "now", "texts"),
    [
        (((64, 36), 1), ((64, 36), 1), []),
        (((64, 36), 1), ((64, 36), 2), ["the network now runs on 2 threads instead of 1"]),
        (
            ((64, 36), 2),
            ((48, 27), 2),
            ["to maintain the frame rate, the network now runs at 48x27 instead of 64x36"],
        ),
    ],
)
def test_a_change_is_logged_and_nothing_else(caplog, before, now, texts):
    caplog.set_level(logging.INFO)
    module.log_change(before, now)
    assert caplog.messages == texts


def test_a_smaller_picture_is_a_share_of_the_first_one_in_whole_strides():
    load = workload()
    used = engine(model=None, work_size=(256, 144), stride=32)
    load.opened(used)
    sizes = []
    for index in range(4 * 45):
        if load.update(used, Frame(IMAGE, index, index / 30), 0.06):
            sizes.append(load.work_size)
            # What is opened smaller is not the measure of the next step
            load.opened(engine(model=None, work_size=load.work_size, stride=1))
    assert sizes == [(192, 128), (160, 96)]


def test_an_engine_that_sees_nobody_in_a_smaller_picture_keeps_its_size():
    load = workload()
    used = engine(model=None, least_scale=1.0)
    load.opened(used)
    assert too_slow(load, used) == []
    assert load.work_size is None
    half = engine(model=None, least_scale=0.75)
    load = workload()
    load.opened(half)
    assert [size for _, size in too_slow(load, half)] == [(192, 112)]


def test_threads_on_a_gpu_and_threads_that_were_chosen_are_not_changed():
    for flags, changes in (
        ({}, {"on_cpu": False}),
        ({"threads": 3}, {}),
        ({}, {"model": None}),
    ):
        load = workload(**flags)
        used = engine(least_scale=1.0, **changes)
        load.opened(used)
        assert too_slow(load, used) == [], (flags, changes)
    load = workload()
    used = engine(least_scale=1.0)
    load.opened(used)
    assert [threads for threads, _ in too_slow(load, used)] == [2, 4]
    assert workload(in_time=False, threads=3).threads == 3
