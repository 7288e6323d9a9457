"""Export a YOLO segmentation network to ONNX, run the file and compare it with Ultralytics.

    python scripts/export_yolo_seg.py yolo11n-seg.pt yolo11n-seg.onnx --photo people.jpg
    python scripts/export_yolo_seg.py yolo11n-seg.pt yolo11n-seg.onnx --size 640x384

The file is for `--engine instance`: one table of boxes, class scores and mask coefficients, and the
prototype masks. Needs Ultralytics (AGPL-3.0, and so are its weights): pip install ultralytics
Last run with Ultralytics 8.4.190 and PyTorch 2.13.0.
"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
from _comparing import Tolerance, answers, compare, read_photo
from numpy.typing import NDArray

TOLERANCES = {
    "table": Tolerance(2e-2, 2.0),  # boxes are in pixels
    "prototypes": Tolerance(2e-3, 0.2),
}
STRIDE = 32
END_TO_END = 38  # columns of a table without overlaps: box, score, class, 32 coefficients
CERTAIN = 0.05  # score


def export(weights: str, output: Path, size: tuple[int, int], photo: Path | None) -> None:
    """Let Ultralytics write its file, then compare both."""
    import torch
    from ultralytics import YOLO

    picture = drifting(size)
    if photo is not None:
        planes = read_photo(photo, size)[:, :, ::-1].transpose(2, 0, 1)
        picture = np.ascontiguousarray(planes)[None].astype(np.float32) / np.float32(255)
    yolo = YOLO(weights)
    written = yolo.export(format="onnx", imgsz=[size[1], size[0]], opset=17, simplify=False)
    session = ort.InferenceSession(str(written), providers=["CPUExecutionProvider"])
    ours = session.run(None, {session.get_inputs()[0].name: picture})
    network = yolo.model.float().eval()
    network.model[-1].export = True  # its last layer then answers as the file does
    theirs = answers(network, torch.from_numpy(picture))
    if ours[0].shape[2] == END_TO_END:  # sorted by score: among the weakest, rounding is the order
        for answer in (*theirs, ours):
            answer[0] = answer[0][:, answer[0][0, :, 4] > CERTAIN]
    compare(["table", "prototypes"], ours, theirs, TOLERANCES, "Ultralytics")
    shutil.move(written, output)
    print(f"use it: realtime-bg --engine instance --model {output}")


def drifting(size: tuple[int, int]) -> NDArray[np.float32]:
    """A pattern, RGB 0..1 ``float32 (1, 3, h, w)`` of ``size`` (width, height)."""
    y, x = np.mgrid[: size[1], : size[0]] / 60.0
    planes = [0.5 + 0.5 * np.sin(x + k) * np.cos(y - k) for k in range(3)]
    return np.asarray(np.stack(planes)[None], np.float32)


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
    parser.add_argument("--photo", type=Path, help="compared on; a pattern without it")
    arguments = parser.parse_args()
    width, height = arguments.size
    if width % STRIDE or height % STRIDE:
        print(f"--size {width}x{height}: both sides must be multiples of {STRIDE}", file=sys.stderr)
        return 2
    try:
        import ultralytics  # noqa: F401
    except Exception as error:  # a build that does not fit the installed PyTorch raises many kinds
        print(
            f"Ultralytics cannot be used here ({' '.join(str(error).split())}); "
            "run: pip install ultralytics",
            file=sys.stderr,
        )
        return 2
    export(arguments.weights, arguments.output, (width, height), arguments.photo)
    return 0


if __name__ == "__main__":
    sys.exit(main())
