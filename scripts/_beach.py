"""The beach of `draw_scenes.py`."""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.imaging.drawing import (
    Map,
    Points,
    Sheet,
    colour,
    ellipse,
    noise,
    step,
)


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
    depth = np.maximum(sheet.y - horizon, 0) / np.float32(470)  # 0 at the horizon, 1 in front
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
    # Far leaves are drawn first and dark, near ones after them; the sun is on the right.
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
    """A palm leaf: thin leaflets on both sides of a drooping rib."""
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
        for side in (1, -1) if ahead[0] > 0 else (-1, 1):  # draw the lower side first
            tip = point + reach * (0.72 * side * across + 0.62 * ahead + [0, 0.34])
            leaves.append([tuple(point - 4.2 * ahead), tuple(point + 4.2 * ahead), tuple(tip)])
    outline = [*(rib + 2.5 * (1 - share[:, None])), *(rib - 2.5 * (1 - share[:, None]))[::-1]]
    leaves.append([tuple(point) for point in outline])
    return leaves
