"""Compare pipelines from frame to composite; they take turns on each frame, under equal conditions.

    REALTIME_BG_MODELS=... python benchmarks/compare_pipelines.py --frames 200 --sizes 1280x720

* limit: RVM's network alone at the work size, and one copy of the frame: the lower bound
* ours: this program's complete step from frame to composite, by engine and runtime, with one thread
  for the network and with all
* straightforward: the obvious first implementation: RVM's graph including the refiner on the
  full-size float image in ONNX Runtime (with the ratio for the same work size), blended as floats
  in NumPy
* MediaPipe, if a version that still has its selfie segmentation (256x144) is installed (`pip
  install mediapipe==0.10.14`): with a hard mask, as in its example; and with the mask softened and
  averaged over time, as in the webcam programs that use it

Prints a Markdown table for each size: milliseconds of wall time and of processor time, all threads
together, and multiples of the limit. Needs RVM's weights. ``--source`` gives a video instead of the
demo.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import NamedTuple

import cv2
import numpy as np
from _rvm_graph import RvmGraph

from realtime_bg.backgrounds import open_background
from realtime_bg.frames import Alpha, Frame, Image, Size
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.stats import Stats

WARM_UP = 10  # frames before timing starts

Step = Callable[[Frame], object]


def ours(engine: str, runtime: str, threads: int | None, quality: str = "fast") -> Step:
    """Return this program's step."""
    flags = {
        "engine.threads": threads,
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


def webcam_program() -> Step:
    """Return what webcam programs with MediaPipe do: the mask is thresholded, enlarged, softened
    and averaged over time, and the frame is blended with it."""
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    network = SelfieSegmentation(model_selection=1)
    background = open_background("beach", load().background, True)
    last: list[Alpha] = []

    def step(frame: Frame) -> Image:
        behind = background.render(frame.size, 0.0)
        rgb = cv2.cvtColor(frame.image, cv2.COLOR_BGR2RGB)
        mask = (network.process(rgb).segmentation_mask > 0.5).astype(np.float32)
        mask = cv2.GaussianBlur(cv2.resize(mask, frame.size), (7, 7), 0)
        mask = cv2.blur(cv2.dilate(mask, np.ones((5, 5), np.uint8)), (10, 10))
        if last:
            mask = mask * 0.5 + last.pop() * 0.5
        last.append(mask)
        return cv2.blendLinear(frame.image, behind, mask, 1 - mask)

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


class Times(NamedTuple):
    """Milliseconds of each step: wall time, and processor time of all threads."""

    wall: list[float]
    cpu: list[float]


def measured(ways: dict[str, Step], images: Iterator[Image], frames: int) -> dict[str, Times]:
    """Run all ways in turn on each frame."""
    times = {name: Times([], []) for name in ways}
    for index in range(WARM_UP + frames):
        frame = Frame(next(images), index, index / 30)
        for name, step in ways.items():
            start, used = time.perf_counter(), time.process_time()
            step(frame)
            if index >= WARM_UP:
                times[name].wall.append(1000 * (time.perf_counter() - start))
                times[name].cpu.append(1000 * (time.process_time() - used))
    return times


def show(times: dict[str, Times]) -> None:
    """Print a table."""
    least = statistics.median(times["limit"].wall)
    print("| | median, ms | minimum, ms | of the limit | CPU, median ms |\n|---|---|---|---|---|")
    for name, (wall, cpu) in times.items():
        middle, used = statistics.median(wall), statistics.median(cpu)
        ratio = middle / least
        print(f"| {name} | {middle:.1f} | {min(wall):.1f} | {ratio:.2f} | {used:.1f} |")


def pictures(source: str, size: Size) -> Iterator[Image]:
    """The pictures of the demo or of a video at this size, again and again."""
    width, height = size
    settings = load(flags={"source.spec": source, "source.size": f"{width}x{height}"}).source
    while True:
        opened = open_source(settings, paced=False)
        yield from (frame.image for frame in opened)
        opened.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--sizes", default="1280x720", help="several: 1280x720,1920x1080")
    parser.add_argument("--work-size", default="256x144")
    parser.add_argument("--source", default="demo", help="the demo or a video")
    options = parser.parse_args()
    work = sides(options.work_size)
    os.environ["REALTIME_BG_ENGINE__WORK_SIZE"] = options.work_size
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    runtimes = ["onnxruntime", *(["openvino"] if find_spec("openvino") else [])]
    for text in options.sizes.split(","):
        size = sides(text)
        ways: dict[str, Step] = {"limit": limit(work)}
        for engine in ("rvm", "embedded"):
            for runtime in runtimes:
                ways[f"ours, `{engine}`, {runtime}, 1 thread"] = ours(engine, runtime, 1)
                ways[f"ours, `{engine}`, {runtime}"] = ours(engine, runtime, None)
        if find_spec("mediapipe"):
            ways["MediaPipe, hard mask"] = mediapipe()
            ways["MediaPipe, soft mask"] = webcam_program()
        ways["straightforward"] = straightforward(work, size)
        print(
            f"{text}, {options.source}, work size {options.work_size}, {options.frames} frames, "
            f"{cores} cores, Python {platform.python_version()}\n"
        )
        show(measured(ways, pictures(options.source, size), options.frames))
        print(flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
