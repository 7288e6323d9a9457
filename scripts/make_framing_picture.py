"""Draw docs/framing.jpg: the whole picture, and what auto-framing makes of it.

python scripts/make_framing_picture.py docs/framing.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _demo import empty_room, opened, placed
from _labels import panel

from realtime_bg.frames import Composite, Frame

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
        panel(shown({"engine.name": arguments.engine} | flags).image, label, HEIGHT)
        for label, flags in PANELS.items()
    ]
    cv2.imwrite(str(arguments.output), np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, 90])


def shown(flags: dict[str, Any]) -> Composite:
    """The composite of the moment, with the demo's person small and to the left."""
    source, processor, _ = opened(flags)
    room = empty_room(source)
    for index in range(MOMENT):
        image = placed(room, source.image(index), source.alpha(index), SHRUNK, ASIDE)
        composite = processor.process(Frame(image, index, index / source.fps))
    processor.close()
    return composite


if __name__ == "__main__":
    main()
