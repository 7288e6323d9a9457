"""Draw docs/failures.jpg: where the built-in network fails on the demo's person.

python scripts/make_failure_picture.py docs/failures.jpg

Of many scenes of each kind of training/hard_scenes.py, made from the demo's portrait and the
built-in rooms, the one with the lowest intersection over union is shown: the scene, what the
network keeps, and the person who is there.
"""

import argparse
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
from _labels import labelled

from realtime_bg.backgrounds import open_background
from realtime_bg.frames import Alpha, Image
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.settings import load
from realtime_bg.sources._demo_person import portrait
from realtime_bg.system.console import say
from realtime_bg.training.hard_scenes import hard_scene
from realtime_bg.training.metrics import iou

KINDS = {
    "close": "very close, the face out of the picture",
    "entering": "partly beyond an edge",
    "patch": "a patch over the face",
    "touching": "things that touch her",
}
ROOMS = "office", "studio"
SIZE, TRIES, SHOWN = (640, 360), 40, (400, 225)
LEAST = 0.03  # of the picture must be person
GREEN = (80, 160, 80)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    settings = load()
    rooms = [open_background(name, settings.background, False).render(SIZE, 0.0) for name in ROOMS]
    flags = {"engine.name": "embedded", "engine.offline": True}
    with closing(PictureMatter.of(flags, None)) as matter:
        rows = [worst(kind, rooms, matter) for kind in KINDS]
    cv2.imwrite(str(arguments.output), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])


def worst(kind: str, rooms: list[Image], matter: PictureMatter) -> Image:
    """A row of three panels of the scene of this kind that the network finds hardest."""
    person = portrait()
    mask = np.rint(person.alpha * 255).astype(np.uint8)
    found: tuple[float, Image, Alpha, Alpha] | None = None
    for seed in range(TRIES):
        rng = np.random.default_rng([seed, *kind.encode()])
        room = rooms[seed % len(rooms)]
        nobody = np.zeros(room.shape[:2], np.uint8)
        image, truth = hard_scene(kind, person.image, mask, (room, nobody), SIZE, rng, cut=True)
        if truth.mean() < LEAST:
            continue
        alpha = matter.matte_photo(image, 4).alpha
        overlap = iou(alpha, truth)
        if found is None or overlap < found[0]:
            found = overlap, image, alpha, truth
    assert found is not None
    overlap, image, alpha, truth = found
    say(f"{kind}: lowest IoU of {TRIES}: {overlap:.3f}")
    green = np.full_like(image, GREEN)
    kept, there = (cv2.blendLinear(image, green, one, 1 - one) for one in (alpha, truth))
    labels = KINDS[kind], f"kept (IoU {overlap:.2f})", "who is there"
    pictures = (
        cv2.resize(one, SHOWN, interpolation=cv2.INTER_AREA) for one in (image, kept, there)
    )
    return np.hstack([labelled(*one) for one in zip(pictures, labels, strict=True)])


if __name__ == "__main__":
    main()
