"""Measure how the processor time grows with the size of the picture and with the frame rate, and
draw it.

    REALTIME_BG_MODELS=... python benchmarks/draw_cost.py docs/cost.svg

Left: processor time of one step from frame to composite, on every frame, with one thread for the
network; beside it what webcam programs with MediaPipe do, if it is installed (see
compare_pipelines.py). Right: the load of the whole program in live use at 1280x720, with the demo
as the camera (see live_pipeline.py), whose drawing is measured and taken off. Ways take turns.
Prints the figures. Needs RVM's weights and Matplotlib (pip install matplotlib).
"""

import argparse
import os
import statistics
import sys
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import compare_pipelines
import live_pipeline
import matplotlib as mpl
from matplotlib.figure import Figure

from realtime_bg.frames import Size
from realtime_bg.system.console import show_logs

SIZES = (640, 360), (960, 540), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160)
RATES = 10, 15, 24, 30, 45, 60
LIVE_SIZE = 1280, 720
ENGINES = "embedded", "rvm"
PEER = "MediaPipe, soft mask"
COLOURS = {"embedded": "#2f6fb0", "rvm": "#2e8b57", PEER: "#b5532a"}

Lines = dict[str, list[float]]  # of each way, one value for each place on the x axis


def by_size(frames: int) -> Lines:
    """Median milliseconds of processor time of one step, for each of `SIZES`."""
    found: Lines = {}
    for size in SIZES:
        ways = {name: compare_pipelines.ours(name, "auto", 1) for name in ENGINES}
        if find_spec("mediapipe"):
            ways[PEER] = compare_pipelines.webcam_program()
        images = compare_pipelines.pictures("demo", size)
        for name, times in compare_pipelines.measured(ways, images, frames).items():
            found.setdefault(name, []).append(statistics.median(times.cpu))
    return found


def by_rate(seconds: float) -> Lines:
    """Percent of one core in live use, for each of `RATES`."""
    found: Lines = {}
    size, drawing = f"{LIVE_SIZE[0]}x{LIVE_SIZE[1]}", _drawing(LIVE_SIZE)
    for rate in RATES:
        for name in ENGINES:
            used = live_pipeline.settings(name, size, rate)
            count = max(round(seconds * rate), live_pipeline.SETTLED)
            figures = live_pipeline.measured(used, count)
            if figures["fps"] < 0.95 * rate:
                print(f"{name}: only {figures['fps']:.1f} of {rate} frames per second")
            found.setdefault(name, []).append(figures["cpu"] - drawing * figures["fps"] / 10)
    return found


def _drawing(size: Size) -> float:
    """Milliseconds of processor time for one frame of the demo."""
    images, count = compare_pipelines.pictures("demo", size), 60
    next(images)
    start = time.process_time()
    for _ in islice(images, count):
        pass
    return 1000 * (time.process_time() - start) / count


def drawn(path: Path, sizes: Lines, rates: Lines) -> None:
    mpl.rcParams.update({"font.size": 9, "svg.hashsalt": "realtime-bg", "svg.fonttype": "none"})
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    millions = [width * height / 1e6 for width, height in SIZES]
    for axes, places, lines in ((left, millions, sizes), (right, RATES, rates)):
        for name, values in lines.items():
            axes.plot(places, values, marker="o", markersize=4, color=COLOURS[name], label=name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    left.set_xticks(millions, [f"{height}p" for _, height in SIZES], rotation=60)
    left.set(ylabel="CPU ms per frame", title="One step, by size of the picture")
    left.set_ylim(top=1.6 * max(sizes["rvm"]))  # what grows faster leaves the picture
    right.set_xticks(RATES)
    right.set(xlabel="frames per second", ylabel="CPU, % of one core")
    right.set_title("Live at 1280x720, by frame rate")
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="an SVG or PNG file")
    parser.add_argument("--frames", type=int, default=60, help="for each size")
    parser.add_argument("--seconds", type=float, default=8, help="for each frame rate")
    options = parser.parse_args()
    show_logs(False)
    os.environ["REALTIME_BG_ENGINE__WORK_SIZE"] = "256x144"
    sizes = by_size(options.frames)
    rates = by_rate(options.seconds)
    for title, places, lines in (("ms", SIZES, sizes), ("%", RATES, rates)):
        print(title, *places, sep="\t")
        for name, values in lines.items():
            print(name, *(f"{value:.1f}" for value in values), sep="\t")
    drawn(options.output, sizes, rates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
