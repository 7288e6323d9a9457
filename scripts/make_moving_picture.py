"""Make the moving picture of docs/index.md: the demo before, and then over several backgrounds.

python scripts/make_moving_picture.py docs/moving-picture.webp

Every picture is one that the program puts out: the demo's frames are matted in a row by the engine
at the size for files (`engine.quality: fine`), and each matte is composited over the background of
that moment. While the background changes, a line sweeps over two composites of the same matte.
Writes an animated WebP that repeats forever, and prints its size.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from _arguments import picture_parser
from PIL import Image as Pictures

from realtime_bg.frames import Image
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats

SIZE = 560, 316  # pixels
FPS = 12.5  # of the demo; WebP states durations in whole milliseconds
EACH = 18  # frames between two changes of the background
SWEEP = 6  # frames of each change
BACKGROUNDS = ("none", "beach", "office", "blur", "studio")  # "none" is the camera's picture


def pictures(engine: str) -> Iterator[Image]:
    """Yield the frames of the clip, BGR ``uint8``, at the demo's size."""
    settings = load(
        flags={
            "source.spec": "demo",
            "source.fps": FPS,
            "engine.name": engine,
            "engine.quality": "fine",
            "background.current": BACKGROUNDS[0],
        }
    )
    live = Live(settings)
    processor = Processor(live, Stats(), wait=True)
    source = DemoSource("", settings.source, paced=False)
    for frame in source:
        if frame.index == EACH * len(BACKGROUNDS):
            break
        turn, since = divmod(frame.index, EACH)
        item = processor.matte(frame)
        live.update(background__current=BACKGROUNDS[turn])
        picture = processor.compose(item).image
        left = EACH - since  # frames of this background that are still to come
        if left <= SWEEP:
            live.update(background__current=BACKGROUNDS[(turn + 1) % len(BACKGROUNDS)])
            column = round(picture.shape[1] * (SWEEP - left + 1) / (SWEEP + 1))
            picture = np.hstack([processor.compose(item).image[:, :column], picture[:, column:]])
            cv2.line(picture, (column, 0), (column, picture.shape[0]), (255, 255, 255), 4)
        yield picture
    processor.close()


def main() -> None:
    parser = picture_parser(__doc__)
    parser.add_argument("--quality", type=int, default=55, help="of WebP, 0 to 100")
    arguments = parser.parse_args()
    small = [
        cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)
        for picture in pictures(arguments.engine)
    ]
    first, *others = [Pictures.fromarray(cv2.cvtColor(p, cv2.COLOR_BGR2RGB)) for p in small]
    first.save(
        arguments.output,
        save_all=True,
        append_images=others,
        duration=round(1000 / FPS),
        loop=0,
        quality=arguments.quality,
        method=6,
    )
    print(f"{len(small)} pictures, {arguments.output.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
