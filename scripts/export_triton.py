"""Write a model repository for NVIDIA Triton, which mattes many live streams with one RVM.

    python scripts/export_triton.py rvm_mobilenetv3.safetensors repository/ --size 512x288
    tritonserver --model-repository repository/

Takes a checkpoint (.safetensors, .pth) or a released .onnx file, and writes `rvm/config.pbtxt` and
`rvm/1/model.onnx`. A request carries one frame of a stream at that size: `src`, float32 RGB in
0..1. The answer is `fgr` and `pha`. Each stream is a sequence, whose recurrent state r1 to r4
stays in the server (implicit state of the sequence batcher) and is zero at its start. Frames of
several streams run as one batch. The file is first run frame by frame as the server does, with two
streams in a batch, and compared with the network as this program runs it; nothing is written where
they differ. docs/cluster.md says when to use it.
Needs: pip install realtime-bg, and "realtime-bg[torch]" for .pth files.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from realtime_bg.engines._rvm_steps import STATES
from realtime_bg.errors import RealtimeBgError, SettingsError
from realtime_bg.networks import rvm_graph
from realtime_bg.networks.checkpoint import read_tensors
from realtime_bg.networks.rvm_released import released_tensors
from realtime_bg.settings import parse_size
from realtime_bg.system.files import write_whole

Array = NDArray[np.float32]

TOLERANCE = 1e-4
FRAMES, STREAMS = 5, 2  # of the comparison
RATIO = "downsample_ratio"
CONFIG = """\
name: "rvm"
backend: "onnxruntime"
max_batch_size: {batch}
input [
  {{ name: "src" data_type: TYPE_FP32 dims: [ 3, {height}, {width} ] }}
]
output [
  {{ name: "fgr" data_type: TYPE_FP32 dims: [ 3, {height}, {width} ] }},
  {{ name: "pha" data_type: TYPE_FP32 dims: [ 1, {height}, {width} ] }}
]
sequence_batching {{
  max_sequence_idle_microseconds: {idle}
  oldest {{
    max_candidate_sequences: {streams}
    max_queue_delay_microseconds: 2000
  }}
  state [
{states}
  ]
}}
"""
STATE = """\
    {{
      input_name: "{name}i"
      output_name: "{name}o"
      data_type: TYPE_FP32
      dims: [ {dims} ]
      initial_state: {{ name: "zero" data_type: TYPE_FP32 dims: [ {dims} ] zero_data: true }}
    }}"""


def network(path: Path) -> onnx.ModelProto:
    """RVM's graph with the weights in ``path``. Raises RealtimeBgError and KeyError."""
    if path.suffix.lower() != ".onnx":
        return rvm_graph.build(read_tensors(path))
    tensors = released_tensors(onnx.load(path, load_external_data=False))
    if tensors is None:
        raise SettingsError(f"{path}: not a released RVM file with MobileNetV3")
    return rvm_graph.build(tensors)


def without_ratio(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with its ratio fixed to 1: requests hold frames at the network's own size."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    (ratio,) = [value for value in fixed.graph.input if value.name == RATIO]
    fixed.graph.input.remove(ratio)
    fixed.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), RATIO))
    onnx.checker.check_model(fixed)
    return fixed


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """Run a graph on the CPU."""
    data = model.SerializeToString()
    return ort.InferenceSession(data, providers=["CPUExecutionProvider"])


def pattern(stream: int, moment: int, size: tuple[int, int]) -> Array:
    """A frame ``(3, h, w)`` of a moving pattern."""
    width, height = size
    y, x = np.mgrid[:height, :width] / 40.0
    waves = [np.sin(x + moment / 4 + k + 2 * stream) * np.cos(y * (1 + k / 3)) for k in range(3)]
    return (0.5 + 0.45 * np.stack(waves)).astype(np.float32)


def state_shapes(exported: ort.InferenceSession, size: tuple[int, int]) -> list[tuple[int, ...]]:
    """The shapes of r1 to r4 for one stream at this size."""
    zeros = {f"{name}i": np.zeros((1, 1, 1, 1), np.float32) for name in STATES}
    feed = {"src": pattern(0, 0, size)[None], **zeros}
    return [state.shape[1:] for state in exported.run([f"{name}o" for name in STATES], feed)]


def compare(
    exported: ort.InferenceSession, own: ort.InferenceSession, size: tuple[int, int], shapes: Any
) -> float:
    """The largest difference between streams run in batches from zero states, as the server does,
    and each stream run alone as this program does."""
    together = [np.zeros((STREAMS, *shape), np.float32) for shape in shapes]
    alone = [[np.zeros((1, 1, 1, 1), np.float32)] * len(STATES) for _ in range(STREAMS)]
    worst = 0.0
    for moment in range(FRAMES):
        frames = np.stack([pattern(stream, moment, size) for stream in range(STREAMS)])
        states = {f"{name}i": state for name, state in zip(STATES, together, strict=True)}
        fgr, pha, *together = exported.run(None, {"src": frames, **states})
        for stream in range(STREAMS):
            states = {f"{name}i": state for name, state in zip(STATES, alone[stream], strict=True)}
            feed = {"src": frames[stream : stream + 1], RATIO: np.ones(1, np.float32), **states}
            own_fgr, own_pha, *alone[stream] = own.run(None, feed)
            for got, want in ((fgr, own_fgr), (pha, own_pha)):
                worst = float(np.maximum(worst, np.abs(got[stream] - want[0]).max()))  # keeps NaN
    return worst


def config(size: tuple[int, int], shapes: Any, batch: int, streams: int, idle: float) -> str:
    """The text of config.pbtxt."""
    states = ",\n".join(
        STATE.format(name=name, dims=", ".join(map(str, shape)))
        for name, shape in zip(STATES, shapes, strict=True)
    )
    width, height = size
    return CONFIG.format(
        batch=batch,
        streams=streams,
        idle=round(idle * 1e6),
        width=width,
        height=height,
        states=states,
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help=".safetensors, .pth, .pt or .onnx")
    parser.add_argument("repository", type=Path, help="the folder to write")
    parser.add_argument("--size", default="512x288", help="WxH of the frames in requests")
    parser.add_argument("--batch", type=int, default=8, help="streams in one run, at most")
    parser.add_argument("--streams", type=int, default=64, help="at the same time, at most")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds until a stream ends")
    given = parser.parse_args()
    try:
        size: Any = parse_size(given.size)
        model = network(given.weights)
        fixed = without_ratio(model)
        exported, own = session(fixed), session(model)
        shapes = state_shapes(exported, size)
        worst = compare(exported, own, size, shapes)
        print(f"{FRAMES} frames of {STREAMS} streams: largest difference {worst:.2e}")
        if not worst <= TOLERANCE:
            print(f"more than {TOLERANCE:g}; nothing was written", file=sys.stderr)
            return 1
        text = config(size, shapes, given.batch, given.streams, given.idle)
        write_whole(given.repository / "rvm/1/model.onnx", fixed.SerializeToString())
        write_whole(given.repository / "rvm/config.pbtxt", text.encode())
    except KeyError as missing:
        print(f"{given.weights}: not an RVM checkpoint (no tensor {missing})", file=sys.stderr)
        return 2
    except (RealtimeBgError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"written: {given.repository / 'rvm'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
