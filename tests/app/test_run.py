"""The command as users run it: files in, files out, one line when something is wrong."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest
from helpers import ROOT

from realtime_bg.app import bench, run
from realtime_bg.errors import ModelError, SettingsError
from realtime_bg.imaging import kernels
from realtime_bg.settings import Settings, load
from realtime_bg.steering.checks import runs_live, with_current_item
from realtime_bg.system.signals import stop_signals


def command(*arguments, **changes):
    """Run the program in a process of its own with a clean environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REALTIME_BG_")}
    environment.pop("DISPLAY", None)
    return subprocess.run(
        [sys.executable, "-m", "realtime_bg", *map(str, arguments)],
        env={**environment, **changes},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def decoded(path):
    with av.open(str(path)) as container:
        return [(p.time, p.to_ndarray(format="bgr24")) for p in container.decode(video=0)]


def test_the_readmes_main_job(tmp_path):
    """The demo over the beach, offline: the right length, the person, the beach, no room."""
    from realtime_bg.backgrounds import open_background
    from realtime_bg.settings import BackgroundSettings
    from realtime_bg.sources import open_source

    out = tmp_path / "demo.mp4"
    result = command(
        "--source",
        "demo",
        "--size",
        "640x360",
        "--background",
        "beach",
        "--output",
        out,
        "--duration",
        "2",
        "--offline",
    )
    assert result.returncode == 0, result.stderr
    assert "using embedded" in result.stderr
    pictures = decoded(out)
    assert len(pictures) == 60
    assert pictures[-1][0] == pytest.approx(59 / 30, abs=0.01)
    beach = open_background("beach", BackgroundSettings(), True).render((640, 360), 0.0)
    demo = open_source(load(flags={"source.spec": "demo", "source.size": "640x360"}).source, False)
    for index in (0, 30, 59):
        image = pictures[index][1].astype(int)
        truth = demo.alpha(index)
        person, room = truth > 0.99, truth < 0.01
        assert np.abs(image - demo.image(index))[person].mean() < 12
        assert np.abs(image - beach)[room].mean() < 12


def test_every_frame_of_a_file_at_its_own_time(tmp_path, monkeypatch):
    out = tmp_path / "out.mkv"
    settings = load(
        flags={
            "source.spec": "demo",
            "source.size": "64x36",
            "source.fps": 12.5,
            "background.current": "blue",
            "engine.name": "grabcut",
            "output.sinks": (str(out),),
        }
    )
    run.run(settings, duration=1.0, show_stats=False)
    times = [time for time, _ in decoded(out)]
    assert len(times) == 13
    assert times == pytest.approx([index / 12.5 for index in range(13)], abs=0.002)


def test_statistics_are_printed(tmp_path):
    result = command(
        "-s", "demo", "--size", "64x36", "-e", "grabcut", "-o", "null", "--duration", "1", "--stats"
    )
    assert result.returncode == 0
    assert "fps" in result.stderr
    assert "network" in result.stderr


def test_rvm_mattes_a_real_clip(shared, shared_path, tmp_path):
    out = tmp_path / "out.mp4"
    result = command(
        "--engine",
        "rvm",
        "--source",
        shared_path("data/clips/book.mkv"),
        "--background",
        "#00ff00",
        "--output",
        out,
        "--duration",
        "1",
        REALTIME_BG_MODELS=str(shared / "models"),
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert result.returncode == 0, result.stderr
    pictures = decoded(out)
    assert len(pictures) == 30
    for _, image in pictures:
        green = (np.abs(image.astype(int) - (0, 255, 0)).max(axis=2) < 30).mean()
        assert 0.6 < green < 0.9  # one person in the middle, the office gone
    flicker = [np.abs(a.astype(int) - b).mean() for (_, a), (_, b) in itertools.pairwise(pictures)]
    assert max(flicker) < 8


def test_weights_that_were_asked_for_and_cannot_be_had_end_it(tmp_path):
    settings = load(
        flags={
            "source.spec": "demo",
            "source.size": "64x36",
            "engine.name": "rvm",
            "engine.offline": True,
            "background.current": "red",
            "output.sinks": ("null",),
        }
    )
    with pytest.raises(ModelError, match=r"--offline.*realtime-bg models fetch"):
        run.run(settings, duration=1.0, show_stats=False)


def test_outputs_decide_whether_it_runs_live():
    def live(source, *sinks):
        return runs_live(load(flags={"source.spec": source, "output.sinks": sinks}))

    assert live("camera", "null")
    assert live("rtsp://127.0.0.1/x", "out.mp4")
    assert live("demo", "window")
    assert live("demo", "virtualcam", "out.mp4")
    assert not live("demo", "out.mp4", "null")


def test_a_file_is_never_written_over_its_source(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    settings = load(flags={"source.spec": str(clip), "output.sinks": (str(tmp_path / "clip.mp4"),)})
    with pytest.raises(SettingsError, match="is the source itself"):
        run.run(settings, None, False)
    assert clip.read_bytes() == b"x"


def test_a_background_is_never_written_over(tmp_path):
    clip = tmp_path / "waves.mp4"
    clip.write_bytes(b"x")
    settings = load(
        flags={
            "source.spec": "demo",
            "background.items": ("beach", str(clip)),
            "output.sinks": (str(clip),),
        }
    )
    with pytest.raises(SettingsError, match="is one of the backgrounds"):
        run.run(settings, 1.0, False)
    assert clip.read_bytes() == b"x"


@pytest.mark.parametrize("name", ["paused", "frozen", "output.record"])
def test_what_only_live_runs_know_is_refused_for_files(tmp_path, name):
    settings = load(flags={"source.spec": "demo", "output.sinks": "null", name: True})
    with pytest.raises(SettingsError, match=f"{name} is for live use"):
        run.run(settings, 1.0, False)


def test_the_background_of_the_start_stays_in_the_cycle():
    settings = with_current_item(load(flags={"background.current": "#00ff00"}))
    assert settings.background.items[0] == "#00ff00"
    again = with_current_item(settings)
    assert again.background.items == settings.background.items
    plain = load(flags={"background.current": "none"})
    assert with_current_item(plain) is plain


def test_files_get_a_finer_network_than_live_use(shared, tmp_path, caplog):
    from realtime_bg.runtimes.input_size import work_size

    live = work_size(None, (1280, 720), cuda=False)
    fine = work_size(None, (1280, 720), cuda=False, fine=True)
    assert fine[0] * fine[1] > live[0] * live[1]
    picture = tmp_path / "room.png"
    cv2.imwrite(str(picture), np.full((720, 1280, 3), 90, np.uint8))
    for source, size in (("demo", live), (picture, fine)):  # the demo stands for a camera
        result = command(
            "-s",
            source,
            "-e",
            "rvm",
            "-o",
            "null",
            "--duration",
            "0.1",
            "--verbose",
            REALTIME_BG_MODELS=str(shared / "models"),
            XDG_CACHE_HOME=str(tmp_path),
        )
        assert re.search(rf"engine rvm on CPU.* at {size[0]}x{size[1]}", result.stderr)
        assert f"{shared / 'models'}{os.sep}" in result.stderr


def test_config_yaml_holds_every_setting_at_its_default():
    import yaml

    assert load(ROOT / "config.yaml") == Settings()

    def paths(tree, prefix=""):
        for key, value in tree.items():
            yield prefix + key
            if isinstance(value, dict):
                yield from paths(value, f"{prefix}{key}.")

    written = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert set(paths(written)) == set(paths(Settings().model_dump()))


def test_bench_reports_every_stage():
    settings = load(
        flags={
            "source.spec": "demo",
            "source.size": "160x90",
            "engine.name": "grabcut",
            "background.current": "beach",
        }
    )
    report = json.loads(bench.as_json(bench.bench(settings, frames=8)))
    for name in ("fps", "network_ms", "step_ms", "latency_ms", "cpu_ms"):
        assert 0 < report[name]["min"] <= report[name]["p50"] <= report[name]["p95"]
    assert set(report["stages_ms"]) == {
        "capture",
        "resize",
        "network",
        "upsample",
        "composite",
        "hand-over",
    }
    assert report["step_ms"]["p50"] >= report["network_ms"]["min"]
    assert report["engine"] == "grabcut"
    assert report["provider"] == "CPU"
    assert report["model"] == ""
    assert report["size"] == [160, 90]
    assert report["peak_rss_mb"] > 10
    assert report["cpu_percent"] > 0
    assert report["kernels"] is kernels.compiled
    assert report["threads"] == 0  # it has no network
    assert bench.as_table(bench.bench(settings, frames=2)).row_count == 10


def test_bench_refuses_what_waits(tmp_path):
    with pytest.raises(SettingsError, match="not live"):
        bench.bench(load(flags={"source.spec": "camera"}), frames=5)


def test_export_script_writes_what_it_checked(checkpoint, tmp_path):
    out = tmp_path / "rvm.onnx"
    script = [sys.executable, str(ROOT / "scripts/export_rvm.py")]
    result = subprocess.run(
        [*script, str(checkpoint), str(out)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "largest difference" in result.stdout
    assert out.stat().st_size > 1e6
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"junk")
    result = subprocess.run(
        [*script, str(bad), str(out)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "bad.safetensors" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_nohup_started_outlives_the_terminal_and_still_ends_when_asked():
    asked = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals(lambda: asked.append(True)):
            signal.raise_signal(signal.SIGHUP)
            assert not asked
            signal.raise_signal(signal.SIGTERM)
            assert asked
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the tests were started by
        with stop_signals(lambda: asked.append(True)):
            signal.raise_signal(signal.SIGHUP)
        assert len(asked) == 2
    finally:
        signal.signal(signal.SIGHUP, before)
