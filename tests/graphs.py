"""Small ONNX files with the inputs and outputs of real exporters, for the engines' tests."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def save(path, nodes, inputs, outputs, constants=None, opset=17):
    """Write a graph; ``inputs`` and ``outputs``: name -> (type, shape)."""
    weights = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    ends = [
        [helper.make_tensor_value_info(name, *value) for name, value in end.items()]
        for end in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "test", *ends, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def person_map(path, layout="nchw", classes=1, person=0, logits=True, fixed=None, kind=FLOAT):
    """A network whose person is what is brighter than half: the mean of the channels, as logits
    or probabilities of ``classes`` classes."""
    height, width = fixed or ("h", "w")
    first = layout == "nchw"
    shape = [1, 3, height, width] if first else [1, height, width, 3]
    axis = 1 if first else 3
    nodes = []
    source = "x"
    if kind != FLOAT:
        nodes.append(helper.make_node("Cast", ["x"], ["cast"], to=FLOAT))
        nodes.append(helper.make_node("Div", ["cast", "full"], ["scaled"]))
        source = "scaled"
    nodes += [
        helper.make_node("ReduceMean", [source], ["mean"], axes=[axis], keepdims=1),
        helper.make_node("Sub", ["mean", "half"], ["centred"]),
        helper.make_node("Mul", ["centred", "steep"], ["person"]),
        helper.make_node("Sub", ["person", "person"], ["zero"]),
    ]
    maps = ["person" if n == person else "zero" for n in range(classes)]
    nodes.append(helper.make_node("Concat", maps, ["logits"], axis=axis))
    if not logits:
        name = "Sigmoid" if classes == 1 else "Softmax"
        options = {} if classes == 1 else {"axis": axis}
        nodes.append(helper.make_node(name, ["logits"], ["y"], **options))
    else:
        nodes.append(helper.make_node("Identity", ["logits"], ["y"]))
    out = [1, classes, height, width] if first else [1, height, width, classes]
    constants = {"half": np.float32(0.5), "steep": np.float32(20), "full": np.float32(255)}
    return save(path, nodes, {"x": (kind, shape)}, {"y": (FLOAT, out)}, constants)


def whole_picture_detector(path):
    """torchvision's outputs for one person: the picture's brightness is the mask."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["masks"], axes=[1], keepdims=1)]
    constants = {"boxes": np.float32([[0, 0, 1e4, 1e4]]), "labels": np.int64([1]),
                 "scores": np.float32([0.9])}  # fmt: skip
    return _with_constants(path, nodes, [1, 3, "h", "w"], constants,
                           {"masks": (FLOAT, [1, 1, "h", "w"])})  # fmt: skip


def constant_detector(path, outputs, shape=(1, 3, "h", "w")):
    """A detector that always gives ``outputs``: name -> array; shapes are left free in N."""
    return _with_constants(path, [], list(shape), outputs, {})


def _with_constants(path, nodes, shape, constants, more):
    outputs = dict(more)
    weights = {}
    # The input has to matter to the graph: nothing is added to every float output.
    nodes = [*nodes, helper.make_node("ReduceMax", ["image"], ["top"], keepdims=0),
             helper.make_node("Sub", ["top", "top"], ["nothing"]),
             helper.make_node("Cast", ["nothing"], ["no"], to=INT)]  # fmt: skip
    for name, given in constants.items():
        values = np.asarray(given)
        weights[f"{name}_value"] = values
        kind = FLOAT if values.dtype == np.float32 else INT
        nodes.append(helper.make_node(
            "Add", [f"{name}_value", "nothing" if kind == FLOAT else "no"], [name]))  # fmt: skip
        free = [f"{name}_{n}" if n in (0, 1) and name not in ("output0", "output1") else side
                for n, side in enumerate(values.shape)]  # fmt: skip
        if values.ndim == 2 and values.shape[1] in (4, 5):
            free[1] = values.shape[1]
        if values.ndim >= 3:
            free = list(values.shape)
        outputs[name] = (kind, free)
    return save(path, nodes, {"image": (FLOAT, shape)}, outputs, weights)
