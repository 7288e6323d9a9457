"""Draw docs/framing.jpg: the whole picture, and what auto-framing makes of it.

python scripts/make_framing_picture.py docs/framing.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _labels import labelled

from realtime_bg.frames import Composite, Frame, Image
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

MOMENT = 120  # index of the demo's frame: the framing has come to rest
SHRUNK = 0.5  # the demo's person as somebody who sits further back
ASIDE = -0.16  # of the width, to the left
HEIGHT = 360  # of each panel
AUTO = {"frame.mode": "auto"}
PANELS: dict[str, dict[str, Any]] = {
    "off": {},
    "auto": AUTO,
    "auto, the room out of focus": AUTO | {"background.current": "blur:24:bokeh"},
    "auto, portrait": AUTO | {"frame.portrait": True},
}


def main() -> None:
    arguments = picture_parser(__doc__).parse_args()
    panels = [
        panel(shown({"engine.name": arguments.engine} | flags).image, label)
        for label, flags in PANELS.items()
    ]
    cv2.imwrite(str(arguments.output), np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, 90])


def shown(flags: dict[str, Any]) -> Composite:
    """The composite of the moment, with the demo's person small and to the left."""
    settings = load(flags={"source.spec": "demo", "background.current": "office"} | flags)
    source = open_source(settings.source, paced=False)
    assert isinstance(source, DemoSource)
    room = cv2.GaussianBlur(source.image(0)[:, :400], (0, 0), 12)
    room = cv2.resize(room, source.size)
    processor = Processor(Live(settings), Stats(), wait=True)
    for index in range(MOMENT):
        image = further_back(source.image(index), source.alpha(index), room)
        composite = processor.process(Frame(image, index, index / source.fps))
    processor.close()
    return composite


def further_back(image: Image, alpha: Any, room: Image) -> Image:
    """The person at half the size, with the feet at the lower edge."""
    height, width = alpha.shape
    move = np.array(
        [[SHRUNK, 0, width * (0.5 - SHRUNK / 2 + ASIDE)], [0, SHRUNK, height * (1 - SHRUNK)]]
    )
    person, mask = (cv2.warpAffine(one, move, (width, height)) for one in (image, alpha))
    return cv2.blendLinear(person, room, mask, 1 - mask)


def panel(image: Image, label: str) -> Image:
    """The picture at the height of a panel, with a line of text below."""
    width = round(image.shape[1] * HEIGHT / image.shape[0])
    part = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA)
    return labelled(part, label)


if __name__ == "__main__":
    main()
