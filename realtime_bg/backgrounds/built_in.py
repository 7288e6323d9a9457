"""The built-in scenes: pictures in the package, drawn by `scripts/draw_scenes.py`."""

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from realtime_bg.backgrounds.still import StillBackground
from realtime_bg.errors import BackgroundError, reason
from realtime_bg.frames import Image, Size
from realtime_bg.imaging.geometry import fit
from realtime_bg.settings import BackgroundSettings

USUAL: Size = (1280, 720)  # of a camera


class SceneBackground(StillBackground):
    """A built-in scene, which always fills the picture."""

    scene: ClassVar[str]  # the name of its file

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._image = _picture(Path(__file__).with_name(f"{self.scene}.webp"))
        if not wait:
            self.render(USUAL, 0.0)  # before a frame needs it

    def draw(self, size: Size) -> Image:
        return fit(self._image, size, "cover")


def _picture(path: Path) -> Image:
    """A picture of the package. Faster than `read_image`, which looks for more than pixels. Raises
    BackgroundError."""
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except OSError as error:
        raise BackgroundError(f"{path}: {reason(error)}; install the program again") from None
    if image is None:
        raise BackgroundError(f"{path}: damaged; install the program again")
    return image


class Beach(SceneBackground):
    """A beach with a palm at low sun."""

    scene = "beach"


class Office(SceneBackground):
    """An office with a window, shelves and a desk, out of focus."""

    scene = "office"


class Studio(SceneBackground):
    """A photographer's backdrop."""

    scene = "studio"


class Gradient(SceneBackground):
    """Soft colours that blend into each other."""

    scene = "gradient"
