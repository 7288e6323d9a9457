"""RVM's released ONNX file, rebuilt as the program's own graph."""

import logging

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from helpers.rvm import randomised
from onnx import helper, numpy_helper

from realtime_bg.engines._rvm_export import rebuilt_cached
from realtime_bg.networks.rvm_graph import build
from realtime_bg.networks.rvm_released import _names, released_tensors


def norm_of(name):
    """The name of the batch norm behind a convolution of the checkpoint; None if there is none."""
    head, _, last = name.rpartition(".")
    if name.startswith("backbone") and last == "0":
        return f"{head}.1"
    if name == "aspp.aspp1.0" or name.endswith("conv.0"):
        return f"{head}.1"
    return f"{head}.4" if name.endswith("conv.3") else None


def imitation(tensors):
    """The convolutions of a released file with these weights: batch norm folded in under numbers
    for names, as PyTorch's exporter leaves it."""
    nodes, initializers = [], {}

    def add(name, array):
        initializers[name] = numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name)

    for count, name in enumerate(_names(set(tensors))):
        weight, bias = tensors[f"{name}.weight"], tensors.get(f"{name}.bias")
        inputs = ["x", f"{name}.weight"] + ([f"{name}.bias"] if bias is not None else [])
        norm = norm_of(name)
        if norm is not None:
            eps = 1e-3 if name.startswith("backbone") else 1e-5
            gain, shift, mean, variance = (
                tensors[f"{norm}.{part}"].astype(np.float64)
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            factor = gain / np.sqrt(variance + eps)
            before = 0 if bias is None else bias
            weight, bias = weight * factor[:, None, None, None], (before - mean) * factor + shift
            inputs = ["x", str(2 * count), str(2 * count + 1)]
        for given, array in zip(inputs[1:], (weight, bias), strict=False):
            add(given, array)
        nodes.append(helper.make_node("Conv", inputs, [f"y{count}"]))
    graph = helper.make_graph(nodes, "released", [], [], list(initializers.values()))
    return helper.make_model(graph)


@pytest.fixture(scope="module")
def checkpoint_tensors():
    network = randomised()
    return {name: value.numpy() for name, value in network.state_dict().items()}


def outputs(model, ratio, size=(72, 128)):
    """All outputs of a model, or of a file, for two frames."""
    plain = model.SerializeToString() if isinstance(model, onnx.ModelProto) else str(model)
    session = ort.InferenceSession(plain, providers=["CPUExecutionProvider"])
    states = [np.zeros((1, 1, 1, 1), np.float32)] * 4
    for seed in (1, 2):
        src = np.random.default_rng(seed).random((1, 3, *size), np.float32)
        feed = {f"r{level}i": state for level, state in enumerate(states, 1)}
        feed |= {"src": src, "downsample_ratio": np.float32([ratio])}
        fgr, pha, *states = session.run(["fgr", "pha", "r1o", "r2o", "r3o", "r4o"], feed)
    return [fgr, pha, *states]


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_the_weights_of_a_released_file_give_the_same_network(checkpoint_tensors, ratio):
    tensors = released_tensors(imitation(checkpoint_tensors))
    for ours, theirs in zip(
        outputs(build(tensors), ratio), outputs(build(checkpoint_tensors), ratio), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_the_real_file_gives_the_same_network(shared_path):
    """Below ratio 1, where the released graph and ours both run the refiner."""
    path = shared_path("models/rvm_mobilenetv3_fp32.onnx")
    ours = outputs(build(released_tensors(onnx.load(path))), 0.5)
    for one, other in zip(ours, outputs(path, 0.5), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def changed(tensors, what):
    model = imitation(tensors)
    nodes = model.graph.node
    if what == "order":
        nodes.insert(len(nodes) - 30, nodes.pop())
    elif what == "missing":
        nodes.pop()
    else:
        tensor = numpy_helper.to_array(model.graph.initializer[0]).astype(np.float16)
        model.graph.initializer[0].CopyFrom(
            numpy_helper.from_array(tensor, model.graph.initializer[0].name)
        )
    return model


@pytest.mark.parametrize("what", ["order", "missing", "half precision"])
def test_any_other_file_stays_as_it_is(what, checkpoint_tensors, tmp_path):
    model = changed(checkpoint_tensors, what)
    assert released_tensors(model) is None
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    assert rebuilt_cached(path) == path


def test_it_is_rebuilt_once_and_kept(checkpoint_tensors, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "rvm.onnx"
    onnx.save(imitation(checkpoint_tensors), path)
    with caplog.at_level(logging.INFO):
        first = rebuilt_cached(path)
    assert first.is_relative_to(tmp_path / "cache")
    assert "rebuilt rvm.onnx" in caplog.text
    monkeypatch.setattr("realtime_bg.networks.rvm_released.released_tensors", None)
    assert rebuilt_cached(path) == first
    assert {"src", "downsample_ratio"} <= {end.name for end in onnx.load(first).graph.input}


def test_a_damaged_file_or_a_full_disk_is_no_error(checkpoint_tensors, tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no model")
    assert rebuilt_cached(damaged) == damaged
    path = tmp_path / "rvm.onnx"
    onnx.save(imitation(checkpoint_tensors), path)
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert rebuilt_cached(path) == path
