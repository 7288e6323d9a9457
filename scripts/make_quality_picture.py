"""Draw docs/quality.jpg: an edge of the demo's person, before and after each refinement.

python scripts/make_quality_picture.py docs/quality.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _labels import labelled

from realtime_bg.frames import Image
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.stats import Stats

MOMENT = 45  # index of the demo's frame
CROP = 525, 120, 180, 240  # left, top, width and height
ZOOM = 2
OFF = {"refine.steady": 0, "refine.levels": (0, 1), "refine.decontaminate": False}
PANELS: dict[str, dict[str, Any]] = {
    "the network's alpha, enlarged": OFF,
    "+ narrower edges (levels)": {**OFF, "refine.levels": (0.04, 0.96)},
    "+ no colour of the old room": {},
    "+ light wrap (option)": {"harmonise.light_wrap": 0.7},
}


def main() -> None:
    parser = picture_parser(__doc__)
    parser.add_argument("--background", default="#1c2a3a")
    arguments = parser.parse_args()
    panels: list[Image] = []
    for label, flags in PANELS.items():
        common = {
            "source.spec": "demo",
            "engine.name": arguments.engine,
            "background.current": arguments.background,
        }
        settings = load(flags=common | flags)
        processor = Processor(Live(settings), Stats(), wait=True)
        for frame in open_source(settings.source, paced=False):
            composite = processor.process(frame)
            if frame.index == MOMENT:
                break
        processor.close()
        if not panels:
            panels.append(panel(frame.image, "the camera's picture"))
        panels.append(panel(composite.image, label))
    cv2.imwrite(str(arguments.output), np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, 92])


def panel(image: Image, label: str) -> Image:
    """Return the crop, enlarged, with a line of text below."""
    left, top, width, height = CROP
    part = image[top : top + height, left : left + width]
    part = cv2.resize(part, (ZOOM * width, ZOOM * height), interpolation=cv2.INTER_CUBIC)
    return labelled(part, label)


if __name__ == "__main__":
    main()
