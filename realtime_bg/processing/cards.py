"""The card that is shown when nothing else is safe to show: a dark picture with a line of text."""

from functools import lru_cache

import cv2
import numpy as np

from realtime_bg.frames import Image, Size


def drawable(text: str) -> str:
    """``text`` with everything that OpenCV's fonts do not have as ``?``. Text that is not valid
    Unicode, such as a file name in another encoding, would crash OpenCV."""
    return text.encode("ascii", "replace").decode()


@lru_cache(maxsize=8)
def card(size: Size, text: str) -> Image:
    """A dark card at ``size`` with ``text`` in its middle, BGR ``uint8 (H, W, 3)``."""
    text = drawable(text)
    width, height = size
    shade = np.linspace(58, 30, height, dtype=np.float32)[:, None, None]
    image = np.ascontiguousarray(
        np.broadcast_to(shade * np.array([1.1, 0.95, 0.85]), (height, width, 3)).astype(np.uint8)
    )
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 1.0
    (wide, tall), _ = cv2.getTextSize(text, font, scale, 2)
    scale = max(0.1, min(width * 0.7 / max(wide, 1), height * 0.08 / max(tall, 1)))
    (wide, tall), _ = cv2.getTextSize(text, font, scale, 1)
    place = (width - wide) // 2, (height + tall) // 2
    thickness = max(1, round(scale * 1.6))
    cv2.putText(image, text, place, font, scale, (225, 225, 225), thickness, cv2.LINE_AA)
    image.flags.writeable = False
    return image
