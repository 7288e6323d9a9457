"""Draw docs/light.jpg: somebody in a dim room, and what each part of `light` makes of it.

python scripts/make_light_picture.py docs/light.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _labels import panel

from realtime_bg.frames import Frame, Image
from realtime_bg.imaging.tone import LIGHT, levels_of
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

MOMENT = 45  # index of the demo's frame
DIM = np.array([0.075, 0.12, 0.16], np.float32)  # of blue, green and red light: a lamp far away
WELL, READING = 1500.0, 6.0  # electrons of a white pixel, and the noise of reading one
PART = np.s_[40:680, 240:1040]  # that is shown
HEIGHT = 300  # of each panel
PLAIN = {"light.active": True, "light.white": 0, "light.denoise": 0, "light.key": 0}
BALANCED = PLAIN | {"light.white": 1}
CALM = BALANCED | {"light.denoise": 0.7}
PANELS: dict[str, dict[str, Any]] = {
    "off": {},
    "exposure": PLAIN,
    "and white balance": BALANCED,
    "and less noise": CALM,
    "and a lamp from the left": CALM | {"light.key": 0.6, "light.angle": -70},
    "or a warm one from the right": CALM
    | {"light.key": 0.6, "light.angle": 70, "light.warmth": 3200},
}
ACROSS = 3  # panels in a row


def main() -> None:
    arguments = picture_parser(__doc__).parse_args()
    frames = list(dim_frames())
    panels = [
        panel(shown(frames, {"engine.name": arguments.engine} | flags)[PART], label, HEIGHT)
        for label, flags in PANELS.items()
    ]
    rows = [np.hstack(panels[at : at + ACROSS]) for at in range(0, len(panels), ACROSS)]
    cv2.imwrite(str(arguments.output), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])


def dim_frames() -> Any:
    """The demo in a dim room, as a sensor sees it, with the noise of photons and of reading."""
    settings = load(flags={"source.spec": "demo", "source.size": "1280x720"})
    source = open_source(settings.source, paced=False)
    assert isinstance(source, DemoSource)
    chance = np.random.default_rng(1)
    for index in range(MOMENT + 1):
        light = LIGHT[source.image(index)] * DIM
        noise = chance.standard_normal(light.shape, np.float32)
        light += noise * np.sqrt(light / WELL + (READING / WELL) ** 2)
        yield Frame(np.rint(levels_of(light)).astype(np.uint8), index, index / source.fps)


def shown(frames: list[Frame], flags: dict[str, Any]) -> Image:
    """The last composite of the frames."""
    settings = load(flags={"source.spec": "demo", "background.current": "office"} | flags)
    processor = Processor(Live(settings), Stats(), wait=True)
    for frame in frames:
        image = processor.process(frame).image
    processor.close()
    return image


if __name__ == "__main__":
    main()
