"""Export a torchvision network to ONNX, run the file and compare it with PyTorch.

    python scripts/export_torchvision.py maskrcnn_resnet50_fpn maskrcnn.onnx --photo people.jpg
    python scripts/export_torchvision.py deeplabv3_mobilenet_v3_large deeplab.onnx --size 513x288
    python scripts/export_torchvision.py lraspp_mobilenet_v3_large lraspp.onnx

Mask R-CNN becomes a file for `--engine instance`; DeepLabV3 and LRASPP become one for
`--engine semantic`, with a description beside it. Weights: torchvision's own (downloaded by it), or
`--weights FILE` with a state dict. Needs PyTorch and torchvision:
pip install torch torchvision onnx onnxruntime "realtime-bg"
Last run with PyTorch 2.13.0 and torchvision 0.28.0.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import yaml
from _comparing import Tolerance, answers, compare, read_photo

if TYPE_CHECKING:  # --help works without PyTorch
    from torch.nn import Module

NETWORKS = {
    "maskrcnn_resnet50_fpn": "instance",
    "maskrcnn_resnet50_fpn_v2": "instance",
    "deeplabv3_mobilenet_v3_large": "semantic",
    "deeplabv3_resnet50": "semantic",
    "lraspp_mobilenet_v3_large": "semantic",
}
# ImageNet's statistics, which torchvision's segmentation networks were trained with
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PERSON = 15  # in Pascal VOC's 21 classes
TOLERANCES = {
    "boxes": Tolerance(0.05, 2.0),  # pixels
    "labels": Tolerance(0, 0),
    "scores": Tolerance(1e-3, 0.1),
    # torchvision pastes a mask into a box of whole pixels: its border may round to either side.
    "masks": Tolerance(5e-3, 0.05, mean=True),
    "out": Tolerance(2e-3, 1.0),  # logits, which are tens
}


def load(name: str, weights: Path | None) -> "Module":
    """The network with torchvision's best weights, or a state dict's."""
    import torch
    import torchvision

    kind = NETWORKS[name]
    module = torchvision.models.detection if kind == "instance" else torchvision.models.segmentation
    build = getattr(module, name)
    if weights is None:
        return build(weights="DEFAULT").eval()
    tensors = torch.load(weights, map_location="cpu", weights_only=True)
    # DeepLab's released weights have a second head, which is only for training.
    more = {"aux_loss": True} if any(key.startswith("aux_") for key in tensors) else {}
    network = build(weights=None, weights_backbone=None, **more)
    network.load_state_dict(tensors)
    return network.eval()


def semantic_only(network: "Module") -> "Module":
    """The network without its auxiliary head and its dictionary: maps in, maps out."""
    import torch

    class Maps(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps: torch.Tensor = self.network(x)["out"]
            return maps

    return Maps().eval()


def detections(network: "Module") -> "Module":
    """The network with a batch of one in and four tensors out."""
    import torch

    class Detector(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
            found = self.network([image[0]])[0]
            return found["boxes"], found["labels"], found["scores"], found["masks"]

    return Detector().eval()


def export(
    name: str, weights: Path | None, size: tuple[int, int], output: Path, photo: Path | None
) -> None:
    """Write the ONNX file and, for semantic networks, its description."""
    import torch

    torch.manual_seed(0)
    picture = torch.rand(1, 3, size[1], size[0])
    if photo is not None:
        pixels = np.ascontiguousarray(read_photo(photo, size)[:, :, ::-1].transpose(2, 0, 1))
        picture = torch.from_numpy(pixels)[None].float() / 255
    if NETWORKS[name] == "instance":
        module, names = detections(load(name, weights)), ["boxes", "labels", "scores", "masks"]
        free = {"boxes": {0: "n"}, "labels": {0: "n"}, "scores": {0: "n"}, "masks": {0: "n"}}
    else:
        module, names = semantic_only(load(name, weights)), ["out"]
        free = {"image": {2: "height", 3: "width"}, "out": {2: "height", 3: "width"}}
    partial = output.with_name(f".{output.name}.part")
    try:
        torch.onnx.export(
            module,
            (picture,),
            str(partial),
            input_names=["image"],
            output_names=names,
            dynamic_axes=free,
            opset_version=17,
            dynamo=False,
        )
        session = ort.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
        ours = session.run(names, {"image": picture.numpy()})
        compare(names, ours, answers(module, picture), TOLERANCES, "PyTorch")
        if "boxes" in names and not len(ours[0]):
            print("nothing was found: boxes and masks are not compared; give another --photo")
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    if NETWORKS[name] == "semantic":
        network = {
            "layout": "nchw",
            "order": "rgb",
            "mean": list(MEAN),
            "std": list(STD),
            "output": "softmax",
            "person": PERSON,
        }
        output.with_suffix(".yaml").write_text(yaml.safe_dump({"network": network}))
    print(f"use it: realtime-bg --engine {NETWORKS[name]} --model {output}")


def size(text: str) -> tuple[int, int]:
    """``"800x448"`` -> (800, 448)."""
    width, height = (int(side) for side in text.lower().split("x"))
    return width, height


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--size", type=size, default="512x288", help="WxH; fixed for Mask R-CNN")
    parser.add_argument("--photo", type=Path, help="traced and compared on; noise without it")
    arguments = parser.parse_args()
    try:
        import torchvision  # noqa: F401
    except Exception as error:  # a build that does not fit the installed PyTorch raises many kinds
        print(
            f"torchvision cannot be used here ({' '.join(str(error).split())}); "
            "run: pip install torch torchvision",
            file=sys.stderr,
        )
        return 2
    export(arguments.network, arguments.weights, arguments.size, arguments.output, arguments.photo)
    return 0


if __name__ == "__main__":
    sys.exit(main())
