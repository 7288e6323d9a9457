"""Make photos and clips with known alpha that show where networks fail: arms held out, very close
people, no face in view, people who enter the picture, things that touch them, and empty rooms.

    python scripts/make_people_set.py --out set --cutouts cutouts/ --people folder:portraits \\
        --rooms folder:street --count 24
    python scripts/evaluate.py --engine embedded --data folder:set --groups

OUT gets images/KIND-NUMBER.jpg and masks/KIND-NUMBER.png, and clips of a still camera in
images/still-NUMBER/ and masks/still-NUMBER/. The kinds are those of training/hard_scenes.py, and
"empty". Arms are from the cut-outs, everything else mostly from the people; give both only people
that no training has seen. The same files and seed give the same set.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.system.console import say, show_logs
from realtime_bg.training.command import number, size
from realtime_bg.training.datasets import CutoutPhotos, FolderPhotos, NamedPhotos, Sample
from realtime_bg.training.hard_scenes import KINDS, hard_room, hard_scene
from realtime_bg.training.labelled import data_root
from realtime_bg.training.scenes import tidied

QUALITY = 90  # of the JPEG that a webcam sends
NOISE = 1.0, 4.0  # of the sensor, in grey levels
FRAMES = 16  # of a clip


def person(photos: NamedPhotos, rng: np.random.Generator) -> Sample:
    """One of the photos, with a clean mask."""
    sample = Sample(*photos[int(rng.integers(len(photos)))])
    return sample if sample.cut else sample._replace(mask=tidied(sample.mask))


def write(out: Path, name: str, image: Image, alpha: Alpha) -> None:
    """Write a photo, or a frame of a clip, and its alpha."""
    for folder, suffix, picture in (
        ("images", ".jpg", image),
        ("masks", ".png", np.rint(alpha * 255).astype(np.uint8)),
    ):
        path = out / folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if suffix == ".jpg" else []
        path.write_bytes(cv2.imencode(suffix, picture, how)[1].tobytes())


def noisy(image: Image, rng: np.random.Generator, level: float) -> Image:
    """The image with the sensor's noise."""
    return np.clip(image + rng.normal(0, level, image.shape), 0, 255).astype(np.uint8)


def make(
    out: Path,
    cutouts: NamedPhotos,
    people: NamedPhotos,
    rooms: NamedPhotos,
    count: int,
    sides: Size,
    seed: int,
) -> None:
    """Make the whole set. Raises RealtimeBgError and OSError."""
    for kind in (*KINDS, "empty", "still"):
        for index in range(count):
            rng = np.random.default_rng([seed, *kind.encode(), index])
            behind = person(rooms, rng)
            other = behind.image, behind.mask
            if kind == "empty":
                write(
                    out,
                    f"{kind}-{index:03d}",
                    hard_room(other, sides, rng),
                    np.zeros(sides[::-1], np.float32),
                )
                continue
            mostly = cutouts if kind == "arms" or (kind == "still" and index % 2) else people
            one = person(mostly, rng)
            shown = "touching" if kind == "still" else kind
            image, alpha = hard_scene(shown, one.image, one.mask, other, sides, rng, one.cut)
            if kind != "still":
                write(out, f"{kind}-{index:03d}", image, alpha)
                continue
            level = rng.uniform(*NOISE)
            for frame in range(FRAMES):
                write(out, f"{kind}-{index:03d}/{frame:03d}", noisy(image, rng, level), alpha)
        say(f"{kind}: {count}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cutouts", type=Path, required=True, help="folder of RGBA pictures")
    parser.add_argument("--people", required=True, metavar="folder:ROOT")
    parser.add_argument("--rooms", required=True, metavar="folder:ROOT")
    parser.add_argument("--count", type=number(int, 1), default=24, help="of each kind")
    parser.add_argument("--size", type=size, default=(640, 360))
    parser.add_argument("--seed", type=number(int, 0), default=1)
    options = parser.parse_args(arguments)
    show_logs(False)
    try:
        people, rooms = (
            FolderPhotos(data_root(spec, ("folder",))[1])
            for spec in (options.people, options.rooms)
        )
        cutouts = CutoutPhotos(options.cutouts)
        make(options.out, cutouts, people, rooms, options.count, options.size, options.seed)
    except RealtimeBgError as error:
        say(str(error), "red")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
