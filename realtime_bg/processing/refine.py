"""Refinement of the edge, from the engine's alpha to the alpha that is blended: guided upsampling,
threshold, feather."""

import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Image, Matte
from realtime_bg.imaging import kernels
from realtime_bg.imaging.foreground import estimate_foreground
from realtime_bg.imaging.geometry import Box, disc, enlarged, resize, shrunk
from realtime_bg.imaging.shaping import certain_parts, large_parts, without_holes
from realtime_bg.processing.steady import Steady
from realtime_bg.settings import RefineSettings

RADIUS = 1  # radius of the guided filter's window, in pixels of the small alpha
GUIDED = 0.5  # weight of the guided filter in the upsampled alpha
EPS = 3e-3  # its regularisation, on intensities in 0..1; smaller follows texture, larger blurs
SOLID = 0.98  # a pixel with at least this alpha shows only the person and keeps the camera's colour
ESTIMATED_AREA = 384 * 216  # pixels at which colours are estimated for an alpha of full size
NOWHERE: Box = (slice(0), slice(0))
REACH = RADIUS + 2  # small pixels around the person that upsampling can affect


class Refined(NamedTuple):
    """The person inside ``box``, outside of which the alpha of the ``frame`` is 0. ``part`` is the
    alpha of the box, ``float32 (h, w)`` in [0, 1], and ``colours`` its foreground, BGR ``uint8 (h,
    w, 3)``; None means the colours of the frame.

    Only the box is computed, because a person rarely fills half of a picture.
    """

    frame: Image
    box: Box
    part: Alpha
    colours: Image | None

    @property
    def alpha(self) -> Alpha:
        """The alpha, ``float32 (H, W)``, at the size of the frame."""
        if self.part.shape == self.frame.shape[:2]:
            return self.part
        whole = np.zeros(self.frame.shape[:2], np.float32)
        whole[self.box] = self.part
        return whole

    @property
    def foreground(self) -> Image:
        """The foreground, BGR ``uint8 (H, W, 3)``, at the size of the frame; the frame itself
        outside the box."""
        if self.colours is None or self.colours.shape == self.frame.shape:
            return self.frame if self.colours is None else self.colours
        whole = self.frame.copy()
        whole[self.box] = self.colours
        return whole


def refine(matte: Matte, settings: RefineSettings, steady: Steady | None = None) -> Refined:
    """Do everything that happens between the engine and the blend.

    ``steady``: the state of temporal smoothing from the previous mattes; None means no smoothing.
    """
    return upsampled(steadied(matte, settings, steady), settings)


def steadied(matte: Matte, settings: RefineSettings, steady: Steady | None = None) -> Matte:
    """What happens at the network's size: dropping parts, filling holes, temporal smoothing."""
    if matte.guide is None:  # the alpha does not come from a network of another size
        return matte
    matte = shaped(matte, settings)
    if steady is not None:
        matte = replace(matte, alpha=steady(matte, settings.steady))
    return matte


def upsampled(matte: Matte, settings: RefineSettings) -> Refined:
    """What happens at the size of the frame."""
    frame, box, beyond = matte.frame.image, box_around(matte, settings), reach_of(settings)
    if box is None:
        return Refined(frame, NOWHERE, np.zeros((0, 0), np.float32), None)
    alpha = upsample_alpha(matte, box, settings.levels)
    if settings.grow:
        alpha = grown(alpha, settings.grow)
    if settings.threshold != 0.5:
        alpha = shift_threshold(alpha, settings.threshold)
    if settings.feather:
        alpha = feather(alpha, settings.feather)
    if matte.foreground is None and settings.decontaminate and matte.guide is None:
        matte = with_foreground(matte)
    colours = upsample_foreground(matte, box, settings.decontaminate, beyond)
    return Refined(frame, box, alpha, colours)


def box_around(matte: Matte, settings: RefineSettings) -> Box | None:
    """The box, in the frame, outside of which the refined alpha is 0; None if there is
    nobody."""
    shape = matte.frame.image.shape[:2]
    box = person_box(matte.alpha, shape, 0 if matte.alpha.shape == shape else REACH)
    beyond = reach_of(settings)
    if box is None or not beyond:
        return box
    rows, columns = (_grown(part, beyond, side) for part, side in zip(box, shape, strict=True))
    return rows, columns


def reach_of(settings: RefineSettings) -> int:
    """How many pixels of the frame the settings move or soften the edge outwards."""
    return settings.feather + max(0, settings.grow)


def shaped(matte: Matte, settings: RefineSettings) -> Matte:
    """The matte without uncertain or small parts and without holes, as the settings say."""
    alpha = matte.alpha
    if settings.hysteresis:
        alpha = certain_parts(alpha, settings.hysteresis)
    if settings.min_area:
        alpha = large_parts(alpha, settings.min_area)
    if settings.holes:
        alpha = without_holes(alpha, settings.holes)
    return matte if alpha is matte.alpha else replace(matte, alpha=alpha)


def person_box(alpha: Alpha, shape: tuple[int, ...], reach: int) -> Box | None:
    """The box, in an image of ``shape``, around all pixels of ``alpha`` (of any smaller size) that
    are not 0, widened by ``reach`` pixels of ``alpha``. None if all are 0."""
    rows = np.flatnonzero(alpha.max(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(alpha.max(axis=0))
    parts = []
    for held, small, full in zip((rows, columns), alpha.shape, shape, strict=True):
        first, last = int(held[0]) - reach, int(held[-1]) + 1 + reach
        parts.append(slice(max(0, first * full // small), min(full, -(-last * full // small))))
    return parts[0], parts[1]


def _grown(part: slice, by: int, side: int) -> slice:
    return slice(max(0, part.start - by), min(side, part.stop + by))


def upsample_alpha(matte: Matte, box: Box, levels: tuple[float, float] = (0.0, 1.0)) -> Alpha:
    """The ``box`` of the alpha, upsampled to the size of its frame so that its edges follow those
    of the frame, and stretched so that the ``levels`` become 0 and 1, which undoes the widening of
    edges by upsampling.

    Fast guided filter (He and Sun 2015, arXiv 1505.00996): in each 3x3 window of the small
    pictures, alpha = a * grey + b is fitted by least squares; a and b are upsampled and applied to
    the full-size grey picture. A grey guide costs a third of a colour guide. The result is averaged
    with the plainly upsampled alpha, because texture near an edge misleads the filter. Without a
    ``guide``, or at full size, the alpha is returned unchanged.
    """
    frame, alpha = matte.frame, matte.alpha
    if alpha.shape == frame.image.shape[:2]:
        return np.ascontiguousarray(alpha[box])
    if matte.guide is None:
        return np.ascontiguousarray(enlarged(alpha, frame.size, box))
    slope, offset = linear_model(matte.guide, alpha, levels)
    fine = cv2.cvtColor(frame.image[box], cv2.COLOR_BGR2GRAY)
    fine = cv2.multiply(fine, enlarged(slope, frame.size, box), dtype=cv2.CV_32F)
    cv2.add(fine, enlarged(offset, frame.size, box), dst=fine)
    return np.clip(fine, 0.0, 1.0, out=fine)


def linear_model(guide: Image, alpha: Alpha, levels: tuple[float, float]) -> tuple[Alpha, Alpha]:
    """Slope and offset, ``float32 (h, w)`` each, with which the upsampled alpha is slope * grey +
    offset before it is clipped; see `upsample_alpha`. Grey levels are in 0..255."""
    eps = EPS * 255 * 255
    if kernels.compiled:
        slope, offset = kernels.fit_linear(guide, np.ascontiguousarray(alpha), eps)
    else:
        grey = cv2.cvtColor(guide, cv2.COLOR_BGR2GRAY).astype(np.float32)
        mean_grey, mean_alpha = _box(grey), _box(alpha)
        slope = _box(grey * alpha) - mean_grey * mean_alpha
        slope /= _box(grey * grey) - mean_grey * mean_grey + np.float32(eps)
        offset = mean_alpha - slope * mean_grey
    # Averaging and levels are linear, so they can be applied to the small maps at no cost.
    low, high = levels
    guided, plain, shift = np.array([GUIDED, 1 - GUIDED, -low]) / (high - low)
    slope *= np.float32(guided)
    return slope, cv2.addWeighted(offset, guided, alpha, plain, shift)


def _box(x: Alpha) -> Alpha:
    """The mean over the window, float32 (h, w) in and out."""
    side = 2 * RADIUS + 1
    return cv2.blur(x, (side, side), borderType=cv2.BORDER_REPLICATE)


def with_foreground(matte: Matte) -> Matte:
    """The matte with a foreground estimated on a small picture; its alpha is reduced to the same
    size."""
    guide, alpha = matte.guide, matte.alpha
    if guide is None:
        width, height = matte.frame.size
        size = shrunk((width, height), min(1.0, math.sqrt(ESTIMATED_AREA / (width * height))))
        guide, alpha = resize(matte.frame.image, size), resize(alpha, size)
    return Matte(matte.frame, alpha, estimate_foreground(guide, alpha), guide)


def colour_change(matte: Matte, decontaminate: bool, reach: int = 0) -> NDArray[np.int16] | None:
    """What is to be added to the colours of the guide of a ``matte`` to get those of the person,
    ``int16 (h, w, 3)``: from the engine's foreground, or estimated if it has none. 0 in the solid
    interior, which keeps the colours of the frame; None if it is 0 everywhere.

    ``reach``: how many pixels of the frame beyond the edge have to get these colours too."""
    guide, alpha, colour = matte.guide, matte.alpha, matte.foreground
    assert guide is not None
    if colour is None:
        if not decontaminate:
            return None
        if kernels.compiled:
            beyond = RADIUS + 1 + math.ceil(reach * max(alpha.shape) / max(matte.frame.size))
            return kernels.estimate_change(guide, np.ascontiguousarray(alpha), SOLID, beyond)
        colour = estimate_foreground(guide, alpha)
    change = cv2.subtract(colour, guide, dtype=cv2.CV_16S)
    change[alpha > SOLID] = 0
    return change


def upsample_foreground(
    matte: Matte, box: Box, decontaminate: bool = False, reach: int = 0
) -> Image | None:
    """The ``box`` of the foreground at the size of the frame; None means the colours of the frame.
    ``decontaminate``: estimate it if the engine has none, from a guide. ``reach``: see
    `colour_change`.

    The change of the colours is upsampled and added to the full-size frame, which preserves the
    camera's detail.
    """
    frame, colour = matte.frame.image, matte.foreground
    if colour is not None and colour.shape == frame.shape:
        return colour[box]
    if matte.guide is None:
        return None if colour is None else enlarged(colour, matte.frame.size, box)
    change = colour_change(matte, decontaminate, reach)
    if change is None:
        return None
    fine: Image = cv2.add(frame[box], enlarged(change, matte.frame.size, box), dtype=cv2.CV_8U)
    return fine


def shift_threshold(alpha: Alpha, threshold: float) -> Alpha:
    """Shift the middle of the edge: an alpha of ``threshold`` becomes 0.5; 0 and 1 are
    unchanged."""
    low = alpha * np.float32(0.5 / threshold)
    high = (alpha - 1) * np.float32(0.5 / (1 - threshold)) + 1
    return np.where(alpha < threshold, low, high).astype(np.float32)


def grown(alpha: Alpha, by: int) -> Alpha:
    """The alpha enlarged by ``by`` pixels, or shrunk if ``by`` is negative."""
    change = cv2.dilate if by > 0 else cv2.erode
    return change(alpha, disc(abs(by)), borderType=cv2.BORDER_REPLICATE)


def feather(alpha: Alpha, radius: int) -> Alpha:
    """Soften the edge outwards by ``radius`` pixels, without eroding the person."""
    side = 2 * radius + 1
    soft = cv2.blur(alpha, (side, side), borderType=cv2.BORDER_REPLICATE)
    # A blur puts half of the ramp inside the person; doubling moves all of it outside.
    return np.maximum(alpha, np.minimum(soft * 2, 1)).astype(np.float32)
