"""The person alone, as a layer with transparency: for outputs that other programs put over a
background of their own."""

import cv2
import numpy as np

from realtime_bg.frames import Image, Layer, Matte
from realtime_bg.imaging.geometry import enlarged
from realtime_bg.processing.refine import (
    Refined,
    colour_change,
    reach_of,
    upsampled,
    with_foreground,
)
from realtime_bg.settings import RefineSettings

DETAIL = 0.5, 0.95  # alphas between which the camera's detail appears in the colours


def person_layer(matte: Matte, settings: RefineSettings) -> Layer:
    """The layer of a matte that is smoothed already, BGRA ``uint8 (H, W, 4)``; the alpha is not
    multiplied into the colours.

    All channels are 0 where the alpha is 0, because a reader may ignore the alpha. For the same
    reason, the more transparent a pixel is, the less of the camera's detail it keeps; what remains
    is the person's colour from nearby.
    """
    settings = settings.model_copy(update={"decontaminate": True})
    person = upsampled(matte, settings)
    layer = np.zeros((*person.frame.shape[:2], 4), np.uint8)
    if not person.part.size:
        return layer
    alpha = cv2.convertScaleAbs(person.part, alpha=255.0)
    pixels = cv2.cvtColor(_colours(matte, person, settings), cv2.COLOR_BGR2BGRA)
    cv2.mixChannels([alpha], [pixels], [0, 3])
    cv2.copyTo(pixels, alpha, layer[person.box])
    return layer


def _colours(matte: Matte, person: Refined, settings: RefineSettings) -> Image:
    """The person's colours in the box, BGR ``uint8 (h, w, 3)``, without detail at the edge."""
    height, width = person.frame.shape[:2]
    detailed = person.frame[person.box] if person.colours is None else person.colours
    plain = _spread(matte, settings)
    if plain.shape == person.frame.shape:  # the engine's own
        return plain[person.box]
    low, high = DETAIL
    share = cv2.multiply(cv2.subtract(person.part, low), 1 / (high - low))
    share = np.clip(share, 0.0, 1.0, out=share)
    smooth = np.ascontiguousarray(enlarged(plain, (width, height), person.box))
    return cv2.blendLinear(detailed, smooth, share, cv2.subtract(1.0, share))


def _spread(matte: Matte, settings: RefineSettings) -> Image:
    """A small picture with the person's colours, which continue beyond the edge; of the frame's
    size if the engine itself gives one of that size."""
    if matte.foreground is not None and matte.guide is None:
        return matte.foreground
    small = matte if matte.guide is not None else with_foreground(matte)
    assert small.guide is not None
    change = colour_change(small, True, reach_of(settings))
    if change is None:
        return small.guide
    spread: Image = cv2.add(small.guide, change, dtype=cv2.CV_8U)
    return spread
