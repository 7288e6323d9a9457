"""A soft lamp on the person, without knowing anybody's shape: the matte is inflated like a cushion,
and the cushion is lit."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Frame, Image
from realtime_bg.imaging.geometry import resize
from realtime_bg.processing.steady import follows

SIDE = 96, 54  # width and height of the picture in which the light is computed
SPREADS = 1.5, 4.0, 9.0  # in its pixels: from the edge of the cushion to its middle
HEIGHTS = 2.2, 5.2, 12.0  # how much each of them adds to its height
FEATURES, FEATURE_SPREAD = 3.8, 1.5  # height of what is bright, as nose and cheeks are
ABOVE = math.radians(28)  # how far the lamp stands in front of the picture's plane
AROUND = 0.2  # how far its light reaches around the cushion; a large lamp
SOFT = 1.2  # pixels over which the result is smoothed
CALM = 0.7  # weight of the last result, so that no uncertain edge flickers
BRIGHTER, DARKER = 1.3, 0.35  # light added on the side of the lamp, and taken on the other, at most

Gains = NDArray[np.float32]


class KeyLight:
    """Remembers the last light of one stream."""

    def __init__(self) -> None:
        self._last: tuple[Frame, Alpha] | None = None

    def __call__(
        self, frame: Frame, picture: Image, alpha: Alpha, angle: float
    ) -> NDArray[np.uint8]:
        """How much each place is turned to a lamp at ``angle`` degrees (0 above, 90 on the right),
        0 to 255, at `SIDE`."""
        share = shading(resize(picture, SIDE), resize(alpha, SIDE), angle)
        if self._last is not None and follows(frame, self._last[0]):
            share = cv2.addWeighted(self._last[1], CALM, share, 1 - CALM, 0)
        self._last = frame, share
        return cv2.convertScaleAbs(share, alpha=255.0)


def shading(picture: Image, alpha: Alpha, angle: float) -> Alpha:
    """The light on the cushion, for one picture ``(h, w, 3)`` and alpha ``(h, w)``."""
    border = cv2.BORDER_REPLICATE  # whoever is cut off by the picture continues beyond it
    height = np.zeros_like(alpha)
    for spread, high in zip(SPREADS, HEIGHTS, strict=True):
        height += cv2.GaussianBlur(alpha, (0, 0), spread, borderType=border) * np.float32(high)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    near, wide = (
        cv2.GaussianBlur(grey * alpha, (0, 0), spread, borderType=border)
        / (cv2.GaussianBlur(alpha, (0, 0), spread, borderType=border) + np.float32(1e-2))
        for spread in (FEATURE_SPREAD, 4 * FEATURE_SPREAD)
    )
    relief = (near - wide) / (wide + np.float32(8))
    height += np.clip(relief, -0.5, 0.5) * alpha * np.float32(FEATURES)
    across = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=border)
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=border)
    side = math.radians(angle)
    lamp = (
        math.sin(side) * math.cos(ABOVE),
        -math.cos(side) * math.cos(ABOVE),
        math.sin(ABOVE),
    )
    steep = cv2.sqrt(across * across + down * down + 1)
    towards = (
        np.float32(lamp[2]) - across * np.float32(lamp[0]) - down * np.float32(lamp[1])
    ) / steep
    lit = np.clip((towards + AROUND) / (1 + AROUND), 0, 1).astype(np.float32)
    return cv2.GaussianBlur(lit, (0, 0), SOFT, borderType=border)


def lamp_gains(strength: float, kelvin: float) -> tuple[Gains, Gains]:
    """What light is multiplied by where the lamp shines fully, and where it does not at all; blue,
    green and red, ``float32 (3,)``. ``strength``: 0 to 1."""
    bright = 1 + BRIGHTER * strength * colour_of(kelvin)
    dark = np.full(3, 1 - DARKER * strength, np.float32)
    return bright.astype(np.float32), dark


def colour_of(kelvin: float) -> Gains:
    """The blue, green and red light of a lamp, of which 6500 K is white, with a luminance of 1."""
    lamp, white = _black_body(kelvin), _black_body(6500)
    colour = lamp / white
    return np.asarray(colour / (colour @ np.array([0.0722, 0.7152, 0.2126])), np.float32)


def _black_body(kelvin: float) -> NDArray[np.float64]:
    """By Planck's law at the middle wavelengths of the three colours."""
    metres = np.array([450e-9, 550e-9, 610e-9])
    return metres**-5.0 / np.expm1(1.4388e-2 / (metres * kelvin))
