"""A line of text as a picture with transparency."""

from pathlib import Path

import cv2
import numpy as np

from realtime_bg.errors import SourceError, reason
from realtime_bg.media.sprites import Pixels

FILLED = 0.62  # height of the letters relative to that of the line
SIDE = 0.3  # margin at the left and right, relative to the height of the line
MOST = 3_000_000  # pixels; drawing more would hold up a live picture
ROUND = 0.18  # radius of the plate's corners, relative to the height of the line


def lettering(
    text: str, height: int, colour: tuple[int, int, int], plate: float, font: Path | None
) -> Pixels:
    """The text ``height`` pixels high, BGRA ``uint8 (height, w, 4)``, on a dark plate with the
    opacity ``plate``. ``colour``: BGR. ``font``: a TrueType or OpenType file; None: the built-in
    one, which has Latin letters. Raises SourceError."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(4.0, height * FILLED)
    try:
        face = ImageFont.load_default(size) if font is None else ImageFont.truetype(font, size)
        length = face.getlength(text)
    except (OSError, ValueError) as error:
        raise SourceError(f"{font}: is no font ({reason(error)}); give a .ttf or .otf") from None
    margin = height * SIDE
    width = max(1, round(length + 2 * margin))
    if width * height > MOST:
        raise SourceError("its text is too long for its size; shorten it or give a smaller scale")
    letters = Image.new("L", (width, height))
    ImageDraw.Draw(letters).text((margin, height / 2), text, 255, face, anchor="lm")
    ground = Image.new("L", (width, height))
    ImageDraw.Draw(ground).rounded_rectangle(
        (0, 0, width - 1, height - 1), height * ROUND, round(plate * 255)
    )
    share = np.asarray(letters, np.float32)[..., None] / 255
    under = np.asarray(ground, np.float32)[..., None] / 255
    alpha = share + under * (1 - share)
    # The plate is black, so only the letters have a colour.
    colours = np.array(colour, np.float32) * share / np.maximum(alpha, 1 / 255)
    layer = np.dstack([np.clip(colours, 0, 255), alpha * 255])
    return cv2.convertScaleAbs(np.rint(layer))
