"""A file that Detectron2 itself wrote, by scripts/export_detectron2.py, in the engine `instance`.

tests/assets/README.md says what it was trained on.
"""

import numpy as np
import onnxruntime
import pytest
from helpers import ROOT

from realtime_bg.engines.dialects import recognise
from realtime_bg.engines.instance import Instance
from realtime_bg.frames import Frame, check_matte
from realtime_bg.settings import EngineSettings, SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

FILE = ROOT / "tests/assets/detectron2_person.onnx"
SIZE = (1280, 720)

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason=f"{FILE.name} is not in an sdist")


def engine():
    return Instance(EngineSettings(name="instance", model=FILE, device="cpu"), SIZE, Stats())


@pytest.fixture(scope="module")
def demo():
    return DemoSource("", SourceSettings(size=SIZE), paced=False)


def test_its_outputs_are_those_of_the_exporter():
    session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
    outputs = session.get_outputs()
    assert {value.name: value.shape for value in outputs} == {
        "boxes": ["n", "Castboxes_dim_1"],
        "classes": ["n"],
        "masks": ["n", 1, "Slicemasks_dim_2", "Slicemasks_dim_3"],
        "scores": ["n"],
    }
    assert recognise(outputs, FILE).dialect == "detectron2"


@pytest.mark.parametrize("index", [0, 45, 90])
def test_the_person_of_the_demo_is_found(demo, index):
    matte = check_matte(engine().matte(Frame(demo.image(index), index, 0.0)))
    assert not matte.lost
    height, width = matte.alpha.shape
    rows = (np.arange(height) * SIZE[1] // height)[:, None]
    columns = (np.arange(width) * SIZE[0] // width)[None]
    truth, found = demo.alpha(index)[rows, columns] > 0.5, matte.alpha > 0.5
    assert (truth & found).sum() / (truth | found).sum() > 0.8


def test_nobody_is_found_in_an_empty_picture():
    for grey in (0, 114, 255):
        image = np.full((SIZE[1], SIZE[0], 3), grey, np.uint8)
        matte = check_matte(engine().matte(Frame(image, 0, 0.0)))
        assert matte.lost
        assert matte.alpha.max() == 0
