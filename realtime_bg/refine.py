"""From an engine's alpha to the alpha that is blended: guided upsampling, threshold, feather."""

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Image, Matte
from realtime_bg.settings import RefineSettings

RADIUS = 1  # of the guided filter's window, in pixels of the small map
EPS = 3e-4  # its regularisation, on intensities in 0..1; smaller follows texture, larger blurs
SOLID = 0.98  # alpha from which a pixel is the person alone and keeps the camera's own colour


def refine(matte: Matte, settings: RefineSettings) -> tuple[Alpha, Image]:
    """The alpha ``float32 (H, W)`` in [0, 1] and foreground BGR ``uint8 (H, W, 3)`` at the
    frame's size."""
    alpha = upsample_alpha(matte)
    if settings.threshold != 0.5:
        alpha = shift_threshold(alpha, settings.threshold)
    if settings.feather:
        alpha = feather(alpha, settings.feather)
    return alpha, upsample_foreground(matte)


def upsample_alpha(matte: Matte) -> Alpha:
    """The alpha at its frame's size, its edges laid along those of the frame.

    Fast guided filter (He and Sun 2015, arXiv 1505.00996): per 3x3 window of the small maps,
    least squares of alpha = a * grey + b; a and b are enlarged and applied to the full-size grey
    picture. A grey guide costs a third of a colour one. Without a ``guide`` the enlargement is
    bilinear.
    """
    frame, alpha = matte.frame, matte.alpha
    if alpha.shape == frame.image.shape[:2]:
        return alpha
    if matte.guide is None:
        return cv2.resize(alpha, frame.size, interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(matte.guide, cv2.COLOR_BGR2GRAY).astype(np.float32)
    mean_grey, mean_alpha = _box(grey), _box(alpha)
    slope = _box(grey * alpha) - mean_grey * mean_alpha
    slope /= _box(grey * grey) - mean_grey * mean_grey + np.float32(EPS * 255 * 255)
    offset = mean_alpha - slope * mean_grey
    slope = cv2.resize(slope, frame.size, interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(offset, frame.size, interpolation=cv2.INTER_LINEAR)
    full = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
    fine = cv2.multiply(full, slope, dtype=cv2.CV_32F)
    cv2.add(fine, offset, dst=fine)
    return np.clip(fine, 0.0, 1.0, out=fine)


def _box(x: Alpha) -> Alpha:
    """Mean over the window; float32 (h, w) in and out."""
    side = 2 * RADIUS + 1
    return cv2.blur(x, (side, side), borderType=cv2.BORDER_REPLICATE)


def upsample_foreground(matte: Matte) -> Image:
    """The person's colours at the frame's size.

    What the engine changed (foreground minus guide) is enlarged and added to the full-size
    frame, so detail is the camera's own; solid interior keeps the frame as it is. Engines
    without a foreground get the frame itself.
    """
    frame, colour = matte.frame.image, matte.foreground
    if colour is None:
        return frame
    if colour.shape == frame.shape:
        return colour
    if matte.guide is None:
        return cv2.resize(colour, matte.frame.size, interpolation=cv2.INTER_LINEAR)
    change = cv2.subtract(colour, matte.guide, dtype=cv2.CV_16S)
    change[matte.alpha > SOLID] = 0
    change = cv2.resize(change, matte.frame.size, interpolation=cv2.INTER_LINEAR)
    return cv2.add(frame, change, dtype=cv2.CV_8U)


def shift_threshold(alpha: Alpha, threshold: float) -> Alpha:
    """Move the middle of the edge: an alpha of ``threshold`` becomes one half, 0 and 1 stay."""
    low = alpha * np.float32(0.5 / threshold)
    high = (alpha - 1) * np.float32(0.5 / (1 - threshold)) + 1
    return np.where(alpha < threshold, low, high).astype(np.float32)


def feather(alpha: Alpha, radius: int) -> Alpha:
    """Soften the edge outwards by ``radius`` pixels; nothing of the person is eaten."""
    side = 2 * radius + 1
    soft = cv2.blur(alpha, (side, side), borderType=cv2.BORDER_REPLICATE)
    # Blurring puts half the ramp inside; doubling moves all of it outside.
    return np.maximum(alpha, np.minimum(soft * 2, 1)).astype(np.float32)
