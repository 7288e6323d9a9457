"""Cut the people out of a photo, and place them in front of another background.

python examples/remove_background.py me.jpg cut-out.png beach.png
"""

import sys

from PIL import Image

import realtime_bg


def main(photo: str, cut_out: str, composite: str) -> None:
    """Write ``cut_out``, a PNG with transparency, and ``composite``."""
    picture = Image.open(photo)
    realtime_bg.remove(picture).save(cut_out)
    realtime_bg.remove(picture, background="beach").save(composite)


if __name__ == "__main__":
    main(*sys.argv[1:4])
