"""Bad ONNX files and wild outputs: one clear line or a sane matte, whatever the engine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from helpers import ROOT, graphs

from realtime_bg.engines import open_engine
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Frame, check_matte
from realtime_bg.settings import CombineSettings, EngineSettings
from realtime_bg.stats import Stats

GOOD = {"rvm": graphs.rvm, "semantic": graphs.person_map, "instance": graphs.whole_picture_detector}
LEARNED = (*GOOD, "combined")
SIZE = (96, 64)
FLIPS = 48  # damaged copies per engine
FLOAT, INT, node = graphs.FLOAT, graphs.INT, graphs.helper.make_node


def good(engine, folder):
    """A small file the engine can use; a combination has it as its second engine's."""
    return GOOD.get(engine, graphs.person_map)(folder / "net.onnx")


def outcome(engine, path, size=SIZE, level=200):
    """The error's line, or the matte of the second of two frames; all else is a failure."""
    settings = EngineSettings(name=engine, model=path, device="cpu", offline=True)
    if engine == "combined":
        combine = CombineSettings(engine="semantic", model=path)
        settings = EngineSettings(name="threshold", device="cpu", combine=combine)
    image = np.full((size[1], size[0], 3), level, np.uint8)
    try:
        opened = open_engine(settings, size, Stats())
        mattes = [check_matte(opened.matte(Frame(image, n, n / 30))) for n in range(2)]
        opened.close()
    except RealtimeBgError as error:
        line = str(error)
        assert line
        assert "\n" not in line
        assert len(line) < 1200
        return line
    return mattes[-1]


@pytest.fixture(params=LEARNED)
def engine(request):
    return request.param


def test_the_files_of_these_tests_are_good_before_they_are_damaged(engine, tmp_path):
    matte = outcome(engine, good(engine, tmp_path))
    assert not isinstance(matte, str), matte
    if engine != "combined":  # whose first engine sees nobody on a flat picture
        assert matte.alpha.min() > 0.7


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"<html>404</html>", b"\x08"])
def test_what_is_no_onnx_file_is_named(engine, content, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    assert "net.onnx" in outcome(engine, path)


@pytest.mark.parametrize("share", [0.02, 0.25, 0.5, 0.75, 0.98])
def test_a_truncated_file_is_named(engine, share, tmp_path):
    path = good(engine, tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    line = outcome(engine, path)
    assert isinstance(line, str)
    assert "net.onnx" in line


def test_an_opset_of_the_future_is_named(engine, tmp_path):
    path = good(engine, tmp_path)
    model = onnx.load(path)
    model.opset_import[0].version = 99
    onnx.save(model, path)
    assert "net.onnx" in outcome(engine, path)


def test_flipped_bytes_never_crash(engine, tmp_path):
    """In a process of its own: a fault inside the runtime would take this one along."""
    good(engine, tmp_path)
    run = subprocess.run(
        [sys.executable, __file__, engine, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
    )
    assert run.returncode == 0, run.stdout[-500:] + run.stderr[-3000:]
    assert run.stdout.count("error") + run.stdout.count("matte") == FLIPS
    assert run.stdout.count("error") > FLIPS / 8


def flips(engine, folder):
    """Damage one to eight bytes of the file, again and again; print what came of it."""
    path = folder / "net.onnx"
    data = np.frombuffer(path.read_bytes(), np.uint8)
    for seed in range(FLIPS):
        rng = np.random.default_rng(seed)
        damaged = data.copy()
        places = rng.integers(0, len(data), 1 + seed % 8)
        damaged[places] ^= rng.integers(1, 256, len(places), np.uint8)
        path.write_bytes(damaged.tobytes())
        print(seed, end=" ", flush=True)
        print("error" if isinstance(outcome(engine, path), str) else "matte", flush=True)


# graphs that load and do not fit


def semantic(path, out, nodes, constants=None, shape=(1, 3, "h", "w"), kind=FLOAT):
    return graphs.save(path, nodes, {"x": (FLOAT, list(shape))}, {"y": (kind, out)}, constants)


def spoilt(value):
    """``value`` for all maps, as nodes from x to y: (mean of x - mean of x) + value."""
    return [
        node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=1),
        node("Sub", ["m", "m"], ["z"]),
        node("Add", ["z", "v"], ["y"]),
    ], {"v": np.float32(value)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e38, -1e38])
@pytest.mark.parametrize("name", ["semantic", "combined"])
def test_maps_beyond_all_bounds(name, value, tmp_path):
    nodes, constants = spoilt(value)
    got = outcome(name, semantic(tmp_path / "net.onnx", [1, 1, "h", "w"], nodes, constants))
    assert isinstance(got, str) == (not np.isfinite(value))


@pytest.mark.parametrize(
    ("out", "nodes"),
    [
        ([], [node("ReduceMean", ["x"], ["y"], keepdims=0)]),
        ([1], [node("ReduceMean", ["x"], ["y"], axes=[1, 2, 3], keepdims=0)]),
        ([1, 3, "h", "w", 1], [node("Unsqueeze", ["x", "last"], ["y"])]),
        (["a", "b"], [node("Flatten", ["x"], ["y"])]),
        # no classes, no rows, no columns
        ([1, "c", "h", "w"], [node("Slice", ["x", "zero", "zero", "one"], ["y"])]),
        ([1, 3, "h", "w"], [node("Slice", ["x", "zero", "zero", "two"], ["y"])]),
        ([1, 3, "h", "w"], [node("Slice", ["x", "zero", "zero", "three"], ["y"])]),
        (["n", 3, "h", "w"], [node("Slice", ["x", "zero", "zero", "zero"], ["y"])]),
        # of another size than the picture
        ([1, 1, 1, 1], [node("ReduceMean", ["x"], ["y"], keepdims=1)]),
    ],
)
@pytest.mark.parametrize("name", ["semantic", "combined"])
def test_maps_of_any_rank_and_with_sides_of_zero(name, out, nodes, tmp_path):
    numbers = {"zero": [0], "one": [1], "two": [2], "three": [3], "last": [4]}
    used = {key: np.int64(value) for key, value in numbers.items() if key in nodes[0].input}
    outcome(name, semantic(tmp_path / "net.onnx", out, nodes, used))


@pytest.mark.parametrize(
    "shape",
    [
        [1, 3],
        [1, 3, 8],
        ["n", 3, "h", "w", 1],
        [1, 0, 8, 8],
        [1, 3, 0, 0],
        [1, 4, 8, 8],
        [2, 3, 8, 8],
        ["n", "c", "h", "w"],
        [1, 3, 10**6, 10**6],
    ],
)
def test_inputs_of_any_shape(engine, shape, tmp_path):
    path = tmp_path / "net.onnx"
    ends = {"x": (FLOAT, shape)}, {"y": (FLOAT, shape)}
    graphs.save(path, [node("Relu", ["x"], ["y"])], *ends)
    assert isinstance(outcome(engine, path), str)


@pytest.mark.parametrize("kind", ["INT64", "BOOL", "DOUBLE", "STRING"])
def test_inputs_of_any_type(engine, kind, tmp_path):
    path = tmp_path / "net.onnx"
    value = getattr(graphs.TensorProto, kind), [1, 3, "h", "w"]
    graphs.save(path, [node("Identity", ["x"], ["y"])], {"x": value}, {"y": value})
    assert isinstance(outcome(engine, path), str)


@pytest.mark.parametrize("ends", ["no pha", "extra", "flat", "cropped", "nan", "int"])
def test_networks_that_only_look_like_rvm(ends, tmp_path):
    model = onnx.load(graphs.rvm(tmp_path / "net.onnx"))
    graph = model.graph
    pha = next(n for n in graph.node if n.output[0] == "pha")
    if ends == "no pha":
        graph.output.remove(next(v for v in graph.output if v.name == "pha"))
    elif ends == "extra":
        graph.input.append(graphs.helper.make_tensor_value_info("more", FLOAT, [1]))
    else:
        pha.output[0] = "true"
        extra = {
            "flat": [node("ReduceMean", ["true"], ["pha"], keepdims=0)],
            "cropped": [node("MaxPool", ["true"], ["pha"], kernel_shape=[2, 2], strides=[2, 2])],
            "nan": [node("Sub", ["true", "true"], ["z"]), node("Div", ["z", "z"], ["pha"])],
            "int": [node("Cast", ["true"], ["pha"], to=INT)],
        }
        graph.node.extend(extra[ends])
        out = next(v for v in graph.output if v.name == "pha")
        graph.output.remove(out)
        shape = [] if ends == "flat" else [1, 1, "a", "b"]
        kind = INT if ends == "int" else FLOAT
        graph.output.append(graphs.helper.make_tensor_value_info("pha", kind, shape))
    onnx.save(model, tmp_path / "net.onnx")
    line = outcome("rvm", tmp_path / "net.onnx")
    assert isinstance(line, str)
    assert "net.onnx" in line


def detector(path, **changes):
    """torchvision's outputs for one person, some of them changed."""
    outputs = {
        "boxes": np.float32([[8, 8, 60, 60]]),
        "labels": np.int64([1]),
        "scores": np.float32([0.9]),
        "masks": np.ones((1, 1, 64, 96), np.float32),
        **changes,
    }
    return graphs.constant_detector(path, outputs, (1, 3, 64, 96))


WILD = [
    *({"scores": np.float32([v])} for v in (np.nan, np.inf, -1)),
    *({"boxes": np.full((1, 4), v, np.float32)} for v in (np.nan, np.inf, 1e30, -1e30, 0)),
    *({"masks": np.full((1, 1, 28, 28), v, np.float32)} for v in (np.nan, np.inf, -np.inf, 1e30)),
    {"boxes": np.float32([[60, 60, 8, 8]]), "masks": np.ones((1, 1, 28, 28), np.float32)},
    {"boxes": np.float32([[-1e6, -1e6, 1e6, 1e6]]), "masks": np.ones((1, 1, 28, 28), np.float32)},
    {"masks": np.ones((1, 1, 0, 0), np.float32)},
    {"masks": np.ones((1, 1, 1, 1), np.float32)},
    {"masks": np.ones((1, 1, 64, 3), np.float32)},
    {"masks": np.ones((1, 3, 28, 28), np.float32)},
    {"labels": np.int64([-1])},
    {"labels": np.int64([2**62])},
    {"labels": np.int64([1, 1])},
    {"scores": np.float32([[0.9]])},
    {"boxes": np.float32([8, 8, 60, 60])},
    {"boxes": np.float32([[8, 8, 60]])},
]


@pytest.mark.parametrize("changes", WILD, ids="-".join)
def test_detections_beyond_all_bounds(changes, tmp_path):
    outcome("instance", detector(tmp_path / "net.onnx", **changes))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, -1e30])
@pytest.mark.parametrize("table", [(1, 116, 300), (1, 300, 117), (1, 300, 38)])
def test_yolo_tables_beyond_all_bounds(table, value, tmp_path):
    outputs = {
        "output0": np.full(table, value, np.float32),
        "output1": np.full((1, 32, 16, 24), value, np.float32),
    }
    outcome("instance", graphs.constant_detector(tmp_path / "net.onnx", outputs, (1, 3, 64, 96)))


@pytest.mark.parametrize("columns", [1, 5, 31, 35, 36])
def test_yolo_tables_with_too_few_columns(columns, tmp_path):
    outputs = {
        "output0": np.ones((1, columns, 300), np.float32),
        "output1": np.ones((1, 32, 16, 24), np.float32),
    }
    outcome("instance", graphs.constant_detector(tmp_path / "net.onnx", outputs, (1, 3, 64, 96)))


def test_panoptic_tables_that_fit_nothing(tmp_path):
    for segments, info in (
        (np.zeros((64, 96), np.int64), np.int64([[1, 0, 1]])),
        (np.ones((4, 4), np.int64), np.int64([[1, 0, 1]])),
        (np.ones((64, 96), np.int64), np.int64([[1, 0]])),
        (np.ones((64, 96), np.int64), np.zeros((0, 3), np.int64)),
    ):
        outputs = {"panoptic_seg": segments, "segments_info": info}
        path = graphs.constant_detector(tmp_path / "net.onnx", outputs, (3, 64, 96))
        outcome("instance", path)


@pytest.mark.parametrize("size", [(1, 1), (1, 333), (2, 3), (97, 301), (3840, 2160)])
def test_frames_of_any_size(engine, size, tmp_path):
    matte = outcome(engine, good(engine, tmp_path), size)
    assert not isinstance(matte, str), matte


if __name__ == "__main__":
    flips(sys.argv[1], Path(sys.argv[2]))
