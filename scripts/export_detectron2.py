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
from pathlib import Path

import numpy as np
import onnxruntime as ort

TOLERANCE = 1e-2  # boxes are in pixels


def build(configuration: str, weights: str | None):
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


def instances(network):
    """A module from a picture (3, H, W) BGR 0..255 to boxes, classes, masks, scores."""
    import torch

    class Instances(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image):
            found = self.network.inference([{"image": image}], do_postprocess=False)
            found = found[0][0] if isinstance(found, tuple) else found[0]  # panoptic: and stuff
            return found.pred_boxes.tensor, found.pred_classes, found.pred_masks, found.scores

    return Instances().eval(), ["boxes", "classes", "masks", "scores"]


def export(configuration: str, weights: str | None, size: tuple[int, int], output: Path) -> None:
    """Trace, write, run, compare."""
    import torch
    from detectron2.export import STABLE_ONNX_OPSET_VERSION
    from detectron2.utils.testing import get_sample_coco_image

    module, names = instances(build(configuration, weights))
    picture = get_sample_coco_image().float()[None]  # with people in it: masks have to be compared
    picture = torch.nn.functional.interpolate(picture, (size[1], size[0]), mode="bilinear")[0]
    with torch.no_grad():
        expected = module(picture)
        free = {name: {0: "n"} for name in names}
        torch.onnx.export(module, (picture,), str(output), input_names=["image"],
                          output_names=names, dynamic_axes=free, dynamo=False,
                          opset_version=max(16, STABLE_ONNX_OPSET_VERSION))  # fmt: skip
    session = ort.InferenceSession(str(output), providers=["CPUExecutionProvider"])
    for name, got, want in zip(names, session.run(names, {"image": picture.numpy()}), expected,
                               strict=True):  # fmt: skip
        theirs = want.numpy()
        if got.shape != theirs.shape:
            raise SystemExit(f"{name}: {got.shape} instead of {theirs.shape}")
        worst = float(np.abs(got.astype(np.float64) - theirs).max()) if got.size else 0.0
        print(f"{name} {got.shape}: largest difference {worst:.2e}")
        if worst > TOLERANCE:
            raise SystemExit("the file differs from Detectron2; not to be trusted")
    print(f"use it: realtime-bg --engine instance --model {output}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configuration", help="a name of the model zoo, or a YAML file")
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", help="a .pth or .pkl file, or a URL")
    parser.add_argument("--size", default="800x448", help="WxH the network will be fed")
    arguments = parser.parse_args()
    try:
        import detectron2  # noqa: F401
    except ImportError:
        print("Detectron2 is not installed; install PyTorch, then run: "
              'pip install "git+https://github.com/facebookresearch/detectron2"',
              file=sys.stderr)  # fmt: skip
        return 2
    width, height = (int(side) for side in arguments.size.lower().split("x"))
    export(arguments.configuration, arguments.weights, (width, height), arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
