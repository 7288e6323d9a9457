"""The examples run."""

import importlib.util
import subprocess
import sys

import cv2
import pytest
from helpers import ROOT

from realtime_bg.errors import BackgroundError
from realtime_bg.settings import BackgroundSettings, SourceSettings
from realtime_bg.sources.demo import DemoSource

EXAMPLES = ROOT / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setenv("REALTIME_BG_ENGINE__NAME", "embedded")
    monkeypatch.setenv("REALTIME_BG_ENGINE__OFFLINE", "true")


@pytest.fixture
def frame():
    source = DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False)
    image = next(iter(source)).image
    source.close()
    return image


def test_every_example_is_run_here():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"remove_background", "webcam_loop", "run_in_background", "plugin"}


def test_a_photo_is_cut_out(frame, tmp_path):
    files = [str(tmp_path / name) for name in ("me.jpg", "cut-out.png", "beach.png")]
    cv2.imwrite(files[0], frame)
    subprocess.run(
        [sys.executable, EXAMPLES / "remove_background.py", *files], check=True, timeout=100
    )
    assert cv2.imread(files[1], cv2.IMREAD_UNCHANGED)[175, 160, 3] > 250
    assert cv2.imread(files[2], cv2.IMREAD_UNCHANGED).shape == frame.shape


def test_a_loop_of_ones_own_shows_composites(frame, monkeypatch):
    frames, shown = [frame, frame, None], []

    class Camera:
        def read(self):
            return True, frames.pop(0)

    monkeypatch.setattr(cv2, "VideoCapture", lambda source: Camera())
    monkeypatch.setattr(cv2, "waitKey", lambda milliseconds: -1)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    example("webcam_loop").main()
    assert [image.shape for image in shown] == [frame.shape] * 2
    assert abs(shown[1][5, 5].astype(int) - frame[5, 5]).max() > 20  # no room


def test_a_pipeline_runs_and_changes(tmp_path, capsys):
    out = tmp_path / "out.mp4"
    example("run_in_background").main("demo", str(out), seconds=1)
    assert " fps, " in capsys.readouterr().out
    assert out.stat().st_size


def test_a_plugin_of_ones_own_keeps_the_contract():
    plugin = example("plugin")
    plugin.TestStripes().test_any_size_at_any_time()
    with pytest.raises(BackgroundError, match="give the width"):
        plugin.Stripes("x", BackgroundSettings(), True)
