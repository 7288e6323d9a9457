"""From an engine's alpha to the alpha that is blended: guided upsampling, threshold, feather."""

import math
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Image, Matte
from realtime_bg.imaging.foreground import estimate_foreground
from realtime_bg.imaging.geometry import Box, enlarged, resize, shrunk
from realtime_bg.imaging.shaping import certain_parts, large_parts, without_holes
from realtime_bg.processing.steady import Steady
from realtime_bg.settings import RefineSettings

RADIUS = 1  # of the guided filter's window, in pixels of the small map
GUIDED = 0.5  # share of the guided filter in the enlarged alpha
EPS = 3e-3  # its regularisation, on intensities in 0..1; smaller follows texture, larger blurs
SOLID = 0.98  # alpha from which a pixel is the person alone and keeps the camera's own colour
ESTIMATED_AREA = 384 * 216  # pixels on which colours are estimated where an alpha has full size
NOWHERE: Box = (slice(0, 0), slice(0, 0))
REACH = RADIUS + 2  # small pixels around the person that upsampling can touch


class Refined(NamedTuple):
    """The person in the ``box`` of the ``frame`` outside which the alpha is 0: ``part``, its alpha
    ``float32 (h, w)`` in [0, 1], and ``colours``, BGR ``uint8 (h, w, 3)``; None: the frame's own.

    Only the box is computed: a person rarely fills half a picture.
    """

    frame: Image
    box: Box
    part: Alpha
    colours: Image | None

    @property
    def alpha(self) -> Alpha:
        """``float32 (H, W)`` at the frame's size."""
        if self.part.shape == self.frame.shape[:2]:
            return self.part
        whole = np.zeros(self.frame.shape[:2], np.float32)
        whole[self.box] = self.part
        return whole

    @property
    def foreground(self) -> Image:
        """BGR ``uint8 (H, W, 3)`` at the frame's size; outside the box the frame's own."""
        if self.colours is None or self.colours.shape == self.frame.shape:
            return self.frame if self.colours is None else self.colours
        whole = self.frame.copy()
        whole[self.box] = self.colours
        return whole


def refine(matte: Matte, settings: RefineSettings, steady: Steady | None = None) -> Refined:
    """Everything between the engine and the blend.

    ``steady``: what the stream of mattes before this one has left; None: there is none.
    """
    frame = matte.frame.image
    shape = frame.shape[:2]
    if matte.guide is not None:  # a network answers at its own size
        matte = shaped(matte, settings)
        if steady is not None:
            matte = replace(matte, alpha=steady(matte, settings.steady))
    box = person_box(matte.alpha, shape, 0 if matte.alpha.shape == shape else REACH)
    if box is None:
        return Refined(frame, NOWHERE, np.zeros((0, 0), np.float32), None)
    beyond = settings.feather + max(0, settings.grow)
    if beyond:
        box = tuple(
            _grown(part, beyond, side)  # type: ignore[assignment]
            for part, side in zip(box, shape, strict=True)
        )
    alpha = upsample_alpha(matte, box, settings.levels)
    if settings.grow:
        alpha = grown(alpha, settings.grow)
    if settings.threshold != 0.5:
        alpha = shift_threshold(alpha, settings.threshold)
    if settings.feather:
        alpha = feather(alpha, settings.feather)
    if matte.foreground is None and settings.decontaminate:
        matte = with_foreground(matte)
    return Refined(frame, box, alpha, upsample_foreground(matte, box))


def shaped(matte: Matte, settings: RefineSettings) -> Matte:
    """The matte with those parts of its alpha that count, and without holes."""
    alpha = matte.alpha
    if settings.hysteresis:
        alpha = certain_parts(alpha, settings.hysteresis)
    if settings.min_area:
        alpha = large_parts(alpha, settings.min_area)
    if settings.holes:
        alpha = without_holes(alpha, settings.holes)
    return matte if alpha is matte.alpha else replace(matte, alpha=alpha)


def person_box(alpha: Alpha, shape: tuple[int, ...], reach: int) -> Box | None:
    """The box of an image of ``shape`` that holds all of ``alpha`` (of any smaller size) that is
    not 0, and ``reach`` of its pixels around; None where it is 0 all over."""
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
    """The ``box`` of the alpha at its frame's size, its edges laid along those of the frame, and
    stretched so that the ``levels`` become 0 and 1: enlarging has made edges broader.

    Fast guided filter (He and Sun 2015, arXiv 1505.00996): per 3x3 window of the small maps,
    least squares of alpha = a * grey + b; a and b are enlarged and applied to the full-size grey
    picture. A grey guide costs a third of a colour one. The enlarged alpha itself has the other
    half of the say: texture near an edge misleads the filter. Without a ``guide``, or of full
    size, the alpha is what it is.
    """
    frame, alpha = matte.frame, matte.alpha
    if alpha.shape == frame.image.shape[:2]:
        return np.ascontiguousarray(alpha[box])
    if matte.guide is None:
        return np.ascontiguousarray(enlarged(alpha, frame.size, box))
    grey = cv2.cvtColor(matte.guide, cv2.COLOR_BGR2GRAY).astype(np.float32)
    mean_grey, mean_alpha = _box(grey), _box(alpha)
    slope = _box(grey * alpha) - mean_grey * mean_alpha
    slope /= _box(grey * grey) - mean_grey * mean_grey + np.float32(EPS * 255 * 255)
    offset = mean_alpha - slope * mean_grey
    # Mixture and levels are linear: done on the small maps, they cost nothing.
    low, high = levels
    stretch = np.float32(1 / (high - low))
    slope *= np.float32(GUIDED) * stretch
    offset = (offset * np.float32(GUIDED) + alpha * np.float32(1 - GUIDED) - low) * stretch
    fine = cv2.cvtColor(frame.image[box], cv2.COLOR_BGR2GRAY)
    fine = cv2.multiply(fine, enlarged(slope, frame.size, box), dtype=cv2.CV_32F)
    cv2.add(fine, enlarged(offset, frame.size, box), dst=fine)
    return np.clip(fine, 0.0, 1.0, out=fine)


def _box(x: Alpha) -> Alpha:
    """Mean over the window; float32 (h, w) in and out."""
    side = 2 * RADIUS + 1
    return cv2.blur(x, (side, side), borderType=cv2.BORDER_REPLICATE)


def with_foreground(matte: Matte) -> Matte:
    """The matte, its foreground estimated on a small picture; its alpha is then as small."""
    guide, alpha = matte.guide, matte.alpha
    if guide is None:
        width, height = matte.frame.size
        size = shrunk((width, height), min(1.0, math.sqrt(ESTIMATED_AREA / (width * height))))
        guide, alpha = resize(matte.frame.image, size), resize(alpha, size)
    return Matte(matte.frame, alpha, estimate_foreground(guide, alpha), guide)


def upsample_foreground(matte: Matte, box: Box) -> Image | None:
    """The ``box`` of the person's colours at the frame's size; None: the frame's own.

    What the engine changed (foreground minus guide) is enlarged and added to the full-size
    frame, so detail is the camera's own; solid interior keeps the frame as it is.
    """
    frame, colour = matte.frame.image, matte.foreground
    if colour is None:
        return None
    if colour.shape == frame.shape:
        return colour[box]
    if matte.guide is None:
        return enlarged(colour, matte.frame.size, box)
    change = cv2.subtract(colour, matte.guide, dtype=cv2.CV_16S)
    change[matte.alpha > SOLID] = 0
    fine: Image = cv2.add(frame[box], enlarged(change, matte.frame.size, box), dtype=cv2.CV_8U)
    return fine


def shift_threshold(alpha: Alpha, threshold: float) -> Alpha:
    """Move the middle of the edge: an alpha of ``threshold`` becomes one half, 0 and 1 stay."""
    low = alpha * np.float32(0.5 / threshold)
    high = (alpha - 1) * np.float32(0.5 / (1 - threshold)) + 1
    return np.where(alpha < threshold, low, high).astype(np.float32)


def grown(alpha: Alpha, by: int) -> Alpha:
    """The alpha grown by pixels; shrunk by as many where ``by`` is negative."""
    side = 2 * abs(by) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return (cv2.dilate if by > 0 else cv2.erode)(alpha, disc, borderType=cv2.BORDER_REPLICATE)


def feather(alpha: Alpha, radius: int) -> Alpha:
    """Soften the edge outwards by ``radius`` pixels; nothing of the person is eaten."""
    side = 2 * radius + 1
    soft = cv2.blur(alpha, (side, side), borderType=cv2.BORDER_REPLICATE)
    # Blurring puts half the ramp inside; doubling moves all of it outside.
    return np.maximum(alpha, np.minimum(soft * 2, 1)).astype(np.float32)
