"""Measures what `light.matting` does for the matte in dim rooms, on clips with a known alpha.

python benchmarks/dim_rooms.py FOLDER [--engine embedded] [--frames 30]

FOLDER is one that scripts/make_matting_set.py has made. Its clips are darkened, with the noise of a
sensor (of photons and of reading), and matted as they are and in a brightened copy. Printed: the
mean absolute error of the alpha at the network's size, times 1000, as mean and median of the clips,
and in how many of them it became lower or higher by more than 2 %.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from realtime_bg.frames import Frame, Image, downloaded
from realtime_bg.imaging.geometry import resize
from realtime_bg.imaging.tone import LIGHT, levels_of
from realtime_bg.processing.matting import Matting
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

GAINS = 1.0, 0.3, 0.15, 0.07  # of the light
WELL, READING = 1500.0, 6.0  # electrons of a white pixel, and the noise of reading one
FPS = 30.0
NOTABLE = 0.02


def darkened(image: Image, gain: float, chance: np.random.Generator) -> Image:
    """The picture in ``gain`` times the light, as a sensor sees it."""
    if gain == 1:
        return image
    light = LIGHT[image] * np.float32(gain)
    noise = chance.standard_normal(light.shape, np.float32)
    light += noise * np.sqrt(light / WELL + (READING / WELL) ** 2)
    return np.rint(levels_of(light)).astype(np.uint8)


def errors(clip: Path, masks: Path, gain: float, options: argparse.Namespace) -> list[float]:
    """The error without and with brightening."""
    chance = np.random.default_rng(3)
    matters = []
    for active in (False, True):
        flags = {"engine.name": options.engine, "engine.work_size": "256x144"}
        settings = load(flags=flags | {"light.active": active}).at_quality("fast")
        matters.append(Matting(Live(settings), Stats()))
    found: list[list[float]] = [[], []]
    for index, path in enumerate(sorted(clip.iterdir())[: options.frames]):
        image: Any = cv2.imread(str(path))
        mask: Any = cv2.imread(str(masks / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        image = darkened(image, gain, chance)
        for matter, values in zip(matters, found, strict=True):
            alpha = downloaded(matter.matte(Frame(image, index, index / FPS))).alpha
            truth = resize(mask, (alpha.shape[1], alpha.shape[0])).astype(np.float32) / 255
            values.append(float(np.abs(alpha - truth).mean()) * 1e3)
    for matter in matters:
        matter.close()
    return [float(np.mean(values)) for values in found]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="embedded")
    parser.add_argument("--frames", type=int, default=30)
    options = parser.parse_args()
    clips = sorted((options.folder / "images").iterdir())
    print("light | as it is: mean, median | brightened: mean, median | better, worse")
    for gain in GAINS:
        rows = np.array(
            [errors(clip, options.folder / "masks" / clip.name, gain, options) for clip in clips]
        )
        plain, bright = rows.T
        better, worse = (int((sign * (bright / plain - 1) > NOTABLE).sum()) for sign in (-1, 1))
        print(
            f"{gain:5.2f} | {plain.mean():6.2f} {np.median(plain):6.2f} | {bright.mean():6.2f} "
            f"{np.median(bright):6.2f} | {better}, {worse} of {len(clips)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
