"""Every engine in the registry keeps the contract of `engines/base.py`."""

import re

import numpy as np
import pytest
from helpers import graphs

from realtime_bg import engines
from realtime_bg.engines import ENGINES, open_engine
from realtime_bg.errors import EngineError, MissingPackageError, ModelError
from realtime_bg.frames import Frame, check_matte, downloaded
from realtime_bg.installing import add_extra
from realtime_bg.runtimes import onnx as _ort
from realtime_bg.runtimes.input_size import work_size
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats
from realtime_bg.testing import EngineContract

# Engines that need a file, and the fixture that makes one
WEIGHTS = {
    "rvm": "checkpoint",
    "rvm-torch": "checkpoint",
    "semantic": "person_map",
    "instance": "detector",
}


@pytest.fixture
def person_map(tmp_path):
    return graphs.person_map(tmp_path / "map.onnx")


@pytest.fixture
def detector(tmp_path):
    return graphs.whole_picture_detector(tmp_path / "detector.onnx")


@pytest.fixture(params=list(ENGINES))
def opened(request, portrait):
    """An engine of each kind for frames of the portrait's size."""

    def open_one(size=portrait.size, **changes):
        settings = EngineSettings(name=request.param, device="cpu", offline=True, **changes)
        if request.param in WEIGHTS:
            file = request.getfixturevalue(WEIGHTS[request.param])
            settings = settings.model_copy(update={"model": file})
        return open_engine(settings, size, Stats())

    return open_one


class TestContract(EngineContract):
    """Of every registered engine."""

    @pytest.fixture(autouse=True)
    def _given(self, opened):
        self._opened = opened

    def open(self, size):
        return self._opened(size)


def test_a_frame_gives_a_valid_matte(opened, portrait):
    engine = opened()
    matte = check_matte(engine.matte(portrait))
    assert matte.frame is portrait
    assert 0 <= matte.alpha.min() <= matte.alpha.max() <= 1
    assert matte.alpha.shape == engine.work_size[::-1]
    assert engine.provider in ("CPU", "CPU (OpenVINO)")
    assert type(engine).description
    engine.close()
    engine.close()


def test_stages_are_timed(opened, portrait):
    engine = opened()
    engine.matte(portrait)
    assert len(engine.stats.milliseconds("resize")) == 1
    assert len(engine.stats.milliseconds("network")) == 1


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (33, 65), (3840, 2160)])
@pytest.mark.parametrize("level", [0, 255])
def test_any_size_and_flat_pictures_are_survived(opened, size, level):
    engine = opened(size)
    for index in range(2):
        frame = Frame(np.full((size[1], size[0], 3), level, np.uint8), index, index / 30)
        check_matte(engine.matte(frame))


def test_work_size_is_the_users_when_given(opened, portrait):
    engine = opened(work_size=(96, 48))
    assert engine.work_size == (96, 48)
    assert engine.matte(portrait).alpha.shape == (48, 96)


@pytest.mark.parametrize("name", ["rvm", "rvm-torch"])
def test_a_file_that_is_no_model_is_named(name, tmp_path, portrait):
    path = tmp_path / ("x.onnx" if name == "rvm" else "x.pth")
    path.write_bytes(b"nonsense")
    settings = EngineSettings(name=name, model=path, device="cpu")
    with pytest.raises(ModelError, match=r"x\.(onnx|pth)"):
        open_engine(settings, portrait.size, Stats())


def test_another_networks_onnx_file_is_refused(tmp_path, portrait):
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "other.onnx")
    settings = EngineSettings(name="rvm", model=tmp_path / "other.onnx", device="cpu")
    with pytest.raises(EngineError, match=r"other\.onnx: not an RVM model"):
        open_engine(settings, portrait.size, Stats())


def test_pytorch_and_onnx_agree(checkpoint, portrait):
    mattes = []
    for name in ("rvm", "rvm-torch"):
        settings = EngineSettings(name=name, model=checkpoint, device="cpu")
        engine = open_engine(settings, portrait.size, Stats())
        for index in range(4):
            rolled = np.ascontiguousarray(np.roll(portrait.image, 4 * index, axis=1))
            matte = engine.matte(Frame(rolled, index, index / 30))
        mattes.append(matte)
    np.testing.assert_allclose(mattes[0].alpha, mattes[1].alpha, atol=1e-3)
    difference = mattes[0].foreground.astype(int) - mattes[1].foreground
    assert np.abs(difference).max() <= 1


def test_unknown_engine_suggests_the_nearest(portrait):
    with pytest.raises(EngineError, match="did you mean 'grabcut'"):
        open_engine(EngineSettings(name="grabcat"), portrait.size, Stats())


def test_missing_package_holds_its_install_command(monkeypatch, portrait):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "realtime_bg.engines.rvm_torch", raising=False)
    with pytest.raises(MissingPackageError, match=re.escape(add_extra("torch"))):
        open_engine(EngineSettings(name="rvm-torch"), portrait.size, Stats())


def test_wanted_cuda_that_is_not_there_is_said_once(checkpoint, portrait, caplog, monkeypatch):
    monkeypatch.setattr(_ort, "cuda_problem", lambda: "no NVIDIA driver was found")
    _ort._say_once.cache_clear()
    for _ in range(2):
        settings = EngineSettings(name="rvm", model=checkpoint, device="cuda")
        engine = open_engine(settings, portrait.size, Stats())
        assert engine.provider.startswith("CPU")
    said = [record.message for record in caplog.records if "CUDA" in record.message]
    assert said == ["CUDA is not used: no NVIDIA driver was found; running on the CPU"]


@pytest.mark.parametrize("name", ["rvm", "rvm-torch"])
@pytest.mark.cuda
def test_cuda_gives_what_the_cpu_gives(name, real_checkpoint, portrait):
    mattes = []
    for device in ("cpu", "cuda"):
        settings = EngineSettings(
            name=name,
            model=real_checkpoint,
            device=device,
            work_size=(256, 144),
        )
        engine = open_engine(settings, portrait.size, Stats())
        if device == "cuda" and not engine.provider.startswith("CUDA"):
            pytest.skip(f"no CUDA for {name} here")
        mattes.append(downloaded(engine.matte(portrait)))
    import cv2

    alphas = [cv2.resize(matte.alpha, portrait.size) for matte in mattes]
    assert np.abs(alphas[0] - alphas[1]).mean() < 0.01


def test_real_weights_find_a_real_person(shared_path, real_checkpoint):
    """Mean IoU over portraits with masks: far above what a wrong channel order would give."""
    import cv2

    folder = shared_path("data/people/portraits")
    names = sorted(path.stem for path in (folder / "masks").iterdir())[::24]
    overlaps = []
    for name in names:
        image = cv2.imread(str(next((folder / "images").glob(f"{name}.*"))))
        mask = cv2.imread(str(next((folder / "masks").glob(f"{name}.*"))), 0) > 127
        height, width = image.shape[:2]
        settings = EngineSettings(name="rvm", model=real_checkpoint, device="cpu")
        engine = open_engine(settings, (width, height), Stats())
        for index in range(4):
            alpha = engine.matte(Frame(image, index, index / 30)).alpha
        person = cv2.resize(alpha, (width, height)) > 0.5
        overlaps.append((person & mask).sum() / max(1, (person | mask).sum()))
    assert np.mean(overlaps) > 0.8


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 720), (256, 144)),
        ((640, 480), (224, 168)),
        ((720, 1280), (144, 256)),
        ((100, 60), (100, 60)),
        ((1, 1), (1, 1)),
    ],
)
def test_work_size_keeps_the_aspect(size, expected, monkeypatch):
    monkeypatch.setattr("realtime_bg.runtimes.input_size.threads", lambda: 2)
    assert work_size(None, size, cuda=False) == expected
    assert work_size((64, 2000), size, cuda=False) == (min(64, size[0]), min(2000, size[1]))


def test_which_engines_are_installed_is_known_without_importing_them(monkeypatch):
    assert engines.installed() == list(ENGINES)
    monkeypatch.setattr(engines, "find_spec", lambda package: None)
    assert engines.installed() == [name for name in ENGINES if name != "rvm-torch"]


@pytest.mark.parametrize(
    ("provider", "on_cpu"), [("CPU", True), ("CPU (OpenVINO)", True), ("CUDA:0", False)]
)
def test_openvino_counts_as_the_processor(provider, on_cpu):
    engine = open_engine(EngineSettings(name="motion"), (64, 36), Stats())
    engine.provider = provider
    assert engine.on_cpu == on_cpu
