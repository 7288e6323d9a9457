"""The demo camera: a portrait that moves in a drawn room, with known alpha.

The portrait shows the astronaut Eileen Collins, a NASA photograph in the public domain. Everything
depends only on the index of the frame, so every run produces the same pixels, and
`DemoSource.alpha` is the ground-truth alpha of each frame.
"""

import math
import time
from collections.abc import Generator

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Frame, Image, Size
from realtime_bg.settings import SourceSettings
from realtime_bg.sources._demo_person import BOTTOM, MIDDLE, Figure, portrait
from realtime_bg.sources._demo_room import Room
from realtime_bg.sources.base import Source

TALL = 0.80  # height of the person as a fraction of the height of the frame
GRAIN = 2.6  # standard deviation of the sensor noise, in levels of 255


class DemoSource(Source):
    """An endless, deterministic talking-head scene; ``target`` is not used.

    If ``paced``, it behaves like a camera: frames follow the clock, and those not taken in time are
    skipped.
    """

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        super().__init__(target, settings, paced)
        self.live = paced
        self.size = settings.size or (1280, 720)
        self.fps = float(settings.fps or 30.0)
        figure = portrait()
        self.description = f"demo: a portrait, {self.size[0]}x{self.size[1]} at {self.fps:g} fps"
        self._room = Room(self.size)
        self._person, self._scale = _enlarged(figure, self.size)
        self._grain = _grain(self.size)

    def __iter__(self) -> Generator[Frame, None, None]:
        start, index = time.monotonic(), 0
        while not self.closed.is_set():
            image, moment = self.image(index), index / self.fps
            if self.paced:
                if self.closed.wait(max(0.0, start + moment - time.monotonic())):
                    return
                moment = time.monotonic()
            yield Frame(image, index, moment)
            missed = int((time.monotonic() - start) * self.fps) if self.paced else 0
            index = max(index + 1, missed)

    def close(self) -> None:
        self.closed.set()

    def image(self, index: int) -> Image:
        """Frame ``index``: BGR ``uint8 (H, W, 3)``."""
        image = self._room.image(index / self.fps)
        place, person = self._placed(index)
        if person is not None:
            part = image[place]
            blue, green, red, alpha = cv2.split(person)
            room_share = cv2.bitwise_not(cv2.merge([alpha] * 3))
            colours = cv2.merge([blue, green, red])
            cv2.add(cv2.multiply(part, room_share, scale=1 / 255), colours, dst=part)
        width, height = self.size
        left, top = 7919 * index % 33, 104729 * index // 8 % 33
        lighter, darker = (g[top : top + height, left : left + width] for g in self._grain)
        return cv2.subtract(cv2.add(image, lighter), darker)

    def alpha(self, index: int) -> Alpha:
        """The ground-truth alpha of frame ``index``: ``float32 (H, W)`` in [0, 1], exact to
        1/255."""
        alpha = np.zeros((self.size[1], self.size[0]), np.float32)
        place, person = self._placed(index)
        if person is not None:
            alpha[place] = person[..., 3] * np.float32(1 / 255)
        return alpha

    def _placed(self, index: int) -> tuple[tuple[slice, slice], Image | None]:
        """The position of the person in a frame, and premultiplied BGRA ``uint8`` pixels for it."""
        width, height = self.size
        matrix = self._pose(index / self.fps)
        rows, columns = self._person.shape[:2]
        corners = (
            np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1]]) @ matrix.T
        )
        left, top = np.clip(np.floor(corners.min(0)), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(0)) + 1, 0, (width, height)).astype(int)
        place = slice(top, bottom), slice(left, right)
        if right <= left or bottom <= top:
            return place, None
        matrix[:, 2] -= left, top
        return place, cv2.warpAffine(self._person, matrix, (right - left, bottom - top))

    def _pose(self, seconds: float) -> NDArray[np.float64]:
        """Sway, lean and breath: the matrix (2, 3) that maps the enlarged figure to the frame."""

        def wave(period: float, phase: float = 0.0) -> float:
            return math.sin(2 * math.pi * seconds / period + phase)

        width, height = self.size
        matrix = cv2.getRotationMatrix2D(
            (MIDDLE * self._scale, BOTTOM * self._scale),
            1.5 * wave(7.3, 0.4) + 0.6 * wave(2.9),
            1 + 0.025 * wave(9.7) + 0.004 * wave(3.7),
        )
        matrix[0, 2] += (
            width * (0.5 + 0.035 * wave(7.3) + 0.012 * wave(3.1, 1)) - MIDDLE * self._scale
        )
        matrix[1, 2] += height - BOTTOM * self._scale
        return matrix


def _enlarged(figure: Figure, size: Size) -> tuple[Image, float]:
    """The figure at the size at which it is shown, premultiplied BGRA ``uint8``, and its scale."""
    rows, columns = figure.alpha.shape
    scale = min(TALL * size[1] / (BOTTOM - 15), 0.95 * size[0] / columns)
    shape = max(1, round(columns * scale)), max(1, round(rows * scale))
    how = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA
    image = cv2.resize(figure.image, shape, interpolation=how).astype(np.float32)
    alpha = cv2.resize(figure.alpha, shape, interpolation=how)[..., None].clip(0, 1)
    if scale > 1:
        image += 0.6 * (image - cv2.GaussianBlur(image, (0, 0), 0.8 * scale))
    person = np.concatenate([image.clip(0, 255) * alpha, 255 * alpha], axis=-1)
    return np.rint(person).astype(np.uint8), scale


def _grain(size: Size) -> tuple[Image, Image]:
    """Sensor noise as the amounts to add and to subtract, slightly larger than ``size``."""
    rng = np.random.default_rng(2)
    shape = (size[1] + 32, size[0] + 32, 3)
    grain = np.rint(rng.standard_normal(shape, np.float32) * np.float32(GRAIN))
    return grain.clip(0, 255).astype(np.uint8), (-grain).clip(0, 255).astype(np.uint8)


# ------------------------------------------------------------------------------- the person


# --------------------------------------------------------------------------------- the room
