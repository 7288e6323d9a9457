"""The status report: every value under its name."""

import time

from realtime_bg.live.report import reported
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats


def stats():
    made = Stats()
    made.engine, made.provider, made.work_size = "rvm", "CUDA:0", (512, 288)
    made.dropped, made.held, made.failures = 1, 2, 3
    made.threads, made.carried = 2, 4
    for number, name in enumerate(
        ("latency", "capture", "resize", "network", "upsample", "composite", "hand-over"), 1
    ):
        made.add(name, number / 1000)
    return made


def test_every_value_has_its_name():
    assert reported(Live(load()), stats(), True, "it sends no frames") == {
        "running": True,
        "problem": "it sends no frames",
        "shows_camera": False,
        "engine": "rvm",
        "provider": "CUDA:0",
        "work_size": [512, 288],
        "threads": 2,
        "fps": 0.0,
        "latency_ms": 1.0,
        "stages_ms": {
            "capture": 2.0,
            "resize": 3.0,
            "network": 4.0,
            "upsample": 5.0,
            "composite": 6.0,
            "hand-over": 7.0,
        },
        "dropped": 1,
        "held": 2,
        "carried": 4,
        "failures": 3,
        "recording": False,
        "recorded_seconds": 0,
        "refused": {},
        "notice": "",
    }


def test_it_says_whether_the_camera_is_shown_and_recorded():
    made = stats()
    made.recording_since = time.monotonic() - 65
    made.notice("recording a.mp4")
    live = Live(load(flags={"background.current": "none", "output.virtualcam": True}))
    live.take_back({"output.virtualcam": True}, {"output.virtualcam": False}, "no driver")
    report = reported(live, made, False, "")
    assert report["recorded_seconds"] == 65
    assert report["refused"] == {"output.virtualcam": "no driver"}
    assert report["shows_camera"] is True
    assert report["recording"] is True
    assert report["notice"] == "recording a.mp4"
    assert (report["running"], report["engine"]) == (False, "")


def test_numbers_are_rounded_as_a_reader_needs_them(monkeypatch):
    monkeypatch.setattr(Stats, "fps", 29.87531)
    made = Stats()
    made.add("latency", 0.04567891)
    made.add("network", 0.01234567)
    report = reported(Live(load()), made, True, "")
    assert (report["fps"], report["latency_ms"]) == (29.9, 45.7)
    assert report["stages_ms"]["network"] == 12.35
