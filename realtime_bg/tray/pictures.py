"""The pictures in the tray: the icon for each state, and thumbnails of backgrounds."""

import functools

import cv2
import numpy as np

from realtime_bg.backgrounds import classify, open_background
from realtime_bg.errors import RealtimeBgError
from realtime_bg.frames import Image, Size
from realtime_bg.settings import BackgroundSettings
from realtime_bg.tray.menu import State

SIDE = 64  # pixels; panels scale it
THUMBNAIL: Size = (48, 27)
COLOURS: dict[State, tuple[int, int, int]] = {  # RGB of the person
    "on": (46, 160, 67),
    "paused": (210, 153, 34),
    "off": (128, 128, 128),
    "problem": (207, 34, 46),
}


@functools.cache
def icon(state: State) -> bytes:
    """The icon, ``SIDE`` squared, as the desktop wants it: ARGB, big-endian."""
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(alpha, (32, 21), 13, 255, -1, cv2.LINE_AA)
    cv2.ellipse(alpha, (32, 62), (26, 25), 0, 180, 360, 255, -1, cv2.LINE_AA)
    picture = np.empty((SIDE, SIDE, 4), np.uint8)
    picture[:, :, 0], picture[:, :, 1:] = alpha, COLOURS[state]
    return picture.tobytes()


@functools.lru_cache(maxsize=64)
def thumbnail(spec: str) -> bytes:
    """A background as PNG; empty if it cannot be shown without a camera, or not at all."""
    try:
        if classify(spec)[0] in ("blur", "erase", "none"):
            return b""
        background = open_background(spec, BackgroundSettings(), True)
    except RealtimeBgError:
        return b""
    try:
        picture: Image = background.render(THUMBNAIL, 0.0)
        return cv2.imencode(".png", picture)[1].tobytes()
    except RealtimeBgError:
        return b""
    finally:
        background.close()
