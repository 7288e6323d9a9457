"""Draw docs/streaming.jpg: what streamers add to the picture or take from it, with the demo.

python scripts/make_streaming_picture.py docs/streaming.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _labels import labelled

from realtime_bg.frames import Composite, Frame, Image, Layer
from realtime_bg.processing.compositor import blend
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

MOMENT = 60  # index of the demo's frame
WIDTH, COLUMNS = 400, 3  # of each panel, and how many are side by side
SQUARE = 16  # pixels of the chessboard behind what is transparent
FADE = 1.0  # seconds
NAME = {"name": "Name", "text": "Eileen Collins", "position": (0.04, 0.94), "scale": 0.1}
BANNER = {
    "name": "Banner",
    "text": "On air",
    "position": (0.9, 0.1),
    "scale": 0.2,
    "behind": True,
    "colour": "#ffd0d0",
}
ALONE = {"output.sinks": ("pipe:rgba",)}


def main() -> None:
    arguments = picture_parser(__doc__).parse_args()
    engine = {"engine.name": arguments.engine}
    alone = composite(engine | ALONE).person
    assert alone is not None
    pictures = {
        "-o matte:...": cv2.cvtColor(alone[..., 3], cv2.COLOR_GRAY2BGR),
        "-o rgba:...": on_squares(alone),
        "-b '#00ff00'": composite(engine | {"background.current": "#00ff00"}).image,
        "layers": composite(engine | {"layers.items": (NAME, BANNER)}).image,
        "a scene fades in": faded(engine),
        "idle": nobody(engine),
    }
    panels = [labelled(smaller(image), label) for label, image in pictures.items()]
    rows = np.vstack([np.hstack(panels[:COLUMNS]), np.hstack(panels[COLUMNS:])])
    cv2.imwrite(str(arguments.output), rows, [cv2.IMWRITE_JPEG_QUALITY, 90])


def demo(flags: dict[str, Any]) -> tuple[DemoSource, Processor, Live]:
    settings = load(flags={"source.spec": "demo", "background.current": "office"} | flags)
    source = open_source(settings.source, paced=False)
    assert isinstance(source, DemoSource)
    live = Live(settings)
    return source, Processor(live, Stats(), wait=True), live


def frame(source: DemoSource, index: int) -> Frame:
    return Frame(source.image(index), index, index / source.fps)


def composite(flags: dict[str, Any]) -> Composite:
    """The composite of the moment."""
    source, processor, _ = demo(flags)
    for index in range(MOMENT):
        made = processor.process(frame(source, index))
    processor.close()
    return made


def faded(flags: dict[str, Any]) -> Image:
    """Half-way from one background to the next."""
    source, processor, live = demo(flags | {"background.fade": round(1000 * FADE)})
    half = round(FADE * source.fps / 2)
    for index in range(MOMENT):
        if index == MOMENT - half - 1:
            live.update(background__current="beach")
        made = processor.process(frame(source, index))
    processor.close()
    return made.image


def nobody(flags: dict[str, Any]) -> Image:
    """The idle scene over an empty room."""
    source, processor, _ = demo(flags | {"idle.after": 1.0})
    room = cv2.resize(cv2.GaussianBlur(source.image(0)[:, :400], (0, 0), 12), source.size)
    for index in range(round(2 * source.fps)):
        made = processor.process(Frame(room, index, index / source.fps))
    processor.close()
    return made.image


def on_squares(layer: Layer) -> Image:
    """A layer over the usual sign of transparency."""
    rows, columns = np.indices(layer.shape[:2]) // SQUARE
    squares = np.where((rows + columns) % 2, 255, 200).astype(np.uint8)
    colours, alpha = np.ascontiguousarray(layer[..., :3]), (layer[..., 3] / 255).astype(np.float32)
    return blend(colours, cv2.merge([squares] * 3), alpha)


def smaller(image: Image) -> Image:
    height = round(WIDTH * image.shape[0] / image.shape[1])
    return cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()
