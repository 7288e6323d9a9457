"""The office of `draw_scenes.py`."""

import cv2
import numpy as np

from realtime_bg.imaging.drawing import (
    SHEET,
    Map,
    Points,
    Sheet,
    colour,
    ellipse,
    step,
)
from realtime_bg.imaging.geometry import scaled_size


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
    """Blur with a disc in linear light, as a lens does: highlights become discs."""
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
