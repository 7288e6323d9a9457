"""Exposure as tables: grey levels to light and back, and brightening that never clips."""

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.uint8]
"""``(1, 256, 3)``, for each channel what a grey level becomes; for `cv2.LUT`."""
Floats = NDArray[np.float32]

KNEE = 0.35  # light, of 1, above which brightening becomes less and less
TOE = 0.004  # and below this, which is mostly noise, times what the gain adds to 1


def light_of(levels: NDArray[np.floating]) -> Floats:
    """The light, 0..1, of grey levels 0..255 (IEC 61966-2-1, sRGB)."""
    share = np.clip(np.asarray(levels, np.float64) / 255, 0, 1)
    dark = share / 12.92
    return np.where(share <= 0.04045, dark, ((share + 0.055) / 1.055) ** 2.4).astype(np.float32)


def levels_of(light: NDArray[np.floating]) -> Floats:
    """The grey levels, 0..255, of light 0..1; the inverse of `light_of`."""
    light = np.clip(np.asarray(light, np.float64), 0, 1)
    bright = 1.055 * light ** (1 / 2.4) - 0.055
    return (255 * np.where(light <= 0.0031308, light * 12.92, bright)).astype(np.float32)


LIGHT = light_of(np.arange(256, dtype=np.float32))
LIGHT.setflags(write=False)
PLAIN = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
PLAIN.setflags(write=False)


def brightened(light: NDArray[np.floating], gain: NDArray[np.floating] | float) -> Floats:
    """Light 0..1 times ``gain``; if that exceeds 1, with a soft shoulder that ends at 1, so that no
    two levels become the same white, and with a toe, because black is not to become noise.
    (Reinhard et al. 2002, Photographic tone reproduction, eq. 4, above `KNEE`.)"""
    toe = TOE * (np.maximum(gain, 1) - 1)
    lit = light * np.asarray(gain, np.float32)
    lit = np.asarray(lit * lit / (lit + toe + np.float32(1e-9)), np.float32)
    white = np.maximum(gain, 1) ** 2 / (np.maximum(gain, 1) + toe)
    most = (white - KNEE) / (1 - KNEE)  # what white becomes, in units of the rest
    over = np.maximum(lit - KNEE, 0) / (1 - KNEE)
    shoulder = KNEE + (1 - KNEE) * over * (1 + over / most**2) / (1 + over)
    curved = np.where(lit > KNEE, shoulder, lit)
    return np.where(np.asarray(gain) > 1, curved, lit).astype(np.float32)


def table(gains: NDArray[np.floating]) -> Table:
    """The table that multiplies light by ``gains``, one for each of blue, green and red, with the
    shoulder of `brightened`."""
    lit = brightened(LIGHT[:, None], np.asarray(gains, np.float32)[None])
    return np.rint(levels_of(lit)).astype(np.uint8)[None]


def is_plain(levels: Table) -> bool:
    """Whether a table leaves every level as it is."""
    return bool((levels == PLAIN).all())
