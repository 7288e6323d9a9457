"""Draw docs/only-me.jpg: somebody walks in behind the demo's person, and who is shown then.

python scripts/make_only_me_picture.py docs/only-me.jpg
"""

from typing import Any

import cv2
import numpy as np
from _arguments import picture_parser
from _demo import empty_room, opened, placed
from _labels import panel

from realtime_bg.frames import Frame, Image

ALONE, MOMENT = 50, 110  # indices of the demo's frames: the other one begins to come, and is seen
SIZES = 0.75, 0.6  # of the person and of the other one, as shares of the demo's person
PLACES = -0.16, 0.3  # where they are, in widths to the right of the middle
COAT = 90, 50  # grey levels by which red is above blue in the suit, and from there to all of it
HEIGHT = 270  # of each panel
PANELS: dict[str, dict[str, Any]] = {
    "camera": {"background.current": "none"},
    "subject.mode: all": {},
    "subject.mode: main": {"subject.mode": "main"},
}


def main() -> None:
    arguments = picture_parser(__doc__).parse_args()
    panels = [
        panel(shown({"engine.name": arguments.engine} | flags), label, HEIGHT)
        for label, flags in PANELS.items()
    ]
    cv2.imwrite(str(arguments.output), np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, 90])


def shown(flags: dict[str, Any]) -> Image:
    """The composite of the moment."""
    source, processor, _ = opened(flags)
    room = empty_room(source)
    for index in range(MOMENT):
        image, alpha = source.image(index), source.alpha(index)
        walked = min(1.0, max(0.0, (index - ALONE) / (MOMENT - ALONE) * 1.5))
        aside = PLACES[1] + (1 - walked) * 0.5
        other = cv2.flip(in_blue(image), 1)
        picture = placed(room, other, cv2.flip(alpha, 1), SIZES[1], aside)
        picture = placed(picture, image, alpha, SIZES[0], PLACES[0])
        composite = processor.process(Frame(picture, index, index / source.fps))
    processor.close()
    return composite.image


def in_blue(image: Image) -> Image:
    """The person in a suit of another colour."""
    red = cv2.subtract(image[..., 2], image[..., 0]).astype(np.float32)
    share = np.clip((red - COAT[0]) / COAT[1], 0, 1)
    return cv2.blendLinear(np.ascontiguousarray(image[..., ::-1]), image, share, 1 - share)


if __name__ == "__main__":
    main()
