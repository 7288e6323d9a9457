"""A background plug-in: moving stripes. `stripes:WIDTH` sets their width in pixels.

A package offers it with an entry point; all commands and the web page then accept it::

    [project.entry-points."realtime_bg.backgrounds"]
    stripes = "your_package:Stripes"

    realtime-bg --background stripes:40
"""

import numpy as np

from realtime_bg.backgrounds.base import Background
from realtime_bg.errors import BackgroundError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.settings import BackgroundSettings
from realtime_bg.testing import BackgroundContract


class Stripes(Background):
    """Diagonal stripes that move by their width per second."""

    takes_target = target_is_safe = True

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        if not (target or "32").isdecimal() or not int(target or "32"):
            raise BackgroundError(f"stripes:{target}: give the width in pixels, as in stripes:40")
        self._width = int(target or "32")

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        x, y = np.arange(size[0]), np.arange(size[1])[:, None]
        dark = (x + y + int(time * self._width)) // self._width % 2
        colours = np.array([(200, 170, 90), (150, 110, 60)], np.uint8)
        return np.ascontiguousarray(colours[dark])


class TestStripes(BackgroundContract):
    """The contract's tests; run them with `pytest examples/plugin.py`."""

    def open(self, wait: bool) -> Background:
        return Stripes("8", BackgroundSettings(), wait)
