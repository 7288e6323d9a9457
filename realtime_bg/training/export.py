"""From a trained network to the ONNX file that engines take: written, run, compared, described."""

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
import yaml
from torch import Tensor, nn

from realtime_bg.errors import TrainingError, reason

TOLERANCE = 1e-3  # outputs are probabilities or colours in 0..1
OPSET = 17


def export(
    model: nn.Module,
    cases: Sequence[dict[str, Tensor]],
    output: str,
    row: dict[str, Any],
    path: Path,
) -> float:
    """Write ``path`` and, beside it, the YAML file that describes it; return the largest
    difference between ONNX Runtime and PyTorch over ``cases``.

    A case is a value for every input by name, (1, C, H, W); the graph is free in H and W and is
    traced with the first case. ``row``: the keys of models.yaml that are not about the file.
    Raises TrainingError, with nothing written, when the file differs from PyTorch.
    """
    partial, names = path.with_name(f".{path.name}.part"), list(cases[0])
    free = {name: {2: "height", 3: "width"} for name in (*names, output)}
    try:
        with warnings.catch_warnings():  # the exporter that needs no further package is the old one
            warnings.simplefilter("ignore")
            torch.onnx.export(model, tuple(cases[0].values()), str(partial), input_names=names,
                              output_names=[output], dynamic_axes=free, opset_version=OPSET,
                              dynamo=False)  # fmt: skip
        worst = max(_difference(model, case, partial) for case in cases)
        if not worst <= TOLERANCE:
            raise TrainingError(
                f"{path}: differs from PyTorch by {worst:.2g}; nothing was written, train longer "
                "or with --no-amp"
            )
        data = partial.read_bytes()
        known = {"file": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        text = yaml.safe_dump(row | known, sort_keys=False)
        path.with_suffix(".yaml").write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({reason(error)})") from None
    finally:
        partial.unlink(missing_ok=True)
    return worst


def _difference(model: nn.Module, case: dict[str, Tensor], path: Path) -> float:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (ours,) = session.run(None, {name: value.numpy() for name, value in case.items()})
    with torch.inference_mode():
        theirs = model(*case.values()).numpy()
    return float(np.abs(np.asarray(ours) - theirs).max())
