"""Reads the tensors of RVM's released ONNX files, so that `rvm_graph.py` can build its own graph
from them: one without the refiner, which the released graph runs even at ratio 1, where it only
costs time."""

from itertools import chain

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from realtime_bg.networks.rvm_graph import MOBILE_BLOCKS, Tensors


def released_tensors(model: onnx.ModelProto) -> Tensors | None:
    """The weights of a released model with MobileNetV3, float32, under the names of the checkpoint;
    batch norm is already folded into them. None for any other model."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    convolutions = [
        node.input
        for node in model.graph.node
        if node.op_type == "Conv" and node.input[1] in tensors
    ]
    names = _names(set(tensors))
    if len(names) != len(convolutions):
        return None
    found: dict[str, NDArray[np.float32]] = {}
    for name, inputs in zip(names, convolutions, strict=True):
        for kind, given in zip(("weight", "bias"), inputs[1:], strict=False):
            # Convolutions without batch norm keep their name: a check of the order
            if f"{name}.{kind}" in tensors and given != f"{name}.{kind}":
                return None
            array = numpy_helper.to_array(tensors[given])
            if array.dtype != np.float32:
                return None
            found[f"{name}.{kind}"] = array
    return found


def _names(given: set[str]) -> list[str]:
    """The names of all convolutions in the order in which the graph runs them; ``given`` tells
    which blocks of the backbone have squeeze-and-excitation."""
    names = ["backbone.features.0.0"]
    for index in range(1, len(MOBILE_BLOCKS) + 1):
        block = f"backbone.features.{index}.block"
        parts = ["0.0"] if index == 1 else ["0.0", "1.0"]
        part = len(parts)
        if f"{block}.{part}.fc1.weight" in given:
            parts += [f"{part}.fc1", f"{part}.fc2"]
            part += 1
        names += [f"{block}.{name}" for name in (*parts, f"{part}.0")]
    names += ["backbone.features.16.0", "aspp.aspp1.0", "aspp.aspp2.1"]
    names += ["decoder.decode4.gru.ih.0", "decoder.decode4.gru.hh.0"]
    names += chain.from_iterable(
        (f"decoder.decode{level}.{part}.0" for part in ("conv", "gru.ih", "gru.hh"))
        for level in (3, 2, 1)
    )
    names += ["decoder.decode0.conv.0", "decoder.decode0.conv.3", "project_mat.conv"]
    names += ["refiner.box_filter"] * 4
    return [*names, "refiner.conv.0", "refiner.conv.3", "refiner.conv.6"]
