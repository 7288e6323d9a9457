"""The room in the demo, furnished and lit by changing daylight."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Image, Size
from realtime_bg.imaging.drawing import SHEET, Points, Sheet, ellipse, noise, step
from realtime_bg.imaging.geometry import fit, scaled_size


class Room:
    """A room with changing daylight, a running clock and a plant that sways in a draught."""

    def __init__(self, size: Size) -> None:
        self.size = size
        shape = scaled_size(SHEET, size, "cover")
        bright, dim = Sheet(shape), Sheet(shape)
        _furnish(bright)
        dim.pixels = bright.pixels * np.array([0.80, 0.74, 0.70], np.float32)
        _daylight(bright)
        # The position of the sheet's origin in the frame, and the size of its unit.
        self.unit = bright.unit
        self.origin = (size[0] - shape[0]) / 2, (size[1] - shape[1]) / 2
        self._bright = fit(bright.image(), size, "cover")
        self._dim = fit(dim.image(), size, "cover")

    def image(self, seconds: float) -> Image:
        """The room at a given time: BGR ``uint8 (H, W, 3)``, a new array."""
        share = 0.55 + 0.3 * math.sin(seconds * 0.9) + 0.15 * math.sin(seconds * 2.3 + 1)
        image: Image = cv2.addWeighted(self._bright, share, self._dim, 1 - share, 0)
        self._clock(image, seconds)
        self._plant(image, seconds)
        return image

    def _pixels(self, points: Points) -> NDArray[np.int32]:
        """Convert sheet units to pixels times 16, OpenCV's fixed-point format."""
        pixels = np.array(points) * self.unit + self.origin
        return np.rint(pixels * 16).astype(np.int32)

    def _clock(self, image: Image, seconds: float) -> None:
        x, y = 440.0, 150.0
        minutes = 10 * 60 + 9 + seconds / 60
        for turn, length, width, tint in (
            (minutes / 720, 30, 5, (40, 36, 34)),
            (minutes / 60, 46, 4, (40, 36, 34)),
            (math.floor(seconds * 2) / 120, 50, 2, (40, 50, 190)),
        ):
            angle = 2 * math.pi * turn
            tip = x + length * math.sin(angle), y - length * math.cos(angle)
            line = self._pixels([(x, y), tip])
            thickness = max(1, round(width * self.unit))
            cv2.polylines(image, [line], False, tint, thickness, cv2.LINE_AA, 4)

    def _plant(self, image: Image, seconds: float) -> None:
        for number in range(9):
            turn = -math.pi / 2 + 0.26 * (number - 4)
            turn += 0.09 * math.sin(seconds * 1.7 + number) + 0.05 * math.sin(seconds * 0.8)
            length = 128 - 6 * abs(number - 4)
            x, y = 214 + length * 0.5 * math.cos(turn), 268 + length * 0.5 * math.sin(turn)
            leaf = self._pixels(ellipse(x, y, length / 2, 13, turn))
            tint = ((58, 92, 52), (66, 116, 70), (82, 138, 98))[number % 3]
            cv2.fillPoly(image, [leaf], tint, cv2.LINE_AA, 4)


def _furnish(sheet: Sheet) -> None:
    sheet.mix("#d8cec3", 1.0)
    rng = np.random.default_rng(7)
    for row in range(20):  # painted bricks
        for column in range(-1, 18):
            x = 96 * column + 48 * (row % 2)
            sheet.box(
                x, 34 * row, 92, 30, str(rng.choice(["#c9b6a4", "#c2ad9b", "#cfbfae", "#bda592"]))
            )
            sheet.box(x, 34 * row + 26, 92, 4, "#7d6a5c", 0.25)
    rough = noise(sheet.size, (220, 124), 3, 51) - 0.5
    sheet.shade((1 + 0.13 * rough).astype(np.float32))
    _window(sheet)
    sheet.polygons([ellipse(446, 158, 74, 74)], "#2b2320", 0.4, 9)
    sheet.polygons([ellipse(440, 150, 72, 72)], "#3b3836")
    sheet.polygons([ellipse(440, 150, 63, 63)], "#f3efe6")
    for hour in range(12):
        angle = hour * np.pi / 6
        sheet.polygons(
            [ellipse(440 + 54 * np.sin(angle), 150 - 54 * np.cos(angle), 3, 3)], "#3b3836"
        )
    sheet.box(74, 362, 420, 22, "#2b2320", 0.4, 10)  # a shelf
    sheet.box(70, 340, 420, 18, "#7c5636")
    sheet.box(70, 340, 420, 4, "#b98a5c")
    sheet.polygons([[(180, 262), (248, 262), (238, 340), (190, 340)]], "#e8e0d2")
    sheet.polygons([[(220, 262), (248, 262), (238, 340), (224, 340)]], "#a89c8c", 0.5, 5)
    place = 296.0
    while place < 450.0:
        width, height = rng.uniform(14, 30), rng.uniform(66, 104)
        sheet.box(
            place,
            340 - height,
            width,
            height,
            str(rng.choice(["#39566b", "#a8543c", "#d6b25e", "#6f7f5c", "#7b5a73"])),
        )
        sheet.box(place + 3, 350 - height, width - 6, 5, "#f0e4c8", 0.6)
        place += width
    sheet.box(96, 296, 64, 44, "#9a4f3a")
    sheet.polygons([ellipse(128, 318, 15, 15)], "#e8dcc6")
    sheet.box(948, 84, 134, 180, "#221c19", 0.35, 8)  # a print
    sheet.box(942, 76, 134, 180, "#2f2a28")
    sheet.box(952, 86, 114, 160, "#efe7d8")
    sheet.polygons([ellipse(1009, 146, 34, 34)], "#d0704a")
    sheet.polygons([[(952, 246), (952, 206), (1000, 170), (1066, 214), (1066, 246)]], "#48676c")
    _sofa(sheet, rng)


def _window(sheet: Sheet) -> None:
    sheet.box(1172, 60, 372, 500, "#f2ece2")
    sheet.box(1192, 80, 332, 460, "#cfe3ee")
    for top in range(80, 540, 23):
        sheet.box(1192, top, 332, 14, "#f4eee2")
        sheet.box(1192, top + 11, 332, 3, "#b7ab9a")
    sheet.box(1353, 80, 10, 460, "#f2ece2")
    sheet.box(1156, 556, 404, 22, "#f7f2ea")
    sheet.box(1156, 578, 404, 14, "#4a3d34", 0.4, 7)


def _sofa(sheet: Sheet, rng: np.random.Generator) -> None:
    sheet.box(0, 680, 1600, 220, "#6b5442")
    sheet.box(110, 590, 1390, 330, "#2a211c", 0.45, 26)
    back = [
        (120, 900),
        (120, 640),
        (150, 596),
        (220, 584),
        (1380, 584),
        (1450, 596),
        (1480, 640),
        (1480, 900),
    ]
    sheet.polygons([back], "#3f5d63", 1, 1)
    for x in (566, 1034):
        sheet.box(x, 590, 6, 320, "#20343a", 0.7, 3)
    sheet.box(150, 588, 1300, 10, "#6d8d92", 0.6, 4)
    weave = noise(sheet.size, (400, 225), 2, 52) - 0.5
    sheet.shade((1 + 0.12 * weave * step(sheet.y, 580, 590)).astype(np.float32))
    for x, tint in ((250, "#d3a145"), (1300, "#b9c4c0")):
        turn = rng.uniform(-0.2, 0.2)
        circle = np.array(ellipse(0, 0, 1, 1))
        square = 92 * np.sign(circle) * np.abs(circle) ** 0.4
        cos, sin = np.cos(turn), np.sin(turn)
        cushion = square @ np.array([[cos, sin], [-sin, cos]]) + (x, 720)
        sheet.polygons([[tuple(p) for p in cushion + np.array([8, 12])]], "#16262a", 0.5, 14)
        sheet.polygons([[tuple(p) for p in cushion]], tint, 1, 1.5)


def _daylight(sheet: Sheet) -> None:
    """Sun through the blinds: a glow, and stripes across the wall."""
    stripes = step(np.sin((sheet.y + 0.35 * sheet.x) / 9.5).astype(np.float32), -0.2, 0.5)
    across = sheet.x + 0.2 * sheet.y
    patch = step(across, 560, 640) * (1 - step(across, 1040, 1130))
    patch = patch * step(sheet.y, 130, 190) * (1 - step(sheet.y, 520, 580))
    sheet.shade(1 + 0.22 * stripes * patch)
    sheet.light("#ffe2b4", 0.15 * sheet.near(1360, 300, 520))
