"""Conversion between the colours of HDR or wide-gamut video and those of everything else here,
BT.709 with 8 bits.

Curves: PQ is Rec. ITU-R BT.2100-2 table 4, HLG table 5 with a system gamma of 1.2 for a display of
1000 cd/m2, and SDR is the display gamma of 2.4 of Rec. ITU-R BT.1886. SDR white is shown at
203 cd/m2, the reference level of Rep. ITU-R BT.2408.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Image

Deep: TypeAlias = NDArray[np.uint16]  # RGB (H, W, 3) in [0, DEEP_WHITE]
Curve: TypeAlias = Literal["pq", "hlg", "sdr"]

WHITE = 203.0  # cd/m2
HLG_PEAK, HLG_GAMMA = 1000.0, 1.2
KNEE = 0.8  # of SDR white in linear light; brighter values are compressed, see `Grade.to_sdr`
SDR_GAMMA = 2.4
MARGIN = 0.007  # of the brightest channel, see `_deepen`
TOP = 65535
DEEP_WHITE = 255 << 8  # what FFmpeg's scaler takes for white in RGB with 16 bits

CURVES: dict[int, Curve] = {16: "pq", 18: "hlg"}  # transfer characteristics of H.273
# Chromaticities of red, green and blue by the colour primaries of H.273: BT.709, BT.2020, P3 (D65)
BT709_PRIMARIES, BT2020_PRIMARIES = 1, 9
PRIMARIES = {
    BT709_PRIMARIES: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    BT2020_PRIMARIES: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
D65 = (0.3127, 0.3290)


@dataclass(frozen=True, slots=True)
class Grade:
    """The colours of a video: its transfer ``curve`` and its ``primaries`` (H.273)."""

    curve: Curve
    primaries: int

    @property
    def is_hdr(self) -> bool:
        """Whether its white may be brighter than SDR white."""
        return self.curve != "sdr"

    def to_sdr(self, deep: Deep) -> Image:
        """``deep`` tone-mapped to BT.709, BGR ``uint8 (H, W, 3)``.

        Up to `KNEE` colours stay as they are. Above, the brightest channel follows the curve of
        Reinhard et al., "Photographic Tone Reproduction for Digital Images" (2002), equation 3, and
        the hue stays.
        """
        light = np.take(_decoding(self.curve), deep)
        if self.curve == "hlg":
            luminance = cv2.transform(light, _luminance(self.primaries)) / (HLG_PEAK / WHITE)
            light *= luminance[..., None] ** (HLG_GAMMA - 1)
        light = cv2.transform(light, _matrix(self.primaries, BT709_PRIMARIES))
        np.maximum(light, 0, out=light)
        if self.is_hdr:
            brightest = light.max(axis=2)
            over = np.maximum(brightest - KNEE, 0) / (1 - KNEE)
            wanted = np.minimum(brightest, KNEE) + (1 - KNEE) * over / (1 + over)
            light *= (wanted / np.maximum(brightest, 1e-6))[..., None]
        rgb = np.take(_sdr_codes(), _root(light))
        return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)

    def from_sdr(self, image: Image) -> Deep:
        """An SDR picture, BGR ``uint8 (H, W, 3)`` in BT.709, in these colours."""
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        light = np.take(_sdr_light(), rgb)
        if self.is_hdr:
            _deepen(light)
        light = cv2.transform(light, _matrix(BT709_PRIMARIES, self.primaries))
        np.maximum(light, 0, out=light)
        if self.curve == "hlg":
            light *= WHITE / HLG_PEAK
            luminance = cv2.transform(light, _luminance(self.primaries))
            light *= np.maximum(luminance, 1e-6)[..., None] ** (1 / HLG_GAMMA - 1)
        return np.take(_encoding(self.curve), _root(light))

    def over(self, deep: Deep, sdr: Image, composite: Image, alpha: NDArray[Any]) -> Deep:
        """A composite in these colours: the SDR ``composite`` of the picture ``sdr``, with the
        original colours ``deep`` where ``alpha``, ``float32 (H, W)``, is 1. What the composite
        changes in the person, such as the rim's colour, is changed in the result too."""
        difference = deep.astype(np.float32) - self.from_sdr(sdr)
        difference *= alpha[..., None]
        difference += self.from_sdr(composite)
        return np.rint(difference).clip(0, DEEP_WHITE).astype(np.uint16)


def grade_of(transfer: int, primaries: int) -> Grade | None:
    """The grade of a video with these code points of H.273; None if it is, or is close to,
    BT.709."""
    curve = CURVES.get(transfer, "sdr")
    if primaries not in PRIMARIES:
        primaries = BT709_PRIMARIES if curve == "sdr" else BT2020_PRIMARIES
    return None if curve == "sdr" and primaries == BT709_PRIMARIES else Grade(curve, primaries)


def _deepen(light: NDArray[Any]) -> None:
    """Move channels close to 0 a little below it, outside BT.709 but inside wider primaries. There
    one step of a 10-bit code is up to 20 levels of SDR; what is below 0 is clipped on the way
    back."""
    margin = MARGIN * light.max(axis=2, keepdims=True)
    light -= np.maximum(margin - light / 2, 0)


def _root(light: NDArray[Any]) -> Deep:
    """The index of linear light in [0, 1] into the tables below, which are finer in the dark."""
    return np.rint(np.sqrt(np.minimum(light, 1)) * TOP).astype(np.uint16)


@cache
def _decoding(curve: Curve) -> NDArray[np.float32]:
    """Linear light by 16-bit code, 1 at SDR white; for HLG that of the scene, scaled like the
    display's."""
    code = np.minimum(np.arange(TOP + 1) / DEEP_WHITE, 1)
    if curve == "pq":
        return (_pq_light(code) / WHITE).astype(np.float32)
    if curve == "hlg":
        return (_hlg_scene(code) * HLG_PEAK / WHITE).astype(np.float32)
    return (code**SDR_GAMMA).astype(np.float32)


@cache
def _encoding(curve: Curve) -> Deep:
    """16-bit codes by `_root` of linear light; for HLG of the scene's light."""
    light = (np.arange(TOP + 1) / TOP) ** 2
    if curve == "pq":
        code = _pq_code(light * WHITE)
    elif curve == "hlg":
        code = _hlg_code(light)
    else:
        code = light ** (1 / SDR_GAMMA)
    return np.rint(code * DEEP_WHITE).astype(np.uint16)


@cache
def _sdr_light() -> NDArray[np.float32]:
    return ((np.arange(256) / 255) ** SDR_GAMMA).astype(np.float32)


@cache
def _sdr_codes() -> Image:
    light = (np.arange(TOP + 1) / TOP) ** 2
    return np.rint(light ** (1 / SDR_GAMMA) * 255).astype(np.uint8)


M1, M2 = 2610 / 16384, 2523 / 4096 * 128
C1, C2, C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_light(code: NDArray[Any]) -> NDArray[Any]:
    power = code ** (1 / M2)
    return 10_000 * (np.maximum(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1)


def _pq_code(light: NDArray[Any]) -> NDArray[Any]:
    power = (light / 10_000) ** M1
    return ((C1 + C2 * power) / (1 + C3 * power)) ** M2


A, B, C = 0.17883277, 0.28466892, 0.55991073


def _hlg_scene(code: NDArray[Any]) -> NDArray[Any]:
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - C) / A) + B) / 12)


def _hlg_code(scene: NDArray[Any]) -> NDArray[Any]:
    bright = A * np.log(np.maximum(12 * scene - B, 1e-9)) + C
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


@cache
def _xyz(primaries: int) -> NDArray[Any]:
    """The matrix from linear RGB to CIE XYZ (SMPTE RP 177)."""
    columns = [_of_chromaticity(*one) for one in PRIMARIES[primaries]]
    matrix = np.stack(columns, axis=1)
    scaled: NDArray[Any] = matrix * np.linalg.solve(matrix, _of_chromaticity(*D65))
    return scaled


def _of_chromaticity(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1, (1 - x - y) / y])


@cache
def _matrix(source: int, target: int) -> NDArray[Any]:
    return np.linalg.solve(_xyz(target), _xyz(source))


@cache
def _luminance(primaries: int) -> NDArray[Any]:
    return _xyz(primaries)[1:2]
