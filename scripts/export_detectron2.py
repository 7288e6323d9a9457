"""Export a Detectron2 network to ONNX, run the file and compare it with Detectron2.

    python scripts/export_detectron2.py \\
        COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml mask.onnx
    python scripts/export_detectron2.py my.yaml mine.onnx --weights model_final.pth --size 800x448

The configuration is a name of Detectron2's model zoo or a YAML file; the file is for
`--engine instance`. Of a panoptic network the instances are exported: how it joins them with stuff
is Python that a trace cannot hold. Needs Detectron2, which has no package: install PyTorch, then
pip install "git+https://github.com/facebookresearch/detectron2"
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

if TYPE_CHECKING:  # --help works without PyTorch
    from torch import Tensor
    from torch.nn import Module

TOLERANCE = 1e-2  # boxes are in pixels
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


def compare(names: list[str], ours: Sequence[NDArray[Any]], theirs: "Sequence[Tensor]") -> None:
    """Print the differences; ends the program where one is too large."""
    for name, got, tensor in zip(names, ours, theirs, strict=True):
        want = tensor.numpy()
        if got.shape != want.shape:
            raise SystemExit(f"{name}: {got.shape} instead of {want.shape}")
        worst = float(np.abs(got.astype(np.float64) - want).max(initial=0))
        print(f"{name} {got.shape}: largest difference {worst:.2e}")
        if not worst <= TOLERANCE:
            raise SystemExit("the file differs from Detectron2; not to be trusted")


def export(configuration: str, weights: str | None, size: tuple[int, int], output: Path) -> None:
    """Trace, write, run, compare; on the traced picture, and on one with other people in it."""
    import torch
    from detectron2.utils.testing import get_sample_coco_image

    module, names = instances(build(configuration, weights))
    picture = get_sample_coco_image().float()[None]  # with people in it: masks have to be compared
    picture = torch.nn.functional.interpolate(picture, (size[1], size[0]), mode="bilinear")[0]
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
            for image in (picture, another):
                compare(names, session.run(names, {"image": image.numpy()}), module(image))
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
    parser.add_argument("--size", type=size, default="800x448", help="WxH the network will be fed")
    arguments = parser.parse_args()
    try:
        import detectron2  # noqa: F401
    except ImportError:
        print(
            "Detectron2 is not installed; install PyTorch, then run: "
            'pip install "git+https://github.com/facebookresearch/detectron2"',
            file=sys.stderr,
        )
        return 2
    export(arguments.configuration, arguments.weights, arguments.size, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
