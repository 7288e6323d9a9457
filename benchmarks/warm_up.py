"""Measure how many frames a recurrent engine needs until its matte no longer depends on where it
began: what docs/cluster.md says of the warm-up of segments.

    python benchmarks/warm_up.py clip.mp4 other.mkv --engine rvm --model rvm_mobilenetv3_fp32.onnx

The engine runs over each clip once without a break, and again from a few places in it. For each
place it prints after how many frames the alpha stays within 1/1000 of the unbroken run: the mean
over all pixels, 99.9 % of the pixels, and every pixel.
"""

import argparse
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from realtime_bg.engines import open_engine
from realtime_bg.frames import Alpha, Frame, downloaded
from realtime_bg.settings import load
from realtime_bg.stats import Stats
from realtime_bg.videos.clips import Clip

BOUND = 1e-3
MEASURES = ("mean", "99.9 %", "all")


def frames(path: Path, count: int) -> Iterator[Frame]:
    """The first frames of a clip."""
    clip = Clip(path)
    with closing(clip.shots()) as shots:
        for index, shot in enumerate(islice(shots, count)):
            yield Frame(clip.pixels(shot).image, index, clip.seconds(shot.pts))


def distances(one: Alpha, other: Alpha) -> tuple[float, float, float]:
    """How far two alphas are apart: see `MEASURES`."""
    apart = np.abs(one - other)
    return float(apart.mean()), float(np.quantile(apart, 0.999)), float(apart.max())


def needed(curve: list[float]) -> int | None:
    """The number of frames after which a curve stays below the bound; None if it does not."""
    above = [index for index, value in enumerate(curve) if value >= BOUND]
    last = above[-1] + 1 if above else 0
    return last if last < len(curve) else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--engine", default="rvm")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--frames", type=int, default=150, help="after each place")
    parser.add_argument("--places", type=int, default=4, help="in each clip")
    given = parser.parse_args()
    flags = {"engine.name": given.engine, "engine.model": given.model, "engine.device": "cpu"}
    settings = load(None, flags).at_quality("fine")
    worst: dict[str, list[int | None]] = {name: [] for name in MEASURES}
    for path in given.clips:
        shots = list(frames(path, given.frames * (given.places + 1)))
        engine = open_engine(settings.engine, shots[0].size, Stats())
        unbroken = [downloaded(engine.matte(frame)).alpha.copy() for frame in shots]
        step = max(1, (len(shots) - given.frames) // given.places)
        for place in range(step, len(shots) - given.frames + 1, step):
            engine.reset()
            curves = [
                distances(downloaded(engine.matte(frame)).alpha, unbroken[place + index])
                for index, frame in enumerate(shots[place : place + given.frames])
            ]
            counts = [needed([values[n] for values in curves]) for n in range(len(MEASURES))]
            for name, count in zip(MEASURES, counts, strict=True):
                worst[name].append(count)
            shown = ", ".join(f"{n}: {c}" for n, c in zip(MEASURES, counts, strict=True))
            print(f"{path.name} from frame {place}: {shown}", flush=True)
            for after in range(0, len(curves), 15):
                print(f"  after {after:3d}: " + ", ".join(f"{v:.2e}" for v in curves[after]))
        engine.close()
    for name, found in worst.items():
        known = [count for count in found if count is not None]
        never = f", {len(found) - len(known)} of {len(found)} not at all"
        print(f"{name}: at most {max(known, default='?')}" + never * (len(known) < len(found)))


if __name__ == "__main__":
    main()
