"""Drawing of scenes with shapes, shading and noise, at any size."""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Image, Size
from realtime_bg.imaging.colours import parse_colour

Map: TypeAlias = NDArray[np.float32]  # (h, w) or (h, w, 3)
Points: TypeAlias = Sequence[tuple[float, float]]
SHEET = (1600, 900)


def colour(text: str) -> Map:
    """``#rrggbb`` as ``float32 (3,)``, BGR from 0 to 1."""
    return np.array(parse_colour(text), np.float32) / np.float32(255)


def step(value: Map, low: float, high: float) -> Map:
    """0 below ``low``, 1 above ``high``, smooth in between."""
    ramp = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    smooth: Map = ramp * ramp * (3 - 2 * ramp)
    return smooth


def noise(size: Size, cells: tuple[float, float], octaves: int, seed: int) -> Map:
    """Fractal noise, ``float32 (h, w)`` around 0.5 and mostly in [0, 1]; ``cells`` across and
    down."""
    rng = np.random.default_rng(seed)
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        shape = [max(2, round(count * 2**octave) + 1) for count in reversed(cells)]
        grid = rng.random(shape, np.float32) - np.float32(0.5)
        total += cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC) * np.float32(0.5**octave)
    return total + np.float32(0.5)


class Sheet:
    """A picture under construction: ``pixels`` is BGR ``float32 (h, w, 3)``."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.unit = size[1] / SHEET[1]  # pixels
        self.x = ((np.arange(size[0], dtype=np.float32) + 0.5) / self.unit)[None, :]
        self.y = ((np.arange(size[1], dtype=np.float32) + 0.5) / self.unit)[:, None]
        self.pixels: Map = np.zeros((size[1], size[0], 3), np.float32)

    def rows(self, *stops: tuple[float, str]) -> Map:
        """A vertical gradient through (y, colour) stops: ``float32 (h, 1, 3)``."""
        heights = [height for height, _ in stops]
        colours = np.array([colour(text) for _, text in stops])
        channels = [np.interp(self.y[:, 0], heights, colours[:, c]) for c in range(3)]
        return np.stack(channels, axis=-1)[:, None].astype(np.float32)

    def near(self, x: float, y: float, radius: float, flat: float = 1.0) -> Map:
        """A bell curve: 1 at a point, falling off with ``radius``; ``flat`` squeezes it in y."""
        return np.exp(
            -(((self.x - x) / radius) ** 2) - ((self.y - y) / (radius * flat)) ** 2
        ).astype(np.float32)

    def mix(self, paint: Map | str, amount: Map | float) -> None:
        """Blend ``paint`` over everything with opacity ``amount`` (0 to 1, a number or an (h, w)
        map)."""
        paint = colour(paint) if isinstance(paint, str) else paint
        if not isinstance(amount, np.ndarray):
            self.pixels += (paint - self.pixels) * np.float32(amount)
            return
        rows = _touched(amount)
        part = self.pixels[rows]
        paint = paint[rows] if paint.ndim == 3 else paint
        part += (paint - part) * amount[rows, :, None]

    def light(self, tint: str, amount: Map) -> None:
        """Add light."""
        rows = _touched(amount)
        self.pixels[rows] += colour(tint) * amount[rows, :, None]

    def shade(self, amount: Map) -> None:
        """Multiply by ``amount``."""
        self.pixels *= amount[..., None]

    def polygons(
        self, shapes: Sequence[Points], tint: str, opacity: float = 1, blur: float = 0
    ) -> None:
        """Fill shapes with one colour, their edges softened by ``blur`` units."""
        fixed = [
            np.rint(np.array(s, np.float32) * (self.unit * 16) - 8).astype(np.int32) for s in shapes
        ]
        sigma = blur * self.unit
        margin = int(3 * sigma) + 2
        every = np.concatenate(fixed) >> 4
        left, top = np.maximum(every.min(0) - margin, 0)
        right, bottom = np.minimum(every.max(0) + margin + 1, self.size)
        if right <= left or bottom <= top:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        shift = np.array([left, top], np.int32) * 16
        for points in fixed:  # one by one: filled together, overlaps would become holes
            cv2.fillPoly(mask, [points - shift], 255, cv2.LINE_AA, 4)
        share = mask.astype(np.float32) * np.float32(opacity / 255)
        if sigma > 0.2:
            share = cv2.GaussianBlur(share, (0, 0), sigma)
        part = self.pixels[top:bottom, left:right]
        part += (colour(tint) - part) * share[..., None]

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        tint: str,
        opacity: float = 1,
        blur: float = 0,
    ) -> None:
        """Fill a rectangle."""
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        self.polygons([corners], tint, opacity, blur)

    def soften(self, sigma: float) -> None:
        """Blur everything by ``sigma`` units."""
        if sigma * self.unit > 0.2:
            self.pixels = cv2.GaussianBlur(self.pixels, (0, 0), sigma * self.unit)

    def vignette(self, depth: float) -> None:
        """Darken towards the corners by up to ``depth``."""
        distance = np.hypot((self.x - 800) / 918, (self.y - 450) / 918)
        self.shade((1 - depth * step(distance, 0.25, 1.15)).astype(np.float32))

    def image(self) -> Image:
        """The picture in 8 bits, dithered so that smooth skies show no banding."""
        rng = np.random.default_rng(1)
        grain = rng.random(self.pixels.shape[:2], np.float32)
        grain += rng.random(self.pixels.shape[:2], np.float32)
        levels = self.pixels * np.float32(255) + (grain - np.float32(0.5))[..., None]
        return np.clip(levels, 0, 255).astype(np.uint8)


def _touched(amount: Map) -> slice:
    """The rows that ``amount`` affects: half of a landscape is sky."""
    rows = np.flatnonzero(amount.max(1) > 1e-3)
    return slice(rows[0], rows[-1] + 1) if rows.size else slice(0, 0)


def ellipse(x: float, y: float, width: float, height: float, turn: float = 0) -> Points:
    """An ellipse by its centre, half axes and rotation in radians, as a polygon."""
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    along, across = width * np.cos(angles), height * np.sin(angles)
    cos, sin = np.cos(turn), np.sin(turn)
    return list(zip(x + along * cos - across * sin, y + along * sin + across * cos, strict=True))
