"""A camera for those who have none: a portrait that moves in a drawn room, with known alpha.

The portrait is the astronaut Eileen Collins, a NASA photograph in the public domain that
scikit-image carries along. Everything is a function of the frame index alone, so two runs see
the same pixels, and `DemoSource.alpha` says what a perfect matte of each frame would be.
"""

import math
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds.blur import fill
from realtime_bg.backgrounds.drawn import SHEET, Points, Sheet, ellipse, noise, step
from realtime_bg.frames import Alpha, Frame, Image, Size
from realtime_bg.imaging.geometry import fit, scaled_size
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.base import Source

BOTTOM = 338  # row of a figure that rests on the lower edge of the frame
MIDDLE = 212  # column of a figure below its head
TALL = 0.80  # height of the person as a share of the frame's
GRAIN = 2.6  # standard deviation of the sensor noise, in levels of 255


@dataclass(frozen=True, slots=True)
class Figure:
    """A person on the grid of the portrait: colours without a room, and alpha.

    ``image`` BGR ``uint8 (352, w, 3)``, ``alpha`` ``float32 (352, w)``.
    """

    image: Image
    alpha: Alpha
    name: str


class DemoSource(Source):
    """An endless, deterministic talking-head scene; ``target`` is not used.

    Paced, it behaves like a camera: frames come by the clock and those that nobody took in
    time are skipped.
    """

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        super().__init__(target, settings, paced)
        self.live = paced
        self.size = settings.size or (1280, 720)
        self.fps = float(settings.fps or 30.0)
        figure = portrait() or drawn_figure()
        self.description = f"demo: {figure.name}, {self.size[0]}x{self.size[1]} at {self.fps:g} fps"
        self._room = Room(self.size)
        self._person, self._scale = _enlarged(figure, self.size)
        self._grain = _grain(self.size)
        self._closed = threading.Event()

    def __iter__(self) -> Generator[Frame, None, None]:
        start, index = time.monotonic(), 0
        while not self._closed.is_set():
            image, moment = self.image(index), index / self.fps
            if self.paced:
                if self._closed.wait(max(0.0, start + moment - time.monotonic())):
                    return
                moment = time.monotonic()
            yield Frame(image, index, moment)
            missed = int((time.monotonic() - start) * self.fps) if self.paced else 0
            index = max(index + 1, missed)

    def close(self) -> None:
        self._closed.set()

    def image(self, index: int) -> Image:
        """Frame ``index``: BGR ``uint8 (H, W, 3)``."""
        image = self._room.image(index / self.fps)
        place, person = self._placed(index)
        if person is not None:
            part = image[place]
            blue, green, red, alpha = cv2.split(person)
            room_share = cv2.bitwise_not(cv2.merge([alpha] * 3))
            colours = cv2.merge([blue, green, red])
            cv2.add(cv2.multiply(part, room_share, scale=1 / 255), colours, dst=part)
        width, height = self.size
        left, top = 7919 * index % 33, 104729 * index // 8 % 33
        lighter, darker = (g[top : top + height, left : left + width] for g in self._grain)
        return cv2.subtract(cv2.add(image, lighter), darker)

    def alpha(self, index: int) -> Alpha:
        """The truth about frame ``index``: ``float32 (H, W)`` in [0, 1], exact to 1/255."""
        alpha = np.zeros((self.size[1], self.size[0]), np.float32)
        place, person = self._placed(index)
        if person is not None:
            alpha[place] = person[..., 3] * np.float32(1 / 255)
        return alpha

    def _placed(self, index: int) -> tuple[tuple[slice, slice], Image | None]:
        """Where the person is in a frame, and BGRA ``uint8``, premultiplied, for that place."""
        width, height = self.size
        matrix = self._pose(index / self.fps)
        rows, columns = self._person.shape[:2]
        corners = (
            np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1]]) @ matrix.T
        )
        left, top = np.clip(np.floor(corners.min(0)), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(0)) + 1, 0, (width, height)).astype(int)
        place = slice(top, bottom), slice(left, right)
        if right <= left or bottom <= top:
            return place, None
        matrix[:, 2] -= left, top
        return place, cv2.warpAffine(self._person, matrix, (right - left, bottom - top))

    def _pose(self, seconds: float) -> NDArray[np.float64]:
        """Sway, lean and breath: the matrix (2, 3) from the enlarged figure to the frame."""

        def wave(period: float, phase: float = 0.0) -> float:
            return math.sin(2 * math.pi * seconds / period + phase)

        width, height = self.size
        matrix = cv2.getRotationMatrix2D(
            (MIDDLE * self._scale, BOTTOM * self._scale),
            1.5 * wave(7.3, 0.4) + 0.6 * wave(2.9),
            1 + 0.025 * wave(9.7) + 0.004 * wave(3.7),
        )
        matrix[0, 2] += (
            width * (0.5 + 0.035 * wave(7.3) + 0.012 * wave(3.1, 1)) - MIDDLE * self._scale
        )
        matrix[1, 2] += height - BOTTOM * self._scale
        return matrix


def _enlarged(figure: Figure, size: Size) -> tuple[Image, float]:
    """The figure as large as it is shown, BGRA ``uint8`` premultiplied, and its scale."""
    rows, columns = figure.alpha.shape
    scale = min(TALL * size[1] / (BOTTOM - 15), 0.95 * size[0] / columns)
    shape = max(1, round(columns * scale)), max(1, round(rows * scale))
    how = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA
    image = cv2.resize(figure.image, shape, interpolation=how).astype(np.float32)
    alpha = cv2.resize(figure.alpha, shape, interpolation=how)[..., None].clip(0, 1)
    if scale > 1:
        image += 0.6 * (image - cv2.GaussianBlur(image, (0, 0), 0.8 * scale))
    person = np.concatenate([image.clip(0, 255) * alpha, 255 * alpha], axis=-1)
    return np.rint(person).astype(np.uint8), scale


def _grain(size: Size) -> tuple[Image, Image]:
    """Sensor noise as what is to be added and what to be taken away, a little over ``size``."""
    rng = np.random.default_rng(2)
    shape = (size[1] + 32, size[0] + 32, 3)
    grain = np.rint(rng.standard_normal(shape, np.float32) * np.float32(GRAIN))
    return grain.clip(0, 255).astype(np.uint8), (-grain).clip(0, 255).astype(np.uint8)


# ------------------------------------------------------------------------------- the person

# The astronaut's outline in her picture, by hand, from the left sleeve over the head to the
# right one. The suit has hard edges; along the head it only says where to look for them.
_OUTLINE = (
    (25, 352),
    (25, 341),
    (30, 330),
    (33, 318),
    (40, 300),
    (41, 293),
    (46, 280),
    (54, 265),
    (60, 253),
    (68, 244),
    (76, 237),
    (90, 229),
    (99, 220),
    (108, 210),
    (114, 205),
    (113, 200),
    (115, 190),
    (112, 186),
    (115, 184),
    (120, 183),
    (122, 176),
    (128, 166),
    (136, 157),
    (148, 151),
    (165, 148),
    (183, 148),
    (183, 140),
    (182, 133),
    (177, 131),
    (173, 127),
    (170, 121),
    (168, 116),
    (164, 112),
    (160, 108),
    (157, 103),
    (155, 95),
    (154, 87),
    (153, 78),
    (153, 70),
    (154, 64),
    (156, 59),
    (160, 54),
    (166, 49),
    (173, 43),
    (181, 38),
    (188, 34),
    (190, 31),
    (196, 26),
    (203, 22),
    (212, 19),
    (222, 17),
    (230, 15),
    (237, 15),
    (244, 17),
    (251, 20),
    (258, 23),
    (266, 27),
    (274, 31),
    (281, 36),
    (287, 41),
    (291, 47),
    (295, 55),
    (297, 62),
    (299, 70),
    (301, 78),
    (302, 85),
    (301, 92),
    (300, 100),
    (297, 108),
    (292, 115),
    (286, 121),
    (281, 127),
    (278, 132),
    (275, 135),
    (271, 137),
    (268, 137),
    (267, 138),
    (266, 144),
    (263, 150),
    (259, 160),
    (256, 172),
    (268, 181),
    (282, 193),
    (296, 213),
    (303, 230),
    (305, 236),
    (320, 242),
    (334, 256),
    (341, 264),
    (347, 277),
    (350, 284),
    (353, 292),
    (356, 305),
    (357, 320),
    (360, 326),
    (363, 334),
    (360, 336),
    (361, 345),
    (366, 352),
)
_HEAD_END = 146  # row; above it the edge is hair and skin before a plain backdrop


def portrait() -> Figure | None:
    """The astronaut cut out of her picture; None without scikit-image."""
    path = _astronaut()
    picture = None if path is None else cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None or picture.shape != (512, 512, 3):
        return None
    shown: Image = picture[:352, :400].astype(np.uint8)
    hard = cv2.GaussianBlur(_inside(_OUTLINE, shown.shape), (0, 0), 0.6)
    alpha = np.where(np.arange(352)[:, None] < _HEAD_END, _hair_alpha(shown), hard)
    alpha = alpha.astype(np.float32)
    return Figure(_cleaned(shown, alpha), alpha, "a portrait")


def _cleaned(picture: Image, alpha: Alpha) -> Image:
    """``picture`` without the old room, which is mixed into the colours along the edge: they
    are taken from a little further in."""
    sure = (cv2.erode(alpha, np.ones((3, 3), np.uint8)) > 0.97).astype(np.float32)
    return np.where(sure[..., None] > 0, picture, fill(picture, sure))


def _astronaut() -> Path | None:
    """The picture's file. Not through `skimage.data`, which may download what is missing."""
    try:
        spec = find_spec("skimage")
    except ValueError:
        return None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / "astronaut.png"
    return path if path.is_file() else None


def _inside(outline: Points, shape: tuple[int, ...]) -> Alpha:
    """1 inside a polygon, 0 outside, smooth between: ``float32 (H, W)``."""
    mask = np.zeros(shape[:2], np.uint8)
    points = np.rint(np.array(outline) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    return mask / np.float32(255)  # type: ignore[return-value]


def _hair_alpha(picture: Image) -> Alpha:
    """Alpha along the head, from where each pixel lies between the colours on both sides."""
    rough = _inside(_OUTLINE, picture.shape)
    inner = cv2.erode(rough, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11)))
    outer = cv2.dilate(rough, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11)))
    person = fill(picture, (inner > 0.5).astype(np.float32)).astype(np.float32)
    room = fill(picture, (outer < 0.5).astype(np.float32)).astype(np.float32)
    across = person - room
    share = ((picture - room) * across).sum(-1) / np.maximum((across**2).sum(-1), 1.0)
    # Bright strands look like the backdrop: half of the say is the hand-drawn line's.
    alpha = step(0.5 * share.clip(0, 1) + 0.5 * cv2.GaussianBlur(rough, (0, 0), 1.6), 0.25, 0.7)
    return np.where(inner > 0.5, 1, np.where(outer < 0.5, 0, alpha)).astype(np.float32)


_LOCKS = ((177, 260), (162, 450), (-162, 450), (-177, 260))  # hair at both sides of the face


def drawn_figure() -> Figure:
    """A simple person, for installations without the portrait."""
    sheets = Sheet((900, 704)), Sheet((900, 704))
    skin, dark, shirt, hair = "#e0ac8a", "#c98f6d", "#3f6f8f", "#4a3328"
    middle = MIDDLE / 352 * 900
    outline: list[tuple[Points, str]] = [
        (ellipse(middle, 250, 178, 212), hair),
        ([(middle - side, y) for side, y in _LOCKS], hair),
        (ellipse(middle, 960, 520, 410), shirt),
        ([(middle - 76, 400), (middle + 76, 400), (middle + 96, 560), (middle - 96, 560)], dark),
        (ellipse(middle, 560, 96, 44), dark),
        (ellipse(middle, 280, 138, 178), skin),
    ]
    for shape, tint in outline:
        sheets[0].polygons([shape], tint, 1, 2)
        sheets[1].polygons([shape], "#ffffff", 1, 2)
    colours = sheets[0]
    colours.polygons([ellipse(middle - 40, 130, 130, 62, -0.35)], hair, 1, 3)
    colours.polygons([ellipse(middle + 70, 130, 84, 54, 0.6)], hair, 1, 3)
    for side in (-1, 1):
        x = middle + side * 56
        colours.polygons([ellipse(x, 262, 21, 12)], "#fbf7f2", 1, 1)
        colours.polygons([ellipse(x, 262, 10, 11)], "#3a2a20", 1, 1)
        colours.polygons([ellipse(x, 228, 30, 6, side * 0.06)], hair, 0.9, 1)
        colours.polygons([ellipse(middle + side * 76, 330, 32, 22)], "#e08f78", 0.35, 12)
    colours.polygons([ellipse(middle, 318, 16, 10)], dark, 0.8, 4)
    bow = np.linspace(-1, 1, 17)
    lips = np.stack([50 * np.append(bow, -bow), np.append(26 - 26 * bow**2, 5 - 5 * bow**2)], 1)
    mouth = [(x, y) for x, y in lips]
    teeth = [(0.84 * x, 1.5 + 0.6 * y) for x, y in mouth]
    for shape, tint in ((mouth, "#b4564f"), (teeth, "#fbf3ee")):
        colours.polygons([[(middle + x, 368 + y) for x, y in shape]], tint, 1, 1)
    colours.shade(
        (1.08 - 0.25 * step(colours.x, middle - 200, middle + 420)) * np.ones_like(colours.y)
    )
    small = cv2.resize(colours.image(), (450, 352), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(sheets[1].pixels[..., 0], (450, 352), interpolation=cv2.INTER_AREA)
    alpha = inside.clip(0, 1).astype(np.float32)
    name = "a drawn figure (scikit-image brings a portrait)"
    return Figure(_cleaned(small.astype(np.uint8), alpha), alpha, name)


# --------------------------------------------------------------------------------- the room


class Room:
    """A room with daylight that comes and goes, a clock that runs and a plant in a draught."""

    def __init__(self, size: Size) -> None:
        self.size = size
        shape = scaled_size(SHEET, size, "cover")
        bright, dim = Sheet(shape), Sheet(shape)
        _furnish(bright)
        dim.pixels = bright.pixels * np.array([0.80, 0.74, 0.70], np.float32)
        _daylight(bright)
        # Where the sheet's origin lies in the frame, and how large its unit is there.
        self.unit = bright.unit
        self.origin = (size[0] - shape[0]) / 2, (size[1] - shape[1]) / 2
        self._bright = fit(bright.image(), size, "cover")
        self._dim = fit(dim.image(), size, "cover")

    def image(self, seconds: float) -> Image:
        """The room at a moment: BGR ``uint8 (H, W, 3)``, a new array."""
        share = 0.55 + 0.3 * math.sin(seconds * 0.9) + 0.15 * math.sin(seconds * 2.3 + 1)
        image: Image = cv2.addWeighted(self._bright, share, self._dim, 1 - share, 0)
        self._clock(image, seconds)
        self._plant(image, seconds)
        return image

    def _pixels(self, points: Points) -> NDArray[np.int32]:
        """Sheet units to pixels times 16, OpenCV's fixed point."""
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
