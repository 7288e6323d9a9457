"""Measures what each part of `light` adds to a frame, on the demo: the median of the processor's
time of the compositor, in turns, so that a busy machine slows all of them alike.

python benchmarks/light_cost.py [--size 1280x720] [--frames 200] [--background office]
"""

import argparse
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from realtime_bg.frames import Matte, downloaded
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.stats import Stats

NOTHING: dict[str, Any] = {
    "light.active": True,
    "light.exposure": 0,
    "light.white": 0,
    "light.denoise": 0,
    "light.key": 0,
}
PARTS: dict[str, dict[str, Any]] = {
    "off": {},
    "exposure and white balance": NOTHING | {"light.exposure": 1, "light.white": 1},
    "less noise": NOTHING | {"light.denoise": 0.5},
    "lamp": NOTHING | {"light.key": 0.3},
    "all": {"light.active": True},
}
DIM = 0.4  # grey levels of the dim demo, of the usual ones


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--background", default="office")
    arguments = parser.parse_args()
    flags = {"source.spec": "demo", "source.size": arguments.size, "engine.name": "embedded"}
    flags["background.current"] = arguments.background
    settings = load(flags=flags)
    matting = Matting(Live(settings), Stats())
    ways = {name: load(flags=flags | part) for name, part in PARTS.items()}
    makers = {
        name: Compositor(one, Stats(), wait=True, previews=False) for name, one in ways.items()
    }
    spent: dict[str, list[float]] = {name: [] for name in PARTS}
    with closing(open_source(settings.source, paced=False)) as source:
        for index, frame in enumerate(source):
            if index == arguments.frames:
                break
            matte = dim(downloaded(matting.matte(frame)))
            for name, maker in makers.items():
                start = time.process_time()
                maker.compose(matte, ways[name])
                spent[name].append(time.process_time() - start)
    usual = np.median(spent["off"])
    print(f"{arguments.size} over {arguments.background}, {arguments.frames} frames:")
    for name, times in spent.items():
        middle = np.median(times)
        print(f"{name:28} {middle * 1e3:5.2f} ms  {(middle - usual) * 1e3:+5.2f}")
    for maker in makers.values():
        maker.close()
    matting.close()


def dim(matte: Matte) -> Matte:
    """The same matte in a dim room."""
    image = (matte.frame.image * DIM).astype(np.uint8)
    guide = None if matte.guide is None else (matte.guide * DIM).astype(np.uint8)
    return replace(matte, frame=replace(matte.frame, image=image), guide=guide)


if __name__ == "__main__":
    main()
