"""Export a YOLO segmentation network to ONNX, run the file and compare it with Ultralytics.

    python scripts/export_yolo_seg.py yolo11n-seg.pt yolo11n-seg.onnx --size 640x384

The file is for `--engine instance`: one table of boxes, class scores and mask coefficients, and the
prototype masks. Needs Ultralytics (AGPL-3.0, and so are its weights): pip install ultralytics
"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

TOLERANCE = 2e-2  # boxes are in pixels
STRIDE = 32
END_TO_END = 38  # columns of a table without overlaps: box, score, class, 32 coefficients
CERTAIN = 0.05  # score


def export(weights: str, output: Path, size: tuple[int, int]) -> None:
    """Let Ultralytics write its file, then compare both on a drifting pattern."""
    import torch
    from ultralytics import YOLO

    yolo = YOLO(weights)
    written = yolo.export(format="onnx", imgsz=[size[1], size[0]], opset=17, simplify=False)
    y, x = np.mgrid[: size[1], : size[0]] / 60.0
    planes = [0.5 + 0.5 * np.sin(x + k) * np.cos(y - k) for k in range(3)]
    picture = np.stack(planes)[None].astype(np.float32)
    session = ort.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: picture})
    network = yolo.model.float().eval()
    with torch.no_grad():
        answer = network(torch.from_numpy(picture))
    table = answer[0][0] if isinstance(answer[0], tuple | list) else answer[0]
    ours, theirs = got[0], table.numpy()
    if ours.shape != theirs.shape:
        raise SystemExit(f"table: {ours.shape} instead of {theirs.shape}")
    if ours.shape[2] == END_TO_END:  # sorted by score: among the weakest, rounding is the order
        ours, theirs = (rows[:, theirs[0, :, 4] > CERTAIN] for rows in (ours, theirs))
    worst = float(np.abs(ours - theirs).max(initial=0))
    print(f"table {got[0].shape}: largest difference {worst:.2e}; prototypes {got[1].shape}")
    if not worst <= TOLERANCE:
        raise SystemExit("the file differs from Ultralytics; not to be trusted")
    shutil.move(written, output)
    print(f"use it: realtime-bg --engine instance --model {output}")


def size(text: str) -> tuple[int, int]:
    """``"800x448"`` -> (800, 448)."""
    width, height = (int(side) for side in text.lower().split("x"))
    return width, height


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", help="a .pt file, or a name that Ultralytics downloads")
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=size, default="640x384", help=f"WxH, multiples of {STRIDE}")
    arguments = parser.parse_args()
    width, height = arguments.size
    if width % STRIDE or height % STRIDE:
        print(f"--size {width}x{height}: both sides must be multiples of {STRIDE}", file=sys.stderr)
        return 2
    try:
        import ultralytics  # noqa: F401
    except ImportError:
        print("Ultralytics is not installed; run: pip install ultralytics", file=sys.stderr)
        return 2
    export(arguments.weights, arguments.output, (width, height))
    return 0


if __name__ == "__main__":
    sys.exit(main())
