"""The built-in scenes, drawn by code: no picture files, no licences, any size.

Every scene is laid out on a sheet of 1600x900 units and drawn at the requested size; sizes that are
not 16:9 show its middle. Colours are sRGB from 0 to 1 unless said otherwise.
"""

from abc import abstractmethod

import numpy as np

from realtime_bg.backgrounds._beach import beach
from realtime_bg.backgrounds._office import office
from realtime_bg.backgrounds.still import StillBackground
from realtime_bg.frames import Image, Size
from realtime_bg.imaging.drawing import (
    HEIGHTS,
    SHEET,
    Sheet,
    colour,
    noise,
)
from realtime_bg.imaging.geometry import fit, scaled_size
from realtime_bg.settings import BackgroundSettings

# ----------------------------------------------------------------------------------- beach


# ---------------------------------------------------------------------------------- office


# ------------------------------------------------------------------------ studio, gradient


def studio(sheet: Sheet) -> None:
    """A grey-blue backdrop that rolls into the floor, lit from behind the sitter."""
    sheet.mix(sheet.rows((0, "#2f353d"), (560, "#4b545f"), (720, "#525a64"), (900, "#3b4149")), 1.0)
    pool = sheet.near(800, 380, 640, 0.86)
    sheet.light("#aab9c8", 0.32 * pool)
    sheet.light("#dfe6ec", 0.13 * sheet.near(800, 340, 330, 0.95))
    mottle = noise(sheet.size, (4, 3), 5, 41) - 0.5
    weave = noise(sheet.size, (190, 110), 2, 42) - 0.5
    sheet.shade((1 + 0.15 * mottle + 0.022 * weave).astype(np.float32))
    sheet.light("#ffb27a", 0.10 * sheet.near(1560, 520, 560))
    sheet.light("#6fa8ff", 0.11 * sheet.near(40, 430, 560))
    sheet.vignette(0.42)


def gradient(sheet: Sheet) -> None:
    """Soft fields of colour that flow into each other."""
    fields = (
        (60, 20, "#2b2f77"),
        (620, -60, "#5b4fc4"),
        (1180, 40, "#9a6fd8"),
        (1620, 180, "#f0a3b5"),
        (-40, 520, "#2a5fa8"),
        (520, 430, "#5e7be0"),
        (1080, 480, "#c58bd8"),
        (1640, 640, "#ffc6a0"),
        (40, 930, "#2aa5b5"),
        (640, 960, "#66b4e2"),
        (1180, 930, "#e59ac0"),
        (1600, 960, "#ffb58f"),
    )
    x = sheet.x + 70 * np.sin(sheet.y / 210 + 0.5)
    y = sheet.y + 60 * np.sin(sheet.x / 320)
    total = np.zeros_like(sheet.pixels)
    weights = np.zeros(sheet.pixels.shape[:2], np.float32)
    for left, top, tint in fields:
        weight = np.exp(-((x - left) ** 2 + (y - top) ** 2) / 340.0**2).astype(np.float32) + 1e-6
        # Mixing in linear light keeps colours clear
        total += weight[..., None] * np.square(colour(tint))
        weights += weight
    sheet.pixels = np.sqrt(total / weights[..., None])
    ribbon = np.sin((sheet.x * 0.55 + sheet.y + 90 * np.sin(sheet.x / 380)) / 150).astype(
        np.float32
    )
    sheet.shade(1 + 0.035 * ribbon)


class DrawnBackground(StillBackground):
    """A built-in scene; deterministic."""

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        if not wait:
            self.render((1280, 720), 0.0)  # draw the usual size before a frame needs it

    @abstractmethod
    def paint(self, sheet: Sheet) -> None:
        """Draw the scene."""

    def draw(self, size: Size) -> Image:
        width, height = scaled_size(SHEET, size, "cover")
        scale = min(max(height, HEIGHTS[0]), HEIGHTS[1]) / height
        sheet = Sheet((max(1, round(width * scale)), max(1, round(height * scale))))
        self.paint(sheet)
        return fit(sheet.image(), size, "cover")


class Beach(DrawnBackground):
    """A beach with a palm at low sun."""

    def paint(self, sheet: Sheet) -> None:
        beach(sheet)


class Office(DrawnBackground):
    """An office with a window, shelves and a desk, out of focus."""

    def paint(self, sheet: Sheet) -> None:
        office(sheet)


class Studio(DrawnBackground):
    """A photographer's backdrop."""

    def paint(self, sheet: Sheet) -> None:
        studio(sheet)


class Gradient(DrawnBackground):
    """Soft colours that blend into each other."""

    def paint(self, sheet: Sheet) -> None:
        gradient(sheet)
