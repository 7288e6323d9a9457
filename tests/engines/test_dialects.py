"""Dialects of detectors: the outputs that exporters really write, and what is none of them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import graphs

from realtime_bg.engines.dialects import ROLES, check_shapes, recognise
from realtime_bg.engines.instance import Instance
from realtime_bg.errors import EngineError
from realtime_bg.frames import Frame, check_matte
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

REAL, WHOLE = "tensor(float)", "tensor(int64)"
# What ONNX Runtime says of the outputs of files that these exporters wrote, and of their input. An
# axis is a number or a name.
SIGNATURES = {
    # scripts/export_detectron2.py: Detectron2 0.6 at 02b5c4e, PyTorch 2.13.0
    "detectron2-script": (
        "detectron2",
        [3, 96, 128],
        {
            "boxes": ("boxes", ["n", "Castboxes_dim_1"], REAL),
            "classes": ("labels", ["n"], WHOLE),
            "masks": ("masks", ["n", 1, "Slicemasks_dim_2", "Slicemasks_dim_3"], REAL),
            "scores": ("scores", ["n"], REAL),
        },
    ),
    # Detectron2's TracingAdapter, as its tools/deploy/export_model.py uses it
    "detectron2-own": (
        "detectron2",
        [3, 96, 128],
        {
            "boxes.35": ("boxes", ["Castboxes.35_dim_0", "Castboxes.35_dim_1"], REAL),
            "value.3": ("labels", ["Castboxes.35_dim_0"], WHOLE),
            "value.7": (
                "masks",
                ["Slicevalue.7_dim_0", 1, "Slicevalue.7_dim_2", "Slicevalue.7_dim_3"],
                REAL,
            ),
            "value": ("scores", ["Castboxes.35_dim_0"], REAL),
            "onnx::Split_398": (None, [2], WHOLE),
        },
    ),
    # scripts/export_torchvision.py maskrcnn_resnet50_fpn: torchvision 0.28.0, PyTorch 2.13.0
    "torchvision-script": (
        "torchvision",
        [1, 3, 96, 128],
        {
            "boxes": ("boxes", ["n", 4], REAL),
            "labels": ("labels", ["n"], WHOLE),
            "scores": ("scores", ["n"], REAL),
            "masks": (
                "masks",
                ["n", "Unsqueezemasks_dim_1", "Unsqueezemasks_dim_2", "Unsqueezemasks_dim_3"],
                REAL,
            ),
        },
    ),
    # scripts/export_yolo_seg.py yolo11n-seg.pt: Ultralytics 8.4.190
    "yolo-script": (
        "yolo",
        [1, 3, 96, 128],
        {
            "output0": ("table", [1, 116, 252], REAL),
            "output1": ("prototypes", [1, 32, 24, 32], REAL),
        },
    ),
    # yolo export format=onnx dynamic=True
    "yolo-dynamic": (
        "yolo",
        ["batch", 3, "height", "width"],
        {
            "output0": ("table", ["batch", "Concatoutput0_dim_1", "anchors"], REAL),
            "output1": ("prototypes", ["batch", 32, "mask_height", "mask_width"], REAL),
        },
    ),
    # yolo export format=onnx nms=True
    "yolo-nms": (
        "yolo",
        [1, 3, 96, 128],
        {
            "output0": ("table", [1, 300, 38], REAL),
            "output1": ("prototypes", [1, 32, 24, 32], REAL),
        },
    ),
    # YOLOv5's export.py
    "yolo-v5": (
        "yolo",
        [1, 3, 96, 128],
        {
            "output0": ("table", [1, 252, 117], REAL),
            "output1": ("prototypes", [1, 32, 24, 32], REAL),
        },
    ),
}
BOX = (16, 24, 80, 88)  # the one person in the test files


def outputs(signature):
    """What ONNX Runtime would say of a file's outputs."""
    return [
        SimpleNamespace(name=name, shape=shape, type=kind)
        for name, (_, shape, kind) in signature.items()
    ]


def declared(name, path):
    """A file with the declared shapes of a signature, that finds one person."""
    dialect, picture, signature = SIGNATURES[name]
    masks = np.zeros((1, 1, 96, 128), np.float32)
    masks[..., BOX[1] : BOX[3], BOX[0] : BOX[2]] = 1
    prototypes = np.full((1, 32, 24, 32), -8, np.float32)
    prototypes[0, 0, BOX[1] // 4 : BOX[3] // 4, BOX[0] // 4 : BOX[2] // 4] = 8
    table = np.zeros((1, 300 if name == "yolo-nms" else 252, 116), np.float32)
    table[0, 0, :5] = 48, 56, 64, 64, 0.9
    table[0, 0, -32] = 1
    if name == "yolo-v5":  # has an objectness before the classes
        table = np.insert(table, 4, table[0, :, 4] > 0, axis=2)
    elif name == "yolo-nms":
        table[0, 0, :5] = *BOX, 0.9
        table = np.delete(table, np.s_[6:84], axis=2)
    else:
        table = table.transpose(0, 2, 1)
    values = {
        "boxes": np.float32([BOX]),
        "labels": np.int64([1 if dialect == "torchvision" else 0]),
        "scores": np.float32([0.9]),
        "masks": masks if dialect == "torchvision" else np.ones((1, 1, 28, 28), np.float32),
        "table": np.ascontiguousarray(table, np.float32),
        "prototypes": prototypes,
        None: np.int64([96, 128]),
    }
    kinds = {REAL: graphs.FLOAT, WHOLE: graphs.INT}
    nodes = [graphs.helper.make_node("Identity", [f"constant {end}"], [end]) for end in signature]
    ends = {end: (kinds[kind], shape) for end, (_, shape, kind) in signature.items()}
    constants = {f"constant {end}": values[role] for end, (role, _, _) in signature.items()}
    return graphs.save(path, nodes, {"image": (graphs.FLOAT, picture)}, ends, constants)


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_outputs_of_real_exporters_are_recognised(name):
    dialect, _, signature = SIGNATURES[name]
    found = recognise(outputs(signature), Path("net.onnx"))
    assert found.dialect == dialect
    assert found.names == {role: end for end, (role, _, _) in signature.items() if role}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_file_with_the_shapes_of_a_real_one_is_run(name, tmp_path):
    path = declared(name, tmp_path / "net.onnx")
    settings = EngineSettings(name="instance", model=path, device="cpu", work_size=(128, 96))
    net = Instance(settings, (128, 96), Stats())
    matte = check_matte(net.matte(Frame(np.full((96, 128, 3), 128, np.uint8), 0, 0.0)))
    truth = np.zeros((96, 128), bool)
    truth[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
    assert (truth & (matte.alpha > 0.5)).sum() / (truth | (matte.alpha > 0.5)).sum() > 0.97


def test_named_outputs_may_have_no_shape_at_all():
    _, _, signature = SIGNATURES["detectron2-script"]
    bare = {name: (role, [], kind) for name, (role, _, kind) in signature.items()}
    assert recognise(outputs(bare), Path("net.onnx")).dialect == "detectron2"
    unknown = {name: (role, [None] * len(s), kind) for name, (role, s, kind) in signature.items()}
    assert recognise(outputs(unknown), Path("net.onnx")).dialect == "detectron2"


def changed(name, **changes):
    signature = dict(SIGNATURES[name][2])
    for end, shape in changes.items():
        signature[end] = (*signature[end][:1], shape, signature[end][2])
    return signature


NONE = {
    "boxes of five numbers": changed("detectron2-script", boxes=["n", 5]),
    "masks of three classes": changed("torchvision-script", masks=["n", 3, "h", "w"]),
    "scores in a table": changed("torchvision-script", scores=["n", 91]),
    "prototypes without 32 coefficients": changed("yolo-script", output1=[1, 16, 24, 32]),
    # torchvision's and Detectron2's outputs are alike; which one this is, nobody can say.
    "neither names nor a size": {
        name: end
        for name, end in SIGNATURES["detectron2-own"][2].items()
        if name != "onnx::Split_398"
    },
    # torch.onnx.export of torchvision's Mask R-CNN without output_names
    "torchvision without names": {
        "boxes.55": ("boxes", ["Concatboxes.55_dim_0", 4], REAL),
        "onnx::Shape_2526": ("labels", ["Gatheronnx::Shape_2526_dim_0"], WHOLE),
        "2525": ("scores", ["Gatheronnx::Shape_2526_dim_0"], REAL),
        "3123": ("masks", [f"Unsqueeze3123_dim_{n}" for n in range(4)], REAL),
    },
    "two tables of boxes": {
        **SIGNATURES["detectron2-own"][2],
        "proposals": (None, ["m", "Castproposals_dim_1"], REAL),
    },
    "two tables of anchors": {
        **SIGNATURES["yolo-script"][2],
        "output2": (None, [1, 116, 252], REAL),
    },
}


@pytest.mark.parametrize("signature", NONE.values(), ids=list(NONE))
def test_nothing_is_guessed(signature):
    with pytest.raises(EngineError, match="not a detector with masks that is known"):
        recognise(outputs(signature), Path("net.onnx"))


@pytest.mark.parametrize("dialect", ROLES)
def test_arrays_of_another_shape_than_the_dialects_are_refused(dialect):
    good = {
        role: np.ones([size or 2 for size in wanted.shape], np.float32)
        for role, wanted in ROLES[dialect].items()
    }
    check_shapes(dialect, good)
    check_shapes(dialect, {role: np.zeros(0, np.float32) for role in good})  # nobody found
    for role, array in good.items():
        with pytest.raises(EngineError, match=f"the detector's {role} have the shape"):
            check_shapes(dialect, {**good, role: array[None]})
