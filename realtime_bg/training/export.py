"""Exports a trained network to ONNX for the engines, and compares the file with PyTorch."""

import hashlib
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
import yaml
from torch import Tensor, nn

from realtime_bg.errors import TrainingError, reason
from realtime_bg.system.files import whole

HALF_TOLERANCE = 3e-2  # rounded weights move edges slightly
TOLERANCE = 1e-3  # outputs are probabilities or colours in 0..1
OPSET = 17
SMALL = 256  # values; smaller tensors stay in full precision


def export(
    model: nn.Module,
    cases: Sequence[dict[str, Tensor]],
    output: str,
    row: dict[str, Any],
    path: Path,
    half: bool = False,
) -> float:
    """Write ``path`` and a YAML file beside it that describes it; return the largest difference
    between ONNX Runtime and PyTorch over ``cases``.

    A case holds a value for every input by name, (1, C, H, W); the graph is traced with the first
    case and accepts any H and W. ``row``: the keys of models.yaml that do not describe the file.
    ``half``: store weights in half precision, which halves the file; they are cast when it is
    loaded. Raises TrainingError, and writes nothing, if the results differ from PyTorch.
    """
    names = list(cases[0])
    free = {name: {2: "height", 3: "width"} for name in (*names, output)}
    try:
        with whole(path) as partial:
            with warnings.catch_warnings():
                # The old exporter needs no additional package.
                warnings.simplefilter("ignore")
                torch.onnx.export(
                    model,
                    tuple(cases[0].values()),
                    str(partial),
                    input_names=names,
                    output_names=[output],
                    dynamic_axes=free,
                    opset_version=OPSET,
                    dynamo=False,
                )
            if half:
                halve(partial)
            differences = [_difference(model, case, partial) for case in cases]
            worst = float(np.max(differences))  # keeps NaN
            if not worst <= (HALF_TOLERANCE if half else TOLERANCE):
                raise TrainingError(
                    f"{path}: differs from PyTorch by {worst:.2g}; nothing was written; train "
                    "longer or with --no-amp"
                )
            data = partial.read_bytes()
            known = {
                "file": path.name,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
            }
            text = yaml.safe_dump(row | known, sort_keys=False)
            path.with_suffix(".yaml").write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({reason(error)})") from None
    return worst


def halve(path: Path) -> None:
    """Store the large weights of an ONNX file as float16, each with a cast to float32 that ONNX
    Runtime folds when it loads the file."""
    model = onnx.load(str(path))
    floats = (t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT)
    weights = [tensor for tensor in floats if math.prod(tensor.dims) > SMALL]
    for tensor in weights:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, f"{tensor.name}.half"))
        cast = onnx.helper.make_node(
            "Cast", [f"{tensor.name}.half"], [tensor.name], to=onnx.TensorProto.FLOAT
        )
        model.graph.node.insert(0, cast)
    onnx.save(model, str(path))


def _difference(model: nn.Module, case: dict[str, Tensor], path: Path) -> float:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (ours,) = session.run(None, {name: value.numpy() for name, value in case.items()})
    with torch.inference_mode():
        theirs = model(*case.values()).numpy()
    return float(np.abs(np.asarray(ours) - theirs).max())
