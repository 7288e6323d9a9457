"""Export an mmdetection instance segmentation network to ONNX, run the file and compare it.

    python scripts/export_mmdet.py mask-rcnn_r50_fpn_2x_coco.py mask-rcnn.pth mask.onnx photo.jpg

The file has mmdeploy's outputs `dets`, `labels` and `masks` and is for `--engine instance`. Needs
mmdetection and mmdeploy: pip install openmim && mim install mmengine mmcv mmdet mmdeploy
(their documentation says which versions of PyTorch they fit).
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

from realtime_bg.engines.detections import overlap

DEPLOY = """
onnx_config = dict(
    type="onnx", export_params=True, keep_initializers_as_inputs=False, opset_version=16,
    save_file="end2end.onnx", input_names=["input"], output_names=["dets", "labels", "masks"],
    input_shape=({width}, {height}), optimize=True,
)
backend_config = dict(type="onnxruntime")
codebase_config = dict(
    type="mmdet", task="ObjectDetection", model_type="end2end",
    post_processing=dict(
        score_threshold=0.05, confidence_threshold=0.005, iou_threshold=0.5,
        max_output_boxes_per_class=200, pre_top_k=5000, keep_top_k=100,
        background_label_id=-1, export_postprocess_mask=False,
    ),
)
"""
# ImageNet's statistics in grey levels, RGB
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
OVERLAP = 0.85  # of the best boxes: mmdetection keeps the photo's shape, the file has a fixed size


def export(
    configuration: str, weights: str, output: Path, photo: str, size: tuple[int, int]
) -> None:
    """Let mmdeploy write its file, compare it, and keep it."""
    from mmdeploy.apis import torch2onnx

    with tempfile.TemporaryDirectory() as folder:
        deploy, written = Path(folder) / "deploy.py", Path(folder) / "end2end.onnx"
        deploy.write_text(DEPLOY.format(width=size[0], height=size[1]))
        torch2onnx(photo, folder, written.name, str(deploy), configuration, weights, "cpu")
        compare(configuration, weights, written, photo, size)
        shutil.move(written, output)
    print(f"use it: realtime-bg --engine instance --model {output}")


def compare(
    configuration: str, weights: str, file: Path, photo: str, size: tuple[int, int]
) -> None:
    """The best box of a photo, from both; ends the program where they differ."""
    from mmdet.apis import inference_detector, init_detector

    found = inference_detector(init_detector(configuration, weights, device="cpu"), photo)
    want = found.pred_instances
    height, width = found.ori_shape
    picture = cv2.resize(cv2.imread(photo), size)[:, :, ::-1].astype(np.float32)
    feed = ((picture - MEAN) / STD).transpose(2, 0, 1)[None]
    session = ort.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    dets, labels, masks = session.run(
        ["dets", "labels", "masks"], {"input": np.ascontiguousarray(feed)}
    )
    print(f"dets {dets.shape}, labels {labels.shape}, masks {masks.shape}")
    if not dets.shape[1] or not len(want.bboxes):
        raise SystemExit(f"nothing was found in {photo}: give a photo with a person")
    best = dets[0, 0, :4] * np.array([width / size[0], height / size[1]] * 2, np.float32)
    shared = float(overlap(best, want.bboxes[:1].numpy())[0])
    print(f"the best boxes overlap by {shared:.2f}; class {labels[0, 0]}")
    if int(labels[0, 0]) != int(want.labels[0]) or shared < OVERLAP:
        raise SystemExit("the file differs from mmdetection; not to be trusted")


def size(text: str) -> tuple[int, int]:
    """``"800x448"`` -> (800, 448)."""
    width, height = (int(side) for side in text.lower().split("x"))
    return width, height


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configuration", help="the network's .py configuration")
    parser.add_argument("weights", help="its .pth file")
    parser.add_argument("output", type=Path)
    parser.add_argument("photo", help="a photo with a person, for tracing and comparing")
    parser.add_argument("--size", type=size, default="800x448", help="WxH the network will be fed")
    arguments = parser.parse_args()
    try:
        import mmdeploy  # noqa: F401
        import mmdet  # noqa: F401
    except ImportError as missing:
        print(
            f"{missing.name} is not installed; run: pip install openmim && "
            "mim install mmengine mmcv mmdet mmdeploy",
            file=sys.stderr,
        )
        return 2
    export(
        arguments.configuration,
        arguments.weights,
        arguments.output,
        arguments.photo,
        arguments.size,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
