"""Export an RVM checkpoint to ONNX, and compare the file with PyTorch.

    python scripts/export_rvm.py rvm_mobilenetv3.pth rvm_mobilenetv3.onnx

Takes the released checkpoints (.pth) and .safetensors files with the same tensor names, which
determine backbone and refiner. Inputs and outputs are those of the released ONNX files: `src`,
`r1i`..`r4i` and `downsample_ratio` in, `fgr`, `pha`, `r1o`..`r4o` out, for any size and ratio.
Needs: pip install "realtime-bg[torch]".
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from realtime_bg.engines.rvm_torch import load_rvm
from realtime_bg.errors import RealtimeBgError
from realtime_bg.networks import rvm_graph
from realtime_bg.networks.checkpoint import read_tensors

TOLERANCE = 1e-3
CASES = (((144, 256), 1.0), ((288, 512), 0.5), ((135, 241), 0.375))  # (height, width), ratio
FRAMES = 5


def compare(checkpoint: Path, exported: Path, size: tuple[int, int], ratio: float) -> float:
    """Return the largest difference over some recurrent frames of a moving pattern."""
    network = load_rvm(checkpoint).eval()
    session = ort.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    ours, theirs = [np.zeros((1, 1, 1, 1), np.float32)] * 4, [None] * 4
    y, x = np.mgrid[: size[0], : size[1]] / 40.0
    worst = 0.0
    for moment in range(FRAMES):
        waves = [np.sin(x + moment / 4 + k) * np.cos(y * (1 + k / 3)) for k in range(3)]
        src = (0.5 + 0.45 * np.stack(waves))[None].astype(np.float32)
        feed: dict[str, NDArray[np.float32]] = {
            f"r{n}i": state for n, state in enumerate(ours, start=1)
        }
        feed |= {"src": src, "downsample_ratio": np.array([ratio], np.float32)}
        fgr, pha, *ours = session.run(None, feed)
        with torch.inference_mode():
            want_fgr, want_pha, *theirs = network(
                torch.from_numpy(src), *theirs, downsample_ratio=ratio
            )
        for got, want in ((fgr, want_fgr), (pha, want_pha)):
            worst = float(np.maximum(worst, np.abs(got - want.numpy()).max()))  # keeps NaN
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, help=".pth, .pt or .safetensors")
    parser.add_argument("output", type=Path, help="the ONNX file to write")
    arguments = parser.parse_args()
    partial = arguments.output.with_name(f".{arguments.output.name}.part")
    try:
        partial.write_bytes(rvm_graph.build(read_tensors(arguments.checkpoint)).SerializeToString())
        failed = False
        for size, ratio in CASES:
            worst = compare(arguments.checkpoint, partial, size, ratio)
            failed |= not worst <= TOLERANCE
            print(f"{size[1]}x{size[0]} at ratio {ratio:g}: largest difference {worst:.2e}")
        if failed:
            print(
                f"differs from PyTorch by more than {TOLERANCE:g}; nothing was written",
                file=sys.stderr,
            )
            return 1
        partial.replace(arguments.output)
    except KeyError as missing:
        print(
            f"{arguments.checkpoint}: not an RVM checkpoint (no tensor {missing})", file=sys.stderr
        )
        return 2
    except (RealtimeBgError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        partial.unlink(missing_ok=True)
    print(f"wrote {arguments.output} ({arguments.output.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
