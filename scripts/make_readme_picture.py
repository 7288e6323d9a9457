"""Draw the README's image: a frame of the demo, and its composites over two backgrounds.

python scripts/make_readme_picture.py docs/before-after.jpg

The network runs at the size for files (`engine.quality: fine`). At the smallest size for live use,
256x144, it takes a part of the picture on the demo's wall, right beside the hair, for hair.
"""

import cv2
import numpy as np
from _arguments import picture_parser

from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.stats import Stats

MOMENT = 45  # index of the demo's frame
WIDTH = 1500
BACKGROUNDS = ("beach", "office")


def main() -> None:
    arguments = picture_parser(__doc__).parse_args()
    settings = load(
        flags={
            "source.spec": "demo",
            "engine.name": arguments.engine,
            "engine.quality": "fine",
            "background.current": BACKGROUNDS[0],
        }
    )
    live = Live(settings)
    processor = Processor(live, Stats(), wait=True)
    for frame in open_source(settings.source, paced=False):
        composite = processor.process(frame)
        if frame.index == MOMENT:
            break
    panels = [frame.image, composite.image]
    for background in BACKGROUNDS[1:]:
        live.update(background__current=background)
        panels.append(processor.process(frame).image)
    height, width = frame.image.shape[:2]
    crop = (width - height) // 2
    picture = np.hstack([panel[:, crop : crop + height] for panel in panels])
    size = WIDTH, round(WIDTH * picture.shape[0] / picture.shape[1])
    cv2.imwrite(
        str(arguments.output),
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA),
        [cv2.IMWRITE_JPEG_QUALITY, 88],
    )


if __name__ == "__main__":
    main()
