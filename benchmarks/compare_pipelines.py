"""Compare pipelines from frame to composite; they take turns on each frame, under equal conditions.

    REALTIME_BG_MODELS=... python benchmarks/compare_pipelines.py --frames 200

* limit: RVM's network alone at the work size, and one copy of the frame: the lower bound
* ours: this program's complete step from frame to composite, by engine and runtime
* straightforward: the obvious first implementation: RVM's graph including the refiner on the
  full-size float image in ONNX Runtime (with the ratio for the same work size), blended as floats
  in NumPy
* MediaPipe: its selfie segmentation (256x144) with a hard mask, if a version that still has it is
  installed: `pip install mediapipe==0.10.14`

Prints a Markdown table: milliseconds, and multiples of the limit. Needs RVM's weights.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import cv2
import numpy as np
from _rvm_graph import RvmGraph

from realtime_bg.backgrounds import open_background
from realtime_bg.frames import Frame, Image, Size
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

WARM_UP = 10  # frames before timing starts

Step = Callable[[Frame], object]


def ours(engine: str, runtime: str, quality: str = "fast") -> Step:
    """Return this program's step."""
    flags = {
        "engine.name": engine,
        "engine.runtime": runtime,
        "background.current": "beach",
        "engine.quality": quality,
        "engine.gate": False,
    }
    return Processor(Live(load(flags=flags)), Stats(), wait=True).process


def limit(work: Size) -> Step:
    """Return the lower bound: the network on a ready tensor, and one copy of the frame."""
    network = RvmGraph(1)
    src = np.random.default_rng(1).random((1, 3, work[1], work[0]), np.float32)

    def step(frame: Frame) -> object:
        network(src)
        return frame.image.copy()

    return step


def straightforward(work: Size, size: Size) -> Step:
    """Return the straightforward step, with everything at full size."""
    network = RvmGraph(work[0] / size[0])
    background = open_background("beach", load().background, True).render(size, 0.0)

    def step(frame: Frame) -> Image:
        rgb = frame.image[:, :, ::-1].astype(np.float32) / 255
        fgr, pha = network(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None]))
        person, alpha = fgr[0].transpose(1, 2, 0)[:, :, ::-1] * 255, pha[0, 0, :, :, None]
        return (person * alpha + background * (1 - alpha)).astype(np.uint8)

    return step


def mediapipe() -> Step:
    """Return MediaPipe's selfie segmentation with a hard mask, as in its example."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    network = SelfieSegmentation(model_selection=1)
    background = open_background("beach", load().background, True)

    def step(frame: Frame) -> Image:
        behind = background.render(frame.size, 0.0)
        mask = network.process(cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB)).segmentation_mask
        return np.where(np.stack((mask,) * 3, axis=-1) > 0.1, frame.image, behind)

    return step


def sides(text: str) -> Size:
    """``"800x448"`` -> (800, 448)."""
    width, height = (int(side) for side in text.split("x"))
    return width, height


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--work-size", default="256x144")
    options = parser.parse_args()
    width, height = sides(options.size)
    work = sides(options.work_size)
    os.environ["REALTIME_BG_ENGINE__WORK_SIZE"] = options.work_size
    demo = DemoSource("", load(flags={"source.size": options.size}).source, False)
    runtimes = ["onnxruntime", *(["openvino"] if find_spec("openvino") else [])]
    ways: dict[str, Step] = {"limit": limit(work)}
    ways |= {
        f"ours, `{engine}`, {runtime}": ours(engine, runtime)
        for engine in ("rvm", "embedded")
        for runtime in runtimes
    }
    if find_spec("mediapipe"):
        ways["MediaPipe"] = mediapipe()
    ways["straightforward"] = straightforward(work, (width, height))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(WARM_UP + options.frames):
        frame = Frame(demo.image(index), index, index / 30)
        for name, step in ways.items():
            start = time.perf_counter()
            step(frame)
            if index >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - start))
    least = statistics.median(times["limit"])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{width}x{height}, work size {options.work_size}, {options.frames} frames, "
        f"{cores} cores, Python {platform.python_version()}\n"
    )
    print("| | median, ms | minimum, ms | of the limit |\n|---|---|---|---|")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"| {name} | {middle:.1f} | {min(values):.1f} | {middle / least:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
