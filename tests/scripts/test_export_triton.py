"""`scripts/export_triton.py`: what a Triton server gets runs as the engine does."""

import re
import sys

import numpy as np
import onnxruntime as ort
import pytest
from helpers.scripts import module
from onnx import numpy_helper

from realtime_bg.engines._rvm_steps import STATES, OnnxSteps
from realtime_bg.networks import rvm_graph
from realtime_bg.networks.checkpoint import read_tensors

SIZE = 64, 48


@pytest.fixture
def export(monkeypatch, checkpoint, tmp_path):
    script = module("export_triton")

    def run(*words):
        given = ["export_triton", str(checkpoint), str(tmp_path / "models"), *words]
        monkeypatch.setattr(sys, "argv", given)
        return script.main(), tmp_path / "models/rvm"

    run.script = script
    return run


def test_streams_in_a_batch_are_as_each_alone_in_the_engine(export, checkpoint):
    code, made = export("--size", "64x48", "--batch", "4", "--streams", "9")
    assert code == 0
    text = (made / "config.pbtxt").read_text()
    assert "max_batch_size: 4" in text
    assert "max_candidate_sequences: 9" in text
    found = re.findall(
        r'input_name: "(r\di)"\s+output_name: "(r\do)"\s+data_type: TYPE_FP32\s+'
        r"dims: \[ (.*?) \]\s+"
        r'initial_state: \{ name: "zero" data_type: TYPE_FP32 dims: \[ \3 \] zero_data: true \}',
        text,
    )
    assert [names[:2] for names in found] == [(f"{r}i", f"{r}o") for r in STATES]
    server = ort.InferenceSession(made / "1/model.onnx", providers=["CPUExecutionProvider"])
    assert {each.name for each in server.get_inputs()} == {"src", *(f"{r}i" for r in STATES)}
    shapes = {name: tuple(map(int, dims.split(", "))) for name, _, dims in found}
    states = {name: np.zeros((2, *shape), np.float32) for name, shape in shapes.items()}
    data = rvm_graph.build(read_tensors(checkpoint)).SerializeToString()
    own = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    streams = [OnnxSteps(own, "CPU", SIZE) for _ in range(2)]
    rng = np.random.default_rng(5)
    for _ in range(4):
        src = rng.random((2, 3, SIZE[1], SIZE[0]), np.float32)
        fgr, pha, *after = server.run(None, {"src": src, **states})
        states = dict(zip(states, after, strict=True))
        for index, steps in enumerate(streams):
            steps.src[:] = src[index]
            own_fgr, own_pha = steps.step()
            assert np.abs(fgr[index] - own_fgr[0]).max() < 1e-4
            assert np.abs(pha[index] - own_pha[0]).max() < 1e-4
    assert {name: state.shape[1:] for name, state in states.items()} == shapes


def test_a_file_that_differs_is_not_written(export, monkeypatch, capsys):
    whole = export.script.without_ratio

    def damaged(model):
        fixed = whole(model)
        (bias,) = [w for w in fixed.graph.initializer if w.name == "project_mat.conv.bias"]
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + 0.1, bias.name))
        return fixed

    monkeypatch.setattr(export.script, "without_ratio", damaged)
    code, made = export("--size", "64x48")
    assert code == 1
    assert not made.exists()
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["64x", "big"])
def test_a_bad_size_is_one_line(export, size, capsys):
    code, made = export("--size", size)
    assert code == 2
    assert "is not a size" in capsys.readouterr().err
    assert not made.exists()
