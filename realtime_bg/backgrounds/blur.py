"""`blur`: the room out of focus, without traces of the person in front of it."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds.base import Background
from realtime_bg.errors import BackgroundError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.fill import fill
from realtime_bg.imaging.geometry import fit, resize, shrunk
from realtime_bg.settings import BackgroundSettings

WAYS = "bokeh", "depth"
CARD = (92, 86, 80)  # BGR; shown if no part of the room is visible
WORK_SIDE = 320  # pixels on the longer side of the picture in which the person is filled in
SHARPEST = 2.0  # smallest spread in pixels that hides the grid after upsampling
NEAR = 0.35  # fraction of the radius that remains at the lower edge, with `depth`
FAR_AT = 0.45  # fraction of the height, from the top: everything above it is far away
DISC = 8.0  # smallest radius in pixels at which a disc looks round
LIGHT = 3.0  # exponent from grey levels to light, which makes the discs of lamps stand out
SOLID = 0.4  # pixels with at least this alpha belong to the person and contribute no colour


class BlurBackground(Background):
    """``blur:RADIUS`` imitates a lens whose discs of confusion have that radius, in pixels at a
    height of 720. ``blur:RADIUS:bokeh`` renders visible discs for lamps, ``blur:RADIUS:depth``
    blurs less towards the lower edge, where a room is near, and ``blur:RADIUS:bokeh:depth`` does
    both.

    A plain blur would smear the person's colours into the room as a halo. So the person is first
    filled in from the surroundings, which also keeps the person's pixels out of a picture that must
    not contain them.
    """

    needs_frame = True
    takes_target = target_is_safe = True

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self.radius, ways = _parsed(target)
        self.bokeh, self.depth = "bokeh" in ways, "depth" in ways

    @classmethod
    def check_target(cls, target: str) -> None:
        _parsed(target)

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        if frame is None or alpha is None:
            raise ValueError("the background 'blur' needs the frame and its alpha")
        if (frame.shape[1], frame.shape[0]) != size:
            frame = fit(frame, size, self.settings.fit)
            alpha = fit(alpha, size, self.settings.fit)
        # The standard deviation of a disc is half its radius
        sigma = self.radius / 2 * size[1] / 720
        small = shrunk(size, min(1.0, WORK_SIDE / max(size)))
        weight = room_weight(resize(alpha, small))
        if weight.mean() < 1e-3:
            return np.full((size[1], size[0], 3), CARD, np.uint8)
        room = fill(resize(frame, small), weight)
        # The larger the blur, the smaller the picture in which it can be computed.
        sharpest = DISC / 2 if self.bokeh else SHARPEST
        # Halfway between near and far
        scale = min(1.0, sharpest / (sigma * 0.6 if self.depth else sigma))
        work = shrunk(size, scale)
        if work[0] > small[0]:
            room, weight = resize(room, work), resize(weight, work)
            sharp = resize(frame, work)
            room = cv2.blendLinear(sharp, room, weight, 1.0 - weight)
        elif scale * max(size) < WORK_SIDE / 2:
            room = resize(room, work)
        else:
            scale = small[0] / size[0]
        blurred = self._blurred(room, sigma * scale)
        if self.depth:
            height, width = room.shape[:2]
            near = np.clip((np.linspace(0, 1, height) - FAR_AT) / (1 - FAR_AT), 0, 1)
            share = np.repeat(near.astype(np.float32)[:, None], width, axis=1)
            blurred = cv2.blendLinear(
                self._blurred(room, NEAR * sigma * scale), blurred, share, 1 - share
            )
        return resize(blurred, size)

    def _blurred(self, room: Image, sigma: float) -> Image:
        if not self.bokeh:
            return cv2.GaussianBlur(room, (0, 0), max(sigma, 0.1))
        light = np.power(room * np.float32(1 / 255), np.float32(LIGHT))
        light = cv2.filter2D(light, -1, disc(2 * sigma), borderType=cv2.BORDER_REFLECT)
        levels = np.power(np.clip(light, 0, 1), np.float32(1 / LIGHT)) * 255
        return np.rint(levels).astype(np.uint8)


def _parsed(target: str) -> tuple[float, list[str]]:
    """The radius and the further words of ``RADIUS:WAY:...``. Raises BackgroundError."""
    radius, *ways = target.strip().split(":")
    if radius in WAYS:  # blur:bokeh
        radius, ways = "", [radius, *ways]
    try:
        pixels = float(radius) if radius.strip() else 24.0
    except ValueError:
        pixels = 0.0
    unknown = [way for way in ways if way not in WAYS]
    if unknown:
        raise BackgroundError(
            f"background 'blur:{target}': {unknown[0]!r} is unknown; after the radius there "
            f"may be {' and '.join(WAYS)}, for example blur:24:bokeh"
        )
    if not 1.0 <= pixels <= 200.0:
        raise BackgroundError(
            f"background 'blur:{target}': the radius must be a number of pixels from 1 to "
            "200; write for example blur:24"
        )
    return pixels, ways


def disc(radius: float) -> NDArray[np.float32]:
    """A kernel in the shape of a disc with a soft rim and sum 1; ``radius`` in pixels."""
    half = math.ceil(radius + 0.5)
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    share = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return share / share.sum()


def room_weight(alpha: Alpha) -> Alpha:
    """The weight with which each pixel contributes its colour, ``float32 (h, w)`` in [0, 1]; 0 near
    the person."""
    rim = cv2.dilate(alpha, np.ones((5, 5), np.uint8))  # hair and errors extend beyond the alpha
    weight: Alpha = np.clip(1.0 - rim / SOLID, 0.0, 1.0).astype(np.float32)
    return weight
