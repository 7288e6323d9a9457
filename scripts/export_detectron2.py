"""Export a Detectron2 network to ONNX, run the file and compare it with Detectron2.

    python scripts/export_detectron2.py \\
        COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml mask.onnx --photo people.jpg
    python scripts/export_detectron2.py my.yaml mine.onnx --weights model_final.pth \\
        --size 800x448 --photo people.jpg

The configuration is a name of Detectron2's model zoo, whose weights Detectron2 then downloads, or a
YAML file; the file is for `--engine instance`. If your network has parts of its own, such as a
backbone, name the Python file that registers them with --parts. The photo shows people: the network
is traced and compared on it. Of a panoptic network the instances are exported: how it joins them
with stuff is Python that a trace cannot hold.

Needs Detectron2, which has no package and imports torchvision and pkg_resources, which setuptools
has had up to version 80:
pip install torch torchvision "setuptools<81" onnx onnxruntime "realtime-bg"
pip install --no-build-isolation "git+https://github.com/facebookresearch/detectron2"
Last run with Detectron2 0.6 (commit 02b5c4e), PyTorch 2.13.0 and torchvision 0.28.0.
"""

import argparse
import importlib
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime as ort
from _comparing import Tolerance, answers, compare, read_photo

if TYPE_CHECKING:  # --help works without PyTorch
    from torch.nn import Module

# What is imported, and the command that brings it
NEEDED = {
    "torch": "pip install torch torchvision",
    "torchvision": "pip install torch torchvision",  # of versions that fit each other
    "pkg_resources": 'pip install "setuptools<81"',
    "detectron2.model_zoo": "pip install --no-build-isolation "
    '"git+https://github.com/facebookresearch/detectron2"',
}
TOLERANCES = {
    "boxes": Tolerance(0.05, 2.0),  # pixels
    "classes": Tolerance(0, 0),
    "masks": Tolerance(2e-3, 0.2),
    "scores": Tolerance(1e-3, 0.1),
}
OPSET = 16  # the first whose RoiAlign has Detectron2's half-pixel alignment


def build(configuration: str, weights: str | None) -> Any:
    """The network with its weights, on the CPU."""
    from detectron2 import model_zoo
    from detectron2.checkpoint import DetectionCheckpointer
    from detectron2.config import get_cfg
    from detectron2.modeling import build_model

    cfg = get_cfg()
    known = not Path(configuration).is_file()
    cfg.merge_from_file(model_zoo.get_config_file(configuration) if known else configuration)
    cfg.MODEL.DEVICE = "cpu"
    if weights or known:
        cfg.MODEL.WEIGHTS = weights or model_zoo.get_checkpoint_url(configuration)
    network = build_model(cfg).eval()
    DetectionCheckpointer(network).load(cfg.MODEL.WEIGHTS)
    return network


def instances(network: Any) -> "tuple[Module, list[str]]":
    """A module from a picture (3, H, W) BGR 0..255 to boxes, classes, masks, scores."""
    import torch
    from detectron2.export.torchscript_patch import patch_builtin_len

    class Instances(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
            # Without it the trace would hold the number of people in this one picture for good.
            with patch_builtin_len():
                found = self.network.inference([{"image": image}], do_postprocess=False)
            found = found[0][0] if isinstance(found, tuple) else found[0]  # panoptic: and stuff
            return found.pred_boxes.tensor, found.pred_classes, found.pred_masks, found.scores

    return Instances().eval(), ["boxes", "classes", "masks", "scores"]


def missing() -> str | None:
    """The first thing that Detectron2 lacks here, with the command that brings it, in one line."""
    for name, command in NEEDED.items():
        try:
            importlib.import_module(name)
        except Exception as error:  # builds that do not fit each other raise many kinds
            said = " ".join(str(error).split())
            return f"{name} cannot be imported ({said}); run: {command}"
    return None


def export(
    configuration: str, weights: str | None, size: tuple[int, int], output: Path, photo: Path
) -> None:
    """Trace, write, run, compare; on the photo, and on its mirror image with one half hidden."""
    import torch

    pixels = read_photo(photo, size)
    module, names = instances(build(configuration, weights))
    picture = torch.from_numpy(pixels).permute(2, 0, 1).float().contiguous()
    expected = answers(module, picture)
    if not len(expected[0][0]):
        raise SystemExit(f"{photo}: nobody is found in it; give --photo another one")
    another = picture.flip(2).clone()
    another[:, :, : size[0] // 2] = 114
    partial = output.with_name(f".{output.name}.part")
    try:
        with torch.no_grad():
            free = {name: {0: "n"} for name in names}
            torch.onnx.export(
                module,
                (picture,),
                str(partial),
                input_names=["image"],
                output_names=names,
                dynamic_axes=free,
                dynamo=False,
                opset_version=OPSET,
            )
            session = ort.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
            for image, theirs in ((picture, expected), (another, answers(module, another))):
                ours = session.run(names, {"image": image.numpy()})
                compare(names, ours, theirs, TOLERANCES, "Detectron2")
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    print(f"use it: realtime-bg --engine instance --model {output}")


def size(text: str) -> tuple[int, int]:
    """``"800x448"`` -> (800, 448)."""
    width, height = (int(side) for side in text.lower().split("x"))
    return width, height


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configuration", help="a name of the model zoo, or a YAML file")
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", help="a .pth or .pkl file, or a URL")
    parser.add_argument("--parts", type=Path, help="a Python file that registers your own parts")
    parser.add_argument("--size", type=size, default="800x448", help="WxH the network will be fed")
    parser.add_argument(
        "--photo", type=Path, required=True, help="with people in it; traced and compared on"
    )
    arguments = parser.parse_args()
    if arguments.parts and not arguments.parts.is_file():
        parser.error(f"{arguments.parts}: no such file")
    if lack := missing():
        print(lack, file=sys.stderr)
        return 2
    if arguments.parts:
        runpy.run_path(str(arguments.parts))
    export(
        arguments.configuration,
        arguments.weights,
        arguments.size,
        arguments.output,
        arguments.photo,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
