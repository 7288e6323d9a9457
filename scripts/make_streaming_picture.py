"""Draw docs/streaming.jpg: what streamers add to the picture or take from it, with the demo.

python scripts/make_streaming_picture.py docs/streaming.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _demo import empty_room, opened
from _labels import panel

from realtime_bg.frames import Composite, Frame, Image, Layer
from realtime_bg.processing.compositor import blend
from realtime_bg.sources.demo import DemoSource

MOMENT = 60  # index of the demo's frame
HEIGHT, COLUMNS = 225, 3  # of each panel, and how many are side by side
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
    panels = [panel(image, label, HEIGHT) for label, image in pictures.items()]
    rows = np.vstack([np.hstack(panels[:COLUMNS]), np.hstack(panels[COLUMNS:])])
    cv2.imwrite(str(arguments.output), rows, [cv2.IMWRITE_JPEG_QUALITY, 90])


def frame(source: DemoSource, index: int) -> Frame:
    return Frame(source.image(index), index, index / source.fps)


def composite(flags: dict[str, Any]) -> Composite:
    """The composite of the moment."""
    source, processor, _ = opened(flags)
    for index in range(MOMENT):
        made = processor.process(frame(source, index))
    processor.close()
    return made


def faded(flags: dict[str, Any]) -> Image:
    """Half-way from one background to the next."""
    source, processor, live = opened(flags | {"background.fade": round(1000 * FADE)})
    half = round(FADE * source.fps / 2)
    for index in range(MOMENT):
        if index == MOMENT - half - 1:
            live.update(background__current="beach")
        made = processor.process(frame(source, index))
    processor.close()
    return made.image


def nobody(flags: dict[str, Any]) -> Image:
    """The idle scene over an empty room."""
    source, processor, _ = opened(flags | {"idle.after": 1.0})
    room = empty_room(source)
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


if __name__ == "__main__":
    main()
