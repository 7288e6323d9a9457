"""The built-in backgrounds, drawn by code: no picture files, no licences, any size.

Every scene is laid out on a sheet of 1600x900 units and drawn at the size it is needed in;
other shapes than 16:9 show its middle. Colours are sRGB from 0 to 1 unless said otherwise.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds.still import StillBackground
from realtime_bg.frames import Image, Size
from realtime_bg.imaging.drawing import (
    HEIGHTS,
    SHEET,
    Map,
    Points,
    Sheet,
    colour,
    ellipse,
    noise,
    step,
)
from realtime_bg.imaging.geometry import fit, scaled_size
from realtime_bg.settings import BackgroundSettings

# ----------------------------------------------------------------------------------- beach


def beach(sheet: Sheet) -> None:
    """Late sun over the sea, wet sand, a palm."""
    sun, horizon = (1130.0, 318.0), 430.0
    _sky(sheet, sun)
    ridge = [
        (0, 432),
        (0, 384),
        (70, 372),
        (150, 381),
        (230, 396),
        (330, 408),
        (420, 424),
        (470, 432),
    ]
    sheet.polygons([ridge], "#8f9fae", 0.75, 2)
    _sea(sheet, sun[0], horizon)
    _sand(sheet)
    sheet.light("#ffcf94", 0.10 * sheet.near(sun[0], horizon, 620, 0.5))
    _palm(sheet)
    sheet.soften(1.3)
    sheet.vignette(0.16)


def _sky(sheet: Sheet, sun: tuple[float, float]) -> None:
    sheet.mix(sheet.rows((0, "#4a86bd"), (190, "#8dbad8"), (320, "#dfd2c3"), (430, "#ffd9a6")), 1.0)
    half = max(1, sheet.size[0] // 2), max(1, sheet.size[1] // 2)  # clouds are soft
    clouds = 0.72 * noise(half, (5, 8), 5, 11) + 0.28 * noise(half, (3, 26), 4, 4)
    shape = cv2.resize(clouds, sheet.size, interpolation=cv2.INTER_LINEAR)
    lower = cv2.warpAffine(
        shape,
        np.array([[1, 0, 0], [0, 1, -14 * sheet.unit]]),
        sheet.size,
        borderMode=cv2.BORDER_REPLICATE,
    )
    density = step(shape, 0.5, 0.82) * step(sheet.y, -40, 130) * (1 - step(sheet.y, 260, 420))
    lit = np.clip(0.62 + 2.2 * (shape - lower), 0, 1)[..., None].astype(np.float32)
    sheet.mix(colour("#d9b3a6") * (1 - lit) + colour("#fff4e4") * lit, 0.9 * density)
    distance = np.hypot(sheet.x - sun[0], sheet.y - sun[1])
    sheet.light("#ffb866", (0.16 * np.exp(-distance / 230)).astype(np.float32))
    sheet.light("#ffe2b0", (0.42 * np.exp(-distance / 46)).astype(np.float32))
    sheet.mix("#fffaf0", 1 - step(distance, 26, 40))


def _sea(sheet: Sheet, sun_x: float, horizon: float) -> None:
    depth = np.maximum(sheet.y - horizon, 0) / np.float32(470)  # 0 far, 1 at our feet
    water = sheet.rows(
        (430, "#d8c3a4"),
        (446, "#8db4ba"),
        (500, "#4f9dab"),
        (580, "#4aa5ad"),
        (650, "#86c9bf"),
        (720, "#bfe0cf"),
    )
    below = step(sheet.y, horizon - 1, horizon + 1)
    sheet.mix(water, below * np.ones_like(sheet.x))
    tile = noise((512, 512), (24, 24), 4, 21)
    far = 1 / (depth + np.float32(0.035))
    across = ((sheet.x - sun_x) * far * np.float32(0.13) + 256).astype(np.float32)
    down = (far * np.float32(95)) * np.ones_like(sheet.x)
    ripple = cv2.remap(tile, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    ripple = (ripple - 0.5) * below * step(depth, 0.0, 0.06)
    sheet.shade(1 + 0.28 * ripple)
    column = np.exp(-(((sheet.x - sun_x) / (46 + 330 * depth)) ** 2)).astype(np.float32)
    calm = 1 - step(sheet.y, 560, 700)
    sheet.light("#ffd9a0", 0.30 * column * below * calm)
    sheet.light("#fff3d6", 1.1 * column * calm * step(ripple, 0.12, 0.42))
    sheet.light("#ffffff", 0.25 * calm * step(ripple, 0.3, 0.55))


def _shore(x: Map, level: float) -> Map:
    wave = 15 * np.sin(x / 235 + 0.6) + 7 * np.sin(x / 83) + 3 * np.sin(x / 31 + 2)
    shore: Map = (level + wave - 0.03 * (x - 800)).astype(np.float32)
    return shore


def _sand(sheet: Sheet) -> None:
    edge = _shore(sheet.x, 676)
    grainy = noise(sheet.size, (330, 260), 2, 31)
    patches = noise(sheet.size, (5, 9), 4, 32)
    dry = sheet.rows((680, "#b98f63"), (760, "#d8b385"), (900, "#ecd0a2"))
    ground = dry * (0.93 + 0.14 * patches + 0.12 * (grainy - 0.5))[..., None]
    shore = step(sheet.y - edge, -2, 3)
    sheet.mix(ground.astype(np.float32), shore)
    wet = shore * (1 - step(sheet.y - edge - 26 * (patches - 0.5), 34, 92))
    mirror = sheet.rows((660, "#a98d72"), (760, "#a5876a"))
    sheet.mix(mirror, 0.62 * wet)
    sheet.light("#ffd7a2", 0.34 * wet * sheet.near(1130, 700, 330, 0.6))
    lace = noise(sheet.size, (70, 60), 3, 33)
    for level, width, amount in ((676.0, 9.0, 0.95), (640.0, 6.0, 0.55), (606.0, 4.0, 0.3)):
        offset = sheet.y - _shore(sheet.x + (676 - level) * 5, level)
        foam = np.exp(-((offset / width) ** 2)).astype(np.float32)
        trail = np.exp(-np.clip(-offset, 0, None) / (3.2 * width)) * (offset < 0)
        foam = np.maximum(foam, 0.8 * trail.astype(np.float32) * step(lace, 0.42, 0.72))
        sheet.mix("#fffaf2", amount * foam * (0.7 + 0.3 * step(lace, 0.3, 0.6)))
    shadow = np.exp(-(((sheet.y - edge - 12) / 7) ** 2)).astype(np.float32)
    sheet.shade(1 - 0.13 * shadow)


def _palm(sheet: Sheet) -> None:
    crown = np.array([196.0, 150.0])
    rng = np.random.default_rng(5)
    along = np.linspace(0, 1, 40)
    middle = np.stack([30 + 166 * along**0.62, 960 - 810 * along], 1)
    width = 19 + 13 * (1 - along) ** 3 - 6 * along + 1.6 * (np.arange(40) % 2)
    left, right = middle.copy(), middle.copy()
    left[:, 0] -= width
    right[:, 0] += width
    sheet.polygons([[tuple(point) for point in (*left, *right[::-1])]], "#4a392c", 1, 0.8)
    rim = right.copy()
    rim[:, 0] -= 8
    sheet.polygons([[tuple(point) for point in (*rim, *right[::-1])]], "#a97d50", 0.6, 2.5)
    # The far leaves first and dark, then the near ones; the sun is on the right.
    for tint, lit, angles in (
        ("#233b2d", "#35533a", (-160, -118, -62, -20, 178)),
        ("#2f4f36", "#56753f", (-196, -140, -92, -40, 4)),
        ("#3c5f3b", "#8f9a50", (-172, -75, -14)),
    ):
        for angle in angles:
            turn = np.radians(angle + rng.uniform(-4, 4))
            leaves = _frond(crown, turn, rng.uniform(270, 360), rng)
            sheet.polygons(leaves[:-1:2], tint, 1, 0.7)
            sheet.polygons(leaves[1::2], lit, 1, 0.7)
            sheet.polygons(leaves[-1:], "#9a9a5c", 0.8, 0.7)
    nuts = [ellipse(x, y, 15, 17) for x, y in ((182, 172), (206, 174), (195, 160), (194, 184))]
    sheet.polygons(nuts, "#4b3a26", 1, 1)
    sheet.polygons(
        [ellipse(x + 4, y - 4, 6, 7) for x, y in ((182, 172), (206, 174))], "#9a774a", 0.6, 2
    )


def _frond(
    start: NDArray[np.float64], angle: float, length: float, rng: np.random.Generator
) -> list[Points]:
    """A leaf of a palm: thin leaflets on both sides of a drooping rib."""
    share = np.linspace(0.04, 1, 34)
    direction = np.array([np.cos(angle), np.sin(angle)])
    drop = np.array([0.0, 1.0]) * length * 0.62
    rib = start + share[:, None] * length * direction + share[:, None] ** 2.1 * drop
    slope = np.gradient(rib, axis=0)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    leaves: list[Points] = []
    for point, ahead, at in zip(rib, slope, share, strict=True):
        across = np.array([-ahead[1], ahead[0]])
        reach = length * 0.34 * np.sin(np.pi * (0.16 + 0.8 * at)) * rng.uniform(0.85, 1.1)
        for side in (1, -1) if ahead[0] > 0 else (-1, 1):  # the lower side comes first
            tip = point + reach * (0.72 * side * across + 0.62 * ahead + [0, 0.34])
            leaves.append([tuple(point - 4.2 * ahead), tuple(point + 4.2 * ahead), tuple(tip)])
    outline = [*(rib + 2.5 * (1 - share[:, None])), *(rib - 2.5 * (1 - share[:, None]))[::-1]]
    leaves.append([tuple(point) for point in outline])
    return leaves


# ---------------------------------------------------------------------------------- office


def office(sheet: Sheet) -> None:
    """A bright room out of focus: window, shelves, plant, lamp."""
    small = Sheet(
        scaled_size(SHEET, (max(1, sheet.size[0] // 2), max(1, sheet.size[1] // 2)), "cover")
    )
    _walls(small)
    _window(small)
    _shelves(small)
    _lamp(small)
    _plant(small)
    _desk(small)
    out_of_focus = _lens(small.pixels, 10.5 * small.unit)
    sheet.pixels = cv2.resize(out_of_focus, sheet.size, interpolation=cv2.INTER_CUBIC)
    sheet.light("#fff1dc", 0.10 * sheet.near(250, 300, 620))
    sheet.vignette(0.22)


def _lens(pixels: Map, radius: float) -> Map:
    """Blur with a disc in linear light, as glass does: highlights become discs."""
    reach = max(1, round(radius))
    offsets = np.arange(-reach, reach + 1)
    disc = np.clip(radius + 0.5 - np.hypot(offsets[:, None], offsets), 0, 1).astype(np.float32)
    linear = np.power(np.clip(pixels, 0, 4), 2.2)
    linear = cv2.filter2D(linear, -1, disc / max(disc.sum(), 1e-6), borderType=cv2.BORDER_REFLECT)
    return np.power(np.clip(linear, 0, 1), 1 / 2.2).astype(np.float32)


def _walls(sheet: Sheet) -> None:
    sheet.mix(sheet.rows((0, "#cdc4ba"), (500, "#d6cbbd"), (900, "#b9aa99")), 1.0)
    sheet.shade((1.04 - 0.24 * step(sheet.x, 350, 1600)) * np.ones_like(sheet.y))
    beam = [(640, 250), (1010, 120), (1010, 420), (640, 640)]
    sheet.polygons([beam], "#fff0d8", 0.35, 26)
    sheet.box(0, 760, 1600, 140, "#8a6f57")
    sheet.box(0, 748, 1600, 14, "#efe9df", 0.8)
    sheet.polygons([[(200, 900), (330, 762), (760, 762), (900, 900)]], "#e2c09a", 0.45, 14)


def _window(sheet: Sheet) -> None:
    sheet.box(60, 40, 500, 600, "#f7f3ec")
    rng = np.random.default_rng(8)
    panes = [(80, 60, 222, 560), (318, 60, 222, 560)]
    for x, y, width, height in panes:
        sheet.box(x, y, width, height, "#e4f0f8")
        sheet.box(x, y + 330, width, height - 330, "#a9c3a0", 1, 24)
    leaves = [
        (ellipse(rng.uniform(80, 540), rng.uniform(330, 620), *rng.uniform(14, 44, 2)), shade)
        for shade in rng.choice(["#7fa67c", "#96b886", "#b9cf9d", "#5f8a68", "#d9e6bd"], 90)
    ]
    for shape, shade in leaves:
        sheet.polygons([shape], shade, 0.75, 3)
    for _ in range(26):  # sky between the leaves, brighter than white
        spot = sheet.near(rng.uniform(90, 530), rng.uniform(240, 560), rng.uniform(5, 9))
        sheet.light("#fff6dc", np.float32(rng.uniform(0.4, 1.4)) * spot)
    sheet.light("#ffffff", 0.25 * step(sheet.y, 640, 60) * ((sheet.x > 60) & (sheet.x < 560)))
    for x, y, width, height in (
        (300, 50, 20, 580),
        (60, 330, 500, 14),
        (60, 40, 22, 600),
        (538, 40, 22, 600),
        (60, 40, 500, 22),
    ):
        sheet.box(x, y, width, height, "#f3eee6")
    sheet.box(36, 628, 548, 26, "#fbf8f2")
    sheet.box(36, 654, 548, 16, "#7d6c5c", 0.35, 8)
    folds = (0.5 + 0.5 * np.sin(sheet.x / 7.5 + 1.4 * np.sin(sheet.x / 37))).astype(np.float32)
    for low, high in ((0, 118), (496, 640)):
        cloth = step(sheet.x, low - 4, low + 4) * (1 - step(sheet.x, high - 6, high + 6))
        cloth = cloth * (1 - step(sheet.y, 752, 758))
        sheet.mix(colour("#efe6d8") * (0.80 + 0.20 * folds)[..., None], 0.9 * cloth)
    sheet.box(-10, 14, 670, 12, "#5a4a3e")


def _shelves(sheet: Sheet) -> None:
    wood, back = "#94683f", "#b9a690"
    sheet.box(1046, 96, 500, 590, "#4b3a2c", 0.4, 22)
    sheet.box(1040, 84, 490, 586, back)
    rng = np.random.default_rng(3)
    tints = [
        "#2f5d73",
        "#c9743f",
        "#e3d3b4",
        "#7a3b3b",
        "#4f6b4d",
        "#d9a441",
        "#3a3f52",
        "#b98f84",
        "#efe9dd",
        "#5d7f8e",
    ]
    for row, floor in enumerate((252, 410, 568, 664)):
        if row < 3:
            x = 1066.0
            stop = (1390, 1290, 1440)[row]
            while x < stop:
                width, height = rng.uniform(17, 38), rng.uniform(84, 124)
                tint = str(rng.choice(tints))
                sheet.box(x, floor - height, width, height, tint)
                sheet.box(x + 3, floor - 0.78 * height, width - 6, 6, "#f3e6c8", 0.5)
                sheet.box(x + width - 4, floor - height, 4, height, "#000000", 0.25)
                x += width + rng.choice([0.0, 0.0, 0.0, 26.0])
        sheet.box(1040, floor - 132 + 6, 490, 26, "#3a2a1e", 0.35, 10)
        sheet.box(1034, floor, 502, 16, wood)
        sheet.box(1034, floor, 502, 4, "#d3a471", 0.8)
    for x in (1032, 1524):
        sheet.box(x, 84, 16, 600, wood)
    sheet.box(1032, 78, 508, 16, "#a97a4d")
    sheet.polygons([ellipse(1450, 216, 30, 36)], "#e9e2d6")  # a vase with dry grass
    for lean in (-38, -18, 4, 24, 42):
        stem = [(1446, 190), (1454, 190), (1452 + lean, 108), (1449 + lean, 108)]
        sheet.polygons([stem], "#c7a468", 0.9, 1)
    sheet.box(1330, 304, 96, 106, "#f4efe6")  # a framed picture
    sheet.box(1340, 314, 76, 86, "#7fa0a8")
    sheet.polygons([[(1340, 400), (1374, 346), (1416, 400)]], "#3f5f66")
    for height, tint in ((0, "#3a4f66"), (18, "#d7c3a0"), (36, "#a5543f")):
        sheet.box(1440 - height / 3, 392 - height, 74, 17, tint)
    leaves = [ellipse(1478 + 26 * np.sin(i), 500 + 7 * i % 60, 17, 9, i) for i in range(16)]
    sheet.polygons(leaves, "#4f7d4d")
    sheet.box(1456, 536, 46, 32, "#d9d0c2")
    sheet.box(980, 664, 640, 240, "#6d5340")  # a sideboard under it
    sheet.box(980, 664, 640, 12, "#a98560")
    sheet.box(1296, 690, 5, 200, "#3a2a1e", 0.8)
    sheet.box(980, 676, 640, 26, "#2a1d14", 0.4, 9)


def _lamp(sheet: Sheet) -> None:
    sheet.light("#ffb765", 0.22 * sheet.near(900, 300, 230))
    sheet.box(896, 330, 8, 560, "#4a4038")
    shade = [(842, 330), (866, 216), (934, 216), (958, 330)]
    sheet.polygons([shade], "#ffd79a")
    sheet.light("#ffc27a", 0.45 * sheet.near(900, 306, 56, 0.9))
    sheet.box(842, 326, 116, 5, "#c79a63", 0.7)


def _plant(sheet: Sheet) -> None:
    rng = np.random.default_rng(12)
    sheet.polygons([ellipse(690, 862, 120, 22)], "#3a2a1e", 0.5, 14)
    sheet.polygons([[(626, 700), (754, 700), (734, 866), (646, 866)]], "#e6ded2")
    sheet.polygons([[(700, 700), (754, 700), (734, 866), (704, 866)]], "#b5a796", 0.6, 12)
    for tint, count, spread in (
        ("#2f5238", 26, 1.0),
        ("#46754a", 24, 0.9),
        ("#5f8f55", 9, 0.9),
        ("#79a45f", 7, 0.85),
    ):
        leaves: list[Points] = []
        for _ in range(count):
            turn = rng.uniform(-np.pi * 0.96, -np.pi * 0.04)
            far = rng.uniform(60, 250) * spread
            x, y = 690 + 0.62 * far * np.cos(turn), 690 + 1.1 * far * np.sin(turn)
            leaves.append(
                ellipse(
                    x, y, rng.uniform(36, 58), rng.uniform(11, 18), turn + rng.uniform(-0.6, 0.6)
                )
            )
        sheet.polygons(leaves, tint, 0.95, 2)


def _desk(sheet: Sheet) -> None:
    sheet.box(-20, 716, 600, 26, "#2a1d14", 0.35, 16)
    sheet.box(-20, 700, 590, 24, "#b98a5c")
    sheet.box(-20, 700, 590, 6, "#e0b98a")
    sheet.box(24, 724, 22, 180, "#7a5a3c")
    sheet.box(512, 724, 22, 180, "#7a5a3c")
    sheet.box(120, 560, 220, 128, "#2b3038")  # a screen
    sheet.box(128, 568, 204, 112, "#5f7f95")
    sheet.box(222, 686, 16, 16, "#2b3038")
    sheet.box(420, 652, 40, 48, "#c9553f")  # a mug
    for height, tint in ((0, "#e9e0d0"), (16, "#41617a"), (30, "#c99a52")):
        sheet.box(14 + height / 2, 686 - height, 84, 14, tint)


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
        total += weight[..., None] * np.square(colour(tint))  # in light, mixes stay clear
        weights += weight
    sheet.pixels = np.sqrt(total / weights[..., None])
    ribbon = np.sin((sheet.x * 0.55 + sheet.y + 90 * np.sin(sheet.x / 380)) / 150).astype(
        np.float32
    )
    sheet.shade(1 + 0.035 * ribbon)


SCENES: dict[str, Callable[[Sheet], None]] = {
    "beach": beach,
    "office": office,
    "studio": studio,
    "gradient": gradient,
}


class DrawnBackground(StillBackground):
    """A built-in scene by its name; deterministic."""

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._scene = SCENES[target]
        if not wait:
            self.render((1280, 720), 0.0)  # the usual size, drawn before a frame waits for it

    def draw(self, size: Size) -> Image:
        width, height = scaled_size(SHEET, size, "cover")
        scale = min(max(height, HEIGHTS[0]), HEIGHTS[1]) / height
        sheet = Sheet((max(1, round(width * scale)), max(1, round(height * scale))))
        self._scene(sheet)
        return fit(sheet.image(), size, "cover")
