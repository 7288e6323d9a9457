"""OpenVINO in place of ONNX Runtime: the same answers, where it is installed and wanted."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from realtime_bg.engines import open_engine
from realtime_bg.errors import MissingPackageError, ModelError
from realtime_bg.frames import Frame
from realtime_bg.runtimes import openvino as _openvino
from realtime_bg.runtimes.openvino import PROVIDER, Compiled
from realtime_bg.settings import EngineSettings, SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

here = importlib.util.find_spec("openvino") is not None
needs_openvino = pytest.mark.skipif(not here, reason="openvino is not installed")


@pytest.fixture(params=["rvm", "embedded"])
def opened(request, checkpoint):
    def open_one(runtime, **changes):
        model = checkpoint if request.param == "rvm" else None
        settings = EngineSettings(
            name=request.param, model=model, device="cpu", offline=True, runtime=runtime, **changes
        )
        return open_engine(settings, (320, 180), Stats())

    return open_one


@pytest.fixture(scope="module")
def frames():
    demo = DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False)
    return [Frame(demo.image(index), index, index / 30) for index in range(45, 51)]


@needs_openvino
def test_both_runtimes_say_the_same_of_successive_frames(opened, frames):
    # OpenVINO makes the network for a window ready in another thread
    engines = [opened(runtime, window=False) for runtime in ("onnxruntime", "openvino")]
    assert [engine.provider for engine in engines] == ["CPU", PROVIDER]
    for frame in frames:
        first, second = (engine.matte(frame) for engine in engines)
        assert np.abs(first.alpha - second.alpha).mean() < 0.005  # bfloat16 has 8 bits
        if first.foreground is not None:
            assert np.abs(first.foreground.astype(int) - second.foreground).mean() < 2
    for engine in engines:
        engine.close()


@needs_openvino
def test_a_matte_stays_as_it_is_when_the_next_comes(opened, frames):
    engine = opened("openvino")
    first = engine.matte(frames[0])
    alpha = first.alpha.copy()
    engine.matte(Frame(np.zeros_like(frames[0].image), 1, 0.1))
    np.testing.assert_array_equal(first.alpha, alpha)


@needs_openvino
def test_reset_forgets(opened, frames):
    engine = opened("openvino")
    first = engine.matte(frames[0]).alpha
    for frame in frames[1:]:
        engine.matte(frame)
    engine.reset()
    np.testing.assert_allclose(engine.matte(frames[0]).alpha, first, atol=1e-3)


@needs_openvino
@pytest.mark.parametrize(("bfloat16", "provider"), [(True, PROVIDER), (False, "CPU")])
def test_auto_takes_it_where_the_cpu_computes_in_bfloat16(opened, monkeypatch, bfloat16, provider):
    monkeypatch.setattr(_openvino, "_has_bfloat16", lambda: bfloat16)
    assert opened("auto").provider == provider


@needs_openvino
def test_what_it_cannot_run_stays_with_onnx_runtime(opened, monkeypatch):
    def broken(path, *_):
        raise ModelError(f"{path}: OpenVINO cannot run it")

    monkeypatch.setattr(_openvino, "_has_bfloat16", lambda: True)
    monkeypatch.setattr(_openvino, "Compiled", broken)
    assert opened("auto").provider == "CPU"
    with pytest.raises(ModelError, match="OpenVINO"):
        opened("openvino")


@needs_openvino
def test_a_file_it_cannot_read_is_named(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"broken\.onnx: OpenVINO cannot run it .*onnxruntime"):
        Compiled(tmp_path / "broken.onnx", {"src": (1, 3, 8, 8)}, {})


def test_without_the_package_auto_does_without_and_openvino_says_how(opened, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert opened("auto").provider == "CPU"
    with pytest.raises(MissingPackageError, match="install openvino"):
        opened("openvino")


@needs_openvino
def test_a_broken_installation_is_said_and_done_without(opened, monkeypatch, caplog):
    def broken():
        raise ImportError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setattr(_openvino, "_core", broken)
    _openvino._has_bfloat16.cache_clear()
    assert opened("auto").provider == "CPU"
    _openvino._has_bfloat16.cache_clear()
    assert "OpenVINO is not used: libtbb.so.12" in caplog.text


@needs_openvino
def test_its_makers_are_told_nothing():
    code = (
        "import sys, threading; from realtime_bg.runtimes.openvino import _core; _core();"
        "from openvino.tools.ovc import telemetry_utils;"
        "print(telemetry_utils.tm.__name__, threading.active_count())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.split() == ["openvino.tools.ovc.telemetry_stub", "1"]
