"""Builds RVM as an ONNX graph from a checkpoint's tensors, without PyTorch.

The graph has the released files' contract: ``src`` (N, 3, H, W) float32 RGB in 0..1, ``r1i`` to
``r4i`` (zeros of (1, 1, 1, 1) at the start), ``downsample_ratio`` float32 (1,) in; ``fgr``, ``pha``
and ``r1o`` to ``r4o`` out. Sizes and the ratio may change at run time, batch norm is folded into
the convolutions, and at ratio 1 the refiner is skipped, as in `rvm.py`, whose structure this
follows.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from realtime_bg.networks import IMAGENET_MEAN, IMAGENET_STD
from realtime_bg.version import __version__

Tensors = Mapping[str, NDArray[np.float32]]
Value = str  # the name of a value in the graph

OPSET = 17
REVISION = 1  # increase it when the graph changes: it is part of cached files' names
BACKBONE_EPS = 1e-3  # of MobileNetV3's batch norm; the rest uses PyTorch's default
DEFAULT_EPS = 1e-5
GUIDED_EPS = 1e-5
# (activation, stride, dilation) of MobileNetV3's blocks 1..15; kernels are in the weights.
MOBILE_BLOCKS = (
    ("Relu", 1, 1),
    ("Relu", 2, 1),
    ("Relu", 1, 1),
    ("Relu", 2, 1),
    ("Relu", 1, 1),
    ("Relu", 1, 1),
    ("HardSwish", 2, 1),
    ("HardSwish", 1, 1),
    ("HardSwish", 1, 1),
    ("HardSwish", 1, 1),
    ("HardSwish", 1, 1),
    ("HardSwish", 1, 1),
    ("HardSwish", 1, 2),
    ("HardSwish", 1, 2),
    ("HardSwish", 1, 2),
)
RESNET_STAGES = ((3, 1, 1), (4, 2, 1), (6, 2, 1), (3, 1, 2))  # blocks, stride, dilation


class _Graph:
    """Collects nodes and weights; every method adds nodes and returns their output value."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}
        self._count = 0

    def op(self, kind: str, *inputs: Value, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node and return its output's name, or a list of names for several outputs."""
        self._count += 1
        names = [f"{kind.lower()}_{self._count}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: object, dtype: type = np.float32, name: str = "") -> Value:
        array: NDArray[Any] = np.asarray(values, dtype)
        name = name or f"constant_{dtype.__name__}_{'_'.join(map(str, array.ravel().tolist()))}"
        self.weights.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def conv(
        self,
        x: Value,
        name: str,
        norm: str | None = None,
        activation: str | None = None,
        eps: float = DEFAULT_EPS,
        stride: int = 1,
        dilation: int = 1,
        scale: NDArray[np.float32] | None = None,
    ) -> Value:
        """Add convolution ``name`` with same padding, batch norm ``norm`` folded in, and an
        activation."""
        weight = self.tensors[f"{name}.weight"].astype(np.float64)
        bias = self.tensors.get(f"{name}.bias", np.zeros(len(weight))).astype(np.float64)
        if scale is not None:
            weight = weight * scale[None, :, None, None]
        if norm is not None and f"{norm}.weight" in self.tensors:  # else it is folded in already
            part = {
                k: self.tensors[f"{norm}.{k}"].astype(np.float64)
                for k in ("weight", "bias", "running_mean", "running_var")
            }
            factor = part["weight"] / np.sqrt(part["running_var"] + eps)
            weight = weight * factor[:, None, None, None]
            bias = (bias - part["running_mean"]) * factor + part["bias"]
        kernel = list(weight.shape[2:])
        pads = [(k - 1) // 2 * dilation for k in kernel]
        # Depthwise weights have one input channel; RVM has no other grouped convolution.
        groups = len(weight) if weight.shape[1] == 1 and len(weight) > 1 else 1
        out: Value = self.op(
            "Conv",
            x,
            self.constant(weight, name=f"{name}.weight"),
            self.constant(bias, name=f"{name}.bias"),
            kernel_shape=kernel,
            pads=pads * 2,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            group=groups,
        )
        return self.activated(out, activation)

    def activated(self, x: Value, activation: str | None) -> Value:
        out: Value = self.op(activation, x) if activation else x
        return out

    def concat(self, *values: Value) -> Value:
        out: Value = self.op("Concat", *values, axis=1)
        return out

    def split(self, x: Value, sizes: list[int]) -> list[Value]:
        out: list[Value] = self.op(
            "Split", x, self.constant(sizes, np.int64), outputs=len(sizes), axis=1
        )
        return out

    def mean_pool(self, x: Value) -> Value:
        out: Value = self.op("GlobalAveragePool", x)
        return out

    def resized(self, x: Value, scales: Value = "", sizes: Value = "") -> Value:
        inputs = [x, "", scales] if scales else [x, "", "", sizes]
        out: Value = self.op(
            "Resize", *inputs, mode="linear", coordinate_transformation_mode="half_pixel"
        )
        return out

    def upsampled(self, x: Value, like: Value) -> Value:
        """Double the size, then crop to the height and width of ``like``."""
        doubled = self.resized(x, scales=self.constant([1, 1, 2, 2]))
        end = self.op("Shape", like, start=2)
        zero, axes = self.constant([0, 0], np.int64), self.constant([2, 3], np.int64)
        out: Value = self.op("Slice", doubled, zero, end, axes)
        return out


def _mobilenetv3(g: _Graph, small: Value) -> list[Value]:
    mean = g.constant(np.reshape(IMAGENET_MEAN, (1, 3, 1, 1)), name="imagenet_mean")
    x = g.op("Sub", small, mean)
    # folded into the weights; the mean cannot be, because of zero padding
    scale = (1 / np.asarray(IMAGENET_STD)).astype(np.float32)
    unit: dict[str, Any] = {"eps": BACKBONE_EPS}
    top = "backbone.features"
    x = g.conv(x, f"{top}.0.0", f"{top}.0.1", "HardSwish", stride=2, scale=scale, **unit)
    taps = []
    for index, (activation, stride, dilation) in enumerate(MOBILE_BLOCKS, start=1):
        block = f"{top}.{index}.block"
        y, part = x, 0
        channels = _channels(g, f"{block}.0.0")
        if channels.expands:
            y = g.conv(y, f"{block}.0.0", f"{block}.0.1", activation, **unit)
            part = 1
        name = f"{block}.{part}"
        y = g.conv(
            y, f"{name}.0", f"{name}.1", activation, stride=stride, dilation=dilation, **unit
        )
        part += 1
        if f"{block}.{part}.fc1.weight" in g.tensors:
            gate = g.conv(g.mean_pool(y), f"{block}.{part}.fc1", activation="Relu")
            gate = g.conv(gate, f"{block}.{part}.fc2")
            y = g.op("Mul", y, g.op("HardSigmoid", gate, alpha=1 / 6, beta=0.5))
            part += 1
        y = g.conv(y, f"{block}.{part}.0", f"{block}.{part}.1", **unit)
        same = stride == 1 and channels.into == len(g.tensors[f"{block}.{part}.0.weight"])
        x = g.op("Add", x, y) if same else y
        if index in (1, 3, 6):
            taps.append(x)
    taps.append(g.conv(x, f"{top}.16.0", f"{top}.16.1", "HardSwish", **unit))
    return taps


class _Channels(NamedTuple):
    into: int
    expands: bool


def _channels(g: _Graph, first: str) -> _Channels:
    """Return a block's input channels, and whether its first convolution expands them: if not, that
    convolution is the depthwise one, with one input channel per group."""
    out, per_group = g.tensors[f"{first}.weight"].shape[:2]
    return _Channels(out, False) if per_group == 1 else _Channels(per_group, True)


def _resnet50(g: _Graph, small: Value) -> list[Value]:
    x = g.conv(small, "backbone.conv1", "backbone.bn1", "Relu", stride=2)
    taps = [x]
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, (blocks, stride, dilation) in enumerate(RESNET_STAGES, start=1):
        for index in range(blocks):
            block, first = f"backbone.layer{stage}.{index}", index == 0
            down = f"{block}.downsample"
            step = stride if first else 1
            identity = g.conv(x, f"{down}.0", f"{down}.1", stride=step) if first else x
            y = g.conv(x, f"{block}.conv1", f"{block}.bn1", "Relu")
            y = g.conv(
                y,
                f"{block}.conv2",
                f"{block}.bn2",
                "Relu",
                stride=step,
                dilation=1 if first else dilation,
            )
            y = g.conv(y, f"{block}.conv3", f"{block}.bn3")
            x = g.op("Relu", g.op("Add", y, identity))
        if stage != 3:
            taps.append(x)
    return taps


def _recur(g: _Graph, x: Value, name: str, state: Value) -> tuple[Value, Value]:
    """Pass the second half of the channels through the block's ConvGRU."""
    width = len(g.tensors[f"{name}.gru.hh.0.bias"])
    plain, memory = g.split(x, [width, width])
    h = g.op("Expand", state, g.op("Shape", memory))
    gates = g.conv(g.concat(memory, h), f"{name}.gru.ih.0", activation="Sigmoid")
    reset, update = g.split(gates, [width, width])
    joined = g.concat(memory, g.op("Mul", reset, h))
    candidate = g.conv(joined, f"{name}.gru.hh.0", activation="Tanh")
    # h + update * (candidate - h) saves one product compared with the paper's form
    h = g.op("Add", h, g.op("Mul", update, g.op("Sub", candidate, h)))
    return g.concat(plain, h), h


def _decoder(g: _Graph, small: Value, taps: list[Value]) -> tuple[Value, list[Value]]:
    pool: dict[str, Any] = {
        "kernel_shape": [2, 2],
        "strides": [2, 2],
        "ceil_mode": 1,
        "count_include_pad": 0,
    }
    pictures = [small]
    for _ in range(3):
        pictures.append(g.op("AveragePool", pictures[-1], **pool))
    x, r4 = _recur(g, taps[3], "decoder.decode4", "r4i")
    states = [r4]
    for level in (3, 2, 1):
        name, picture = f"decoder.decode{level}", pictures[level]
        joined = g.concat(g.upsampled(x, picture), taps[level - 1], picture)
        x = g.conv(joined, f"{name}.conv.0", f"{name}.conv.1", "Relu")
        x, state = _recur(g, x, name, f"r{level}i")
        states.insert(0, state)
    x = g.concat(g.upsampled(x, small), small)
    x = g.conv(x, "decoder.decode0.conv.0", "decoder.decode0.conv.1", "Relu")
    return g.conv(x, "decoder.decode0.conv.3", "decoder.decode0.conv.4", "Relu"), states


def _box(g: _Graph, x: Value) -> Value:
    if "refiner.box_filter.weight" in g.tensors:
        return g.conv(x, "refiner.box_filter")
    third = np.full((4, 1, 1, 3), 1 / 3)
    rows, columns = third, third.transpose(0, 1, 3, 2)
    x = g.op("Conv", x, g.constant(rows, name="box_rows"), pads=[0, 1, 0, 1], group=4)
    out: Value = g.op(
        "Conv", x, g.constant(columns, name="box_columns"), pads=[1, 0, 1, 0], group=4
    )
    return out


def _guide(g: _Graph, image: Value) -> Value:
    return g.concat(image, g.op("ReduceMean", image, axes=[1], keepdims=1))


def _refined(g: _Graph, src: Value, small: Value, y: Value, hidden: Value) -> Value:
    """Apply the guided filter of `rvm.py`: foreground residual and alpha at the size of ``src``."""
    full, x = _guide(g, src), _guide(g, small)
    mean_x, mean_y = _box(g, x), _box(g, y)
    cov = g.op("Sub", _box(g, g.op("Mul", x, y)), g.op("Mul", mean_x, mean_y))
    var = g.op("Sub", _box(g, g.op("Mul", x, x)), g.op("Mul", mean_x, mean_x))
    if "refiner.conv.0.weight" in g.tensors:
        a = g.concat(cov, var, hidden)
        for conv, norm in (("0", "1"), ("3", "4")):
            a = g.conv(a, f"refiner.conv.{conv}", f"refiner.conv.{norm}", "Relu")
        a = g.conv(a, "refiner.conv.6")
    else:
        a = g.op("Div", cov, g.op("Add", var, g.constant(GUIDED_EPS)))
    b = g.op("Sub", mean_y, g.op("Mul", a, mean_x))
    sizes = g.op("Shape", full)
    a, b = g.resized(a, sizes=sizes), g.resized(b, sizes=sizes)
    out: Value = g.op("Add", g.op("Mul", a, full), b)
    return out


def _branch(g: _Graph, start: int, value: Value, name: str) -> onnx.GraphProto:
    """Move the nodes added since ``start`` from the graph into a branch of an If."""
    nodes, g.nodes = g.nodes[start:], g.nodes[:start]
    result = helper.make_tensor_value_info(value, TensorProto.FLOAT, [None, 4, None, None])
    return helper.make_graph(nodes, name, [], [result])


def build(tensors: Tensors) -> onnx.ModelProto:
    """Build the ONNX model for a checkpoint with the official tensor names (see `rvm.py`).

    Backbone and refiner are recognised by the tensor names; a checkpoint without ``refiner.*`` gets
    the fast guided filter, which has no weights. Raises KeyError for a missing tensor.
    """
    tensors = {name: np.asarray(value, np.float32) for name, value in tensors.items()}
    g = _Graph(tensors)
    ratio = "downsample_ratio"
    scales = g.op("Concat", g.constant([1, 1]), ratio, ratio, axis=0)
    small = g.resized("src", scales=scales)
    taps = (_resnet50 if "backbone.conv1.weight" in tensors else _mobilenetv3)(g, small)
    gate = g.mean_pool(taps[3])
    taps[3] = g.op(
        "Mul",
        g.conv(taps[3], "aspp.aspp1.0", "aspp.aspp1.1", "Relu"),
        g.conv(gate, "aspp.aspp2.1", activation="Sigmoid"),
    )
    hidden, states = _decoder(g, small, taps)
    projected = g.conv(hidden, "project_mat.conv")
    unrefined = g.op("Squeeze", g.op("Equal", ratio, g.constant([1])))
    start = len(g.nodes)
    plain = _branch(g, start, g.op("Identity", projected), "unrefined")
    refined = _branch(g, start, _refined(g, "src", small, projected, hidden), "refined")
    mat = g.op("If", unrefined, then_branch=plain, else_branch=refined)
    residual, pha = g.split(mat, [3, 1])
    low, high = g.constant(0.0), g.constant(1.0)
    outputs = {
        "fgr": g.op("Clip", g.op("Add", residual, "src"), low, high),
        "pha": g.op("Clip", pha, low, high),
    }
    outputs |= {f"r{level}o": state for level, state in enumerate(states, start=1)}
    for name, value in outputs.items():
        g.nodes.append(helper.make_node("Identity", [value], [name]))
    return _model(g, outputs)


def _model(g: _Graph, outputs: dict[str, Value]) -> onnx.ModelProto:
    def value(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def state(level: int, end: str) -> onnx.ValueInfoProto:
        return value(f"r{level}{end}", [f"r{level}{end}_{axis}" for axis in "nchw"])

    picture = ["batch_size", 3, "height", "width"]
    inputs = [
        value("src", picture),
        *(state(level, "i") for level in range(1, 5)),
        value("downsample_ratio", [1]),
    ]
    results = [
        value("fgr", picture),
        value("pha", ["batch_size", 1, "height", "width"]),
        *(state(level, "o") for level in range(1, 5)),
    ]
    graph = helper.make_graph(g.nodes, "rvm", inputs, results, list(g.weights.values()))
    model: onnx.ModelProto = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="realtime-bg",
        producer_version=__version__,
    )
    model.ir_version = 8  # the version of opset 17; a newer one would exclude older runtimes
    onnx.checker.check_model(model)
    return model
