"""Writes small ONNX files with the inputs and outputs of real exports, for the engines' tests."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, INT = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64


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
    """A network that marks pixels brighter than one half as person: the mean of the channels, as
    logits or probabilities of ``classes`` classes."""
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


def number_map(path, kind, number):
    """A network with integer outputs: ``number`` where the input is brighter than one half,
    otherwise 0."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Greater", ["mean", "half"], ["person"]),
        helper.make_node("Cast", ["person"], ["one"], to=FLOAT),
        helper.make_node("Mul", ["one", "number"], ["map"]),
        helper.make_node("Cast", ["map"], ["y"], to=kind),
    ]
    constants = {"half": np.float32(0.5), "number": np.float32(number)}
    return save(
        path, nodes, {"x": (FLOAT, [1, 3, "h", "w"])}, {"y": (kind, [1, 1, "h", "w"])}, constants
    )


def whole_picture_detector(path):
    """A detector with torchvision's outputs for one person, whose mask is the image's
    brightness."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["masks"], axes=[1], keepdims=1)]
    constants = {
        "boxes": np.float32([[0, 0, 1e4, 1e4]]),
        "labels": np.int64([1]),
        "scores": np.float32([0.9]),
    }
    return _with_constants(
        path, nodes, [1, 3, "h", "w"], constants, {"masks": (FLOAT, [1, 1, "h", "w"])}
    )


def constant_detector(path, outputs, shape=(1, 3, "h", "w"), kind=FLOAT):
    """A detector with constant ``outputs``: name -> array; shapes are free in N. ``kind``: the type
    of its input and of its float outputs."""
    return _with_constants(path, [], list(shape), outputs, {}, kind)


def rvm(path):
    """A network with RVM's inputs and outputs: the alpha is the brightness times the ratio, the
    foreground is the image, and the states are unchanged."""
    nodes = [
        helper.make_node("ReduceMean", ["src"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "downsample_ratio"], ["pha"]),
        helper.make_node("Identity", ["src"], ["fgr"]),
    ]
    picture = (FLOAT, [1, 3, "h", "w"])
    inputs = {"src": picture, "downsample_ratio": (FLOAT, [1])}
    outputs = {"fgr": picture, "pha": (FLOAT, [1, 1, "h", "w"])}
    for n in range(1, 5):
        nodes.append(helper.make_node("Identity", [f"r{n}i"], [f"r{n}o"]))
        inputs[f"r{n}i"] = outputs[f"r{n}o"] = (FLOAT, ["b", f"c{n}", f"h{n}", f"w{n}"])
    return save(path, nodes, inputs, outputs)


def yunet(path, colour, face=160, side=640):
    """A network with YuNet's 12 outputs for strides 8, 16 and 32. It finds a face, ``face`` pixels
    wide and high, where a cell of 32 pixels has ``colour`` (BGR)."""
    constants = {"colour": np.float32(colour).reshape(1, 3, 1, 1), "steep": np.float32(-0.2)}
    nodes = [
        helper.make_node("Sub", ["input", "colour"], ["away"]),
        helper.make_node("Abs", ["away"], ["distance"]),
        helper.make_node("ReduceMean", ["distance"], ["far"], axes=[1], keepdims=1),
    ]
    outputs = {}
    for stride in (8, 16, 32):
        cells = (side // stride) ** 2
        constants[f"column{stride}"] = np.int64([1, cells, 1])
        constants[f"bias{stride}"] = np.float32(4 if stride == 32 else -50)
        # From a cell's corner to the middle of the box, and the logarithm of its sides, in cells.
        constants[f"box{stride}"] = np.float32([[[0.5, 0.5, *[np.log(face / stride)] * 2]]])
        constants[f"points{stride}"] = np.zeros((1, 1, 10), np.float32)
        pool = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            helper.make_node("AveragePool", ["far"], [f"pooled{stride}"], **pool),
            helper.make_node("Reshape", [f"pooled{stride}", f"column{stride}"], [f"far{stride}"]),
            helper.make_node("Mul", [f"far{stride}", "steep"], [f"scaled{stride}"]),
            helper.make_node("Add", [f"scaled{stride}", f"bias{stride}"], [f"logit{stride}"]),
            helper.make_node("Sigmoid", [f"logit{stride}"], [f"cls_{stride}"]),
            helper.make_node("Sigmoid", [f"logit{stride}"], [f"obj_{stride}"]),
            helper.make_node("Sub", [f"far{stride}", f"far{stride}"], [f"zero{stride}"]),
            helper.make_node("Add", [f"zero{stride}", f"box{stride}"], [f"bbox_{stride}"]),
            helper.make_node("Add", [f"zero{stride}", f"points{stride}"], [f"kps_{stride}"]),
        ]
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{name}_{stride}"] = (FLOAT, [1, cells, width])
    order = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    ends = {"input": (FLOAT, [1, 3, side, side])}, {name: outputs[name] for name in order}
    return save(path, nodes, *ends, constants, opset=11)


def _with_constants(path, nodes, shape, constants, more, real=FLOAT):
    outputs = dict(more)
    weights = {}
    # The outputs must depend on the input: a zero computed from it is added to each.
    nodes = [
        *nodes,
        helper.make_node("ReduceMax", ["image"], ["top"], keepdims=0),
        helper.make_node("Sub", ["top", "top"], ["nothing"]),
        helper.make_node("Cast", ["nothing"], ["no"], to=INT),
    ]
    for name, given in constants.items():
        values = np.asarray(given)
        weights[f"{name}_value"] = values
        kind = real if values.dtype.kind == "f" else INT
        nodes.append(
            helper.make_node("Add", [f"{name}_value", "nothing" if kind == real else "no"], [name])
        )
        free = [
            f"{name}_{n}" if n in (0, 1) and name not in ("output0", "output1") else side
            for n, side in enumerate(values.shape)
        ]
        if values.ndim == 2 and values.shape[1] in (4, 5):
            free[1] = values.shape[1]
        if values.ndim >= 3:
            free = list(values.shape)
        outputs[name] = (kind, free)
    return save(path, nodes, {"image": (real, shape)}, outputs, weights)


def painter(path, value=1.0):
    """A network with an inpainting network's inputs and outputs, which fills with one grey
    level."""
    nodes = [
        helper.make_node("Sub", ["one", "mask"], ["hole"]),
        helper.make_node("Mul", ["image", "mask"], ["kept"]),
        helper.make_node("Mul", ["hole", "grey"], ["paint"]),
        helper.make_node("Add", ["kept", "paint"], ["filled"]),
    ]
    inputs = {"image": (FLOAT, [1, 3, "h", "w"]), "mask": (FLOAT, [1, 1, "h", "w"])}
    constants = {"one": np.float32(1), "grey": np.float32(value)}
    return save(path, nodes, inputs, {"filled": (FLOAT, [1, 3, "h", "w"])}, constants)


def remembering(path):
    """A network with RVM's inputs and outputs and a memory: each call moves the alpha halfway to
    the brightness."""
    nodes = [
        helper.make_node("ReduceMean", ["src"], ["bright"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["bright", "r1i"], ["missing"]),
        helper.make_node("Mul", ["missing", "half"], ["step"]),
        helper.make_node("Add", ["r1i", "step"], ["r1o"]),
        helper.make_node("Identity", ["r1o"], ["pha"]),
        helper.make_node("Identity", ["src"], ["fgr"]),
    ]
    picture = (FLOAT, [1, 3, "h", "w"])
    inputs = {"src": picture, "downsample_ratio": (FLOAT, [1])}
    outputs = {"fgr": picture, "pha": (FLOAT, [1, 1, "h", "w"])}
    for n in range(1, 5):
        if n > 1:
            nodes.append(helper.make_node("Identity", [f"r{n}i"], [f"r{n}o"]))
        inputs[f"r{n}i"] = outputs[f"r{n}o"] = (FLOAT, ["b", f"c{n}", f"h{n}", f"w{n}"])
    return save(path, nodes, inputs, outputs, {"half": np.float32(0.5)})
