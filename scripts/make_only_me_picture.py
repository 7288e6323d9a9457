"""Draw docs/only-me.jpg: somebody walks in behind the demo's person, and who is shown then.

python scripts/make_only_me_picture.py docs/only-me.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _labels import labelled

from realtime_bg.frames import Alpha, Frame, Image
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources import open_source
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

ALONE, MOMENT = 50, 110  # indices of the demo's frames: the other one begins to come, and is seen
SIZES = 0.75, 0.6  # of the person and of the other one, as shares of the demo's person
PLACES = -0.16, 0.3  # where they are, in widths to the right of the middle
COAT = 90, 50  # grey levels by which red is above blue in the suit, and from there to all of it
WIDTH = 480  # of each panel
PANELS: dict[str, dict[str, Any]] = {
    "camera": {"background.current": "none"},
    "subject.mode: all": {},
    "subject.mode: main": {"subject.mode": "main"},
}


def main() -> None:
    arguments = picture_parser(__doc__).parse_args()
    panels = [
        labelled(shown({"engine.name": arguments.engine} | flags), label)
        for label, flags in PANELS.items()
    ]
    cv2.imwrite(str(arguments.output), np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, 90])


def shown(flags: dict[str, Any]) -> Image:
    """The composite of the moment, at the size of a panel."""
    settings = load(flags={"source.spec": "demo", "background.current": "office"} | flags)
    source = open_source(settings.source, paced=False)
    assert isinstance(source, DemoSource)
    room = cv2.resize(cv2.GaussianBlur(source.image(0)[:, :400], (0, 0), 12), source.size)
    processor = Processor(Live(settings), Stats(), wait=True)
    for index in range(MOMENT):
        image, alpha = source.image(index), source.alpha(index)
        walked = min(1.0, max(0.0, (index - ALONE) / (MOMENT - ALONE) * 1.5))
        aside = PLACES[1] + (1 - walked) * 0.5
        other = cv2.flip(in_blue(image), 1)
        picture = put(room, other, cv2.flip(alpha, 1), 1, aside)
        picture = put(picture, image, alpha, 0, PLACES[0])
        composite = processor.process(Frame(picture, index, index / source.fps))
    processor.close()
    height = round(WIDTH * composite.image.shape[0] / composite.image.shape[1])
    return cv2.resize(composite.image, (WIDTH, height), interpolation=cv2.INTER_AREA)


def in_blue(image: Image) -> Image:
    """The person in a suit of another colour."""
    red = cv2.subtract(image[..., 2], image[..., 0]).astype(np.float32)
    share = np.clip((red - COAT[0]) / COAT[1], 0, 1)
    return cv2.blendLinear(np.ascontiguousarray(image[..., ::-1]), image, share, 1 - share)


def put(room: Image, image: Image, alpha: Alpha, which: int, aside: float) -> Image:
    """One of the two people in front of a room, standing on the lower edge."""
    height, width = alpha.shape
    size = SIZES[which]
    move = np.array([[size, 0, width * (0.5 - size / 2 + aside)], [0, size, height * (1 - size)]])
    person, mask = (cv2.warpAffine(one, move, (width, height)) for one in (image, alpha))
    return cv2.blendLinear(person, room, mask, 1 - mask)


if __name__ == "__main__":
    main()
