"""Draw the images of docs/engines.md: the demo's person, and each engine's result.

python scripts/make_engine_pictures.py docs/engines

Each engine gets a suitable scene: the demo's room, a plain wall or a green screen. Prints the
intersection over union with the demo's true alpha, and the median inference time.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Frame, Image, Matte
from realtime_bg.processing.processor import Processor
from realtime_bg.processing.refine import refine
from realtime_bg.settings import SourceSettings, load
from realtime_bg.settings.live import Live
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

EMPTY, FRAMES, FPS = 45, 60, 10.0  # first the empty room, for engines that learn it
LEARNS = ("motion", "plate")
PANEL = (480, 270)
CHANGES = {"threshold": {"engine.threshold.method": "adaptive"}}
SCENES = {
    "embedded": "room",
    "grabcut": "room",
    "plate": "room",
    "motion": "room",
    "kmeans": "wall",
    "region": "wall",
    "threshold": "wall",
    "edges": "wall",
    "chroma": "screen",
}


def behind(scene: str, source: DemoSource, seconds: float) -> Image:
    """Return the scene behind the person, BGR, at the demo's size."""
    if scene == "room":
        return source._room.image(seconds)
    width, height = source.size
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    light = 1 - 0.12 * ((x + 0.3) ** 2 + (y + 0.3) ** 2)
    colour = (190, 200, 196) if scene == "wall" else (64, 177, 0)
    noise = np.random.default_rng(round(seconds * FPS)).normal(0, 2, (height, width, 3))
    return np.clip(light[..., None] * colour + noise, 0, 255).astype(np.uint8)


def frames(scene: str, source: DemoSource, start: int = 0) -> Iterator[tuple[Frame, Alpha]]:
    """Yield the frames from ``start`` on with their true alphas, ``float32 (h, w)``."""
    for index in range(start, EMPTY + FRAMES):
        moment = round(index * source.fps / FPS)
        image = behind(scene, source, index / FPS)
        alpha = np.zeros(image.shape[:2], np.float32)
        if index >= EMPTY:
            alpha = source.alpha(moment)
            share = alpha[..., None]
            image = np.rint(share * source.image(moment) + (1 - share) * image).astype(np.uint8)
        yield Frame(image, index, index / FPS), alpha


def picture(engine: str, scene: str, source: DemoSource) -> tuple[Image, float, float]:
    """Return the last frame beside its composite, the mean IoU and the inference time in
    milliseconds."""
    flags = {"engine.name": engine, "background.current": "beach"}
    flags |= CHANGES.get(engine, {})
    live, stats, scores = Live(load(flags=flags)), Stats(), []
    processor = Processor(live, stats, wait=True)
    for frame, truth in frames(scene, source, 0 if engine in LEARNS else EMPTY):
        if frame.index == 1 and engine == "plate":
            live.modify(lambda s: {"plates": s.plates + 1})
        item = processor.matte(frame)
        composite = processor.compose(item)
        if frame.index >= EMPTY:
            assert isinstance(item, Matte)  # none of these engines leaves it on a GPU
            found = refine(item, live.now.refine).alpha > 0.5
            person = truth > 0.5
            scores.append((found & person).sum() / max((found | person).sum(), 1))
    processor.close()
    panels = [
        cv2.resize(panel, PANEL, interpolation=cv2.INTER_AREA)
        for panel in (frame.image, composite.image)
    ]
    return np.hstack(panels), float(np.mean(scores)), stats.median("network")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    source = DemoSource("", SourceSettings(spec="demo", size=(640, 360)), False)
    for engine, scene in SCENES.items():
        for where in dict.fromkeys(("room", scene)):
            drawn, score, milliseconds = picture(engine, where, source)
            print(f"{engine:<10} {where:<7} IoU {score:.2f}  {milliseconds:.1f} ms")
            if where == scene:
                cv2.imwrite(str(folder / f"{engine}.jpg"), drawn, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
