"""Turn models/embedded.onnx, or another exported embedded network, back into a checkpoint from
which training can go on.

    python scripts/restore_embedded.py models/embedded.onnx --data folder:photos --out start.pt
    python scripts/train_segmentation.py --arch embedded --start start.pt ...

Export folds each batch norm into the convolution before it. Here the convolutions keep the folded
weights, and each batch norm gets the mean and the deviation that its input has on scenes of --data,
as statistics and as parameters: the network computes the same as before, also while it is trained.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from realtime_bg.errors import RealtimeBgError, TrainingError
from realtime_bg.networks.embedded import Embedded
from realtime_bg.system.console import say, show_logs
from realtime_bg.training.checkpoints import save_checkpoint
from realtime_bg.training.command import number, size
from realtime_bg.training.datasets import open_all
from realtime_bg.training.embedded import Scenes

NORMS = {"lateral": "bn0", "depthwise": "bn1", "mix": "bn2"}  # of a `Join`
SCENES = 192  # on which the statistics are measured


def tensors_of(path: Path) -> dict[str, Tensor]:
    """Weights and biases by module, such as ``stem.weight``. Raises TrainingError."""
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # a damaged file raises many kinds of errors
        raise TrainingError(f"{path}: cannot be read ({error})") from None
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    maker = {name: node for node in graph.node for name in node.output}
    found: dict[str, Tensor] = {}

    def tensor(name: str) -> Any:
        while name not in stored and name in maker and maker[name].op_type == "Cast":
            name = maker[name].input[0]
        value = stored.get(name)
        return None if value is None else torch.from_numpy(np.array(value, np.float32))

    for node in graph.node:
        parts = node.name.strip("/").split("/")
        module = ".".join(parts[1:-1]).replace("attention.attention.", "attention.")
        values = [tensor(name) for name in node.input[1:]]
        if node.op_type in ("Conv", "LayerNormalization"):
            found[f"{module}.weight"], found[f"{module}.bias"] = values
        elif node.op_type == "MatMul" and values[0] is not None:
            found[f"{module}.weight"] = values[0].t()
        elif node.op_type == "Add":
            bias = next((one for one in map(tensor, node.input) if one is not None), None)
            if bias is not None and bias.ndim == 1:
                found[f"{module}.bias"] = bias
    return found


def restored(path: Path) -> tuple[Embedded, dict[str, Tensor]]:
    """The network, and the folded biases by the name of their batch norm. Raises TrainingError."""
    network, biases = Embedded(), {}
    state = network.state_dict()
    for name, value in tensors_of(path).items():
        if name in state:
            state[name] = value.reshape(state[name].shape)
            continue
        module, _, kind = name.rpartition(".")
        parent, _, last = module.rpartition(".")
        norm = f"{parent}.{NORMS[last]}" if last in NORMS else f"{module}_bn"
        if kind != "bias" or f"{norm}.weight" not in state:
            raise TrainingError(f"{path}: not an embedded network ({name})")
        biases[norm] = value
    network.load_state_dict(state)
    return network, biases


def calibrate(network: Embedded, biases: dict[str, Tensor], scenes: Scenes) -> None:
    """Give the batch norms statistics and parameters with which they only add the biases."""
    modules = dict(network.named_modules())
    sums: dict[str, list[Tensor]] = {name: [] for name in biases}
    with torch.no_grad():
        for name, bias in biases.items():
            norm = modules[name]
            assert isinstance(norm, nn.BatchNorm2d)
            norm.weight.fill_(1), norm.bias.copy_(bias)
            norm.running_mean.zero_(), norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
            norm.register_forward_hook(
                lambda _, given, __, name=name: sums[name].append(
                    torch.stack([given[0].mean((0, 2, 3)), given[0].square().mean((0, 2, 3))])
                )
            )
        network.eval()
        for index in range(SCENES):
            example = scenes[0, index % len(scenes), index]
            if not isinstance(example, str):
                rgb, _, last = example
                network(rgb[None] / 255, last[None])
        for name, bias in biases.items():
            norm = modules[name]
            assert isinstance(norm, nn.BatchNorm2d)
            mean, square = torch.stack(sums[name]).mean(0)
            deviation = (square - mean.square()).clamp(min=1e-6).sqrt()
            norm.running_mean.copy_(mean), norm.running_var.copy_(deviation.square())  # type: ignore[union-attr]
            norm.weight.copy_((deviation.square() + norm.eps).sqrt()), norm.bias.copy_(bias + mean)
            norm._forward_hooks.clear()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", action="append", required=True, metavar="folder:ROOT")
    parser.add_argument("--size", type=size, default=(256, 144))
    parser.add_argument("--seed", type=number(int, 0), default=0)
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    options = parser.parse_args(arguments)
    show_logs(False)
    try:
        network, biases = restored(options.model)
        train, _ = open_all(options.data, 0.1, options.seed)
        calibrate(network, biases, Scenes(train, options.size, options.seed))
        about = {"settings": {"arch": "embedded"}, "step": 0}
        save_checkpoint(options.out, about | {"model": network.state_dict()})
    except RealtimeBgError as error:
        say(str(error), "red")
        return 2
    say(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
