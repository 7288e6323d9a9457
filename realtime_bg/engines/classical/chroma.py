"""Chroma keying: the person in front of a green, blue or other coloured screen.

Vlahos's colour difference (US patent 3,158,477, 1964; Smith and Blinn, "Blue screen matting",
SIGGRAPH 1996), generalised to any hue in the CbCr plane as in van den Bergh and Lalioti, "Software
chroma keying in an immersive virtual environment", 1999. With X along the screen's chroma and Z
perpendicular to it, d = max(0, X - |Z| / tan 60) is the screen's contribution to a pixel. For a
mixture I = a F + (1 - a) S with a neutral F, d = (1 - a) d_S. Hence a = 1 - d / d_S, and I - S d /
d_S = a F.
"""

import logging
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.engines.base import Engine
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size
from realtime_bg.imaging.colours import find_colour
from realtime_bg.imaging.fill import fill
from realtime_bg.settings import EngineSettings, Point
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)

# Cb - 128 and Cr - 128 of blue, green, red (ITU-R BT.601).
CHROMA = np.array([[0.5, -0.331, -0.169], [-0.081, -0.419, 0.5]], np.float32)
ACROSS = 0.577  # 1 / tan 60: colours more than 60 degrees of hue away contain nothing of the screen
SCREENS = {"green": (64, 177, 0), "blue": (187, 71, 0)}  # BGR of common screen cloth
LONG_SIDE = 96  # pixels on the longer side of the picture in which the screen is searched
# fraction of the border needed to find a screen, and of the picture needed to keep it
ENOUGH, LITTLE = 0.35, 0.03
COLOURED = 12.0  # smallest d of a screen, in levels of chroma
PATCH = 60  # the shorter side divided by the radius of the patch that is read at the picked point
GREY = 24  # spread between the channels, below which a picked colour is grey
# fraction of the usual d; below it, a shadow on the screen cannot be told from dark cloth
FLOOR = 0.2


class Screen(NamedTuple):
    """``rows``, ``float32 (3, 3)``, maps a BGR pixel to X and to the two signs of Z. ``colour`` is
    the BGR colour of the screen, ``float32 (3,)``, and ``strength`` its d. ``local`` is d of the
    screen at each pixel, ``float32 (h, w)``."""

    rows: NDArray[np.float32]
    colour: NDArray[np.float32]
    strength: float
    local: Alpha


class Chroma(Engine):
    """Keys at full size, because sharp edges are the reason to use a screen. The uneven lighting of
    the screen is measured on a small picture and interpolated behind the person."""

    description = "no weights: green, blue or any coloured screen, with spill removed"

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        super().__init__(settings, size, stats)
        wanted = settings.work_size or size
        self.work_size = min(wanted[0], size[0]), min(wanted[1], size[1])
        scale = min(1.0, LONG_SIDE / max(size))
        self._small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
        self._said = False
        if settings.chroma.pick is not None:  # somebody may be standing there by now
            self.least_scale = 1.0
        self._picked: Image | None = None  # chosen by the user, so a reset keeps it
        self._pick = settings.chroma.pick
        self.reset()

    def reset(self) -> None:
        self._key: NDArray[np.float32] | None = None  # chroma direction of the last screen found

    def matte(self, frame: Frame) -> Matte:
        with self.stats.stage("resize"):
            image, guide = frame.image, None
            if self.work_size != self.size:
                image = guide = cv2.resize(image, self.work_size, interpolation=cv2.INTER_AREA)
            small = cv2.resize(image, self._small, interpolation=cv2.INTER_AREA)
        with self.stats.stage("network"):
            if self._pick is not None:
                self._read_colour(frame.image, self._pick)
            screen = self._find(small)
            if screen is None:
                return self._lost(frame, guide)
            alpha, foreground = self._keyed(image, screen)
        return Matte(frame, alpha, foreground, guide)

    def _lost(self, frame: Frame, guide: Image | None) -> Matte:
        if not self._said:
            colour = self.settings.chroma.colour
            what = "a green or blue screen" if colour == "auto" else f"the colour {colour}"
            if self._picked is not None:
                what = f"the colour {_hex(self._picked)}"
            log.warning("%s is not in the picture; the person stays hidden until it is", what)
            self.stats.notice("no screen found")
            self._said = True
        return Matte(frame, np.zeros(self.work_size[::-1], np.float32), None, guide, lost=True)

    def _read_colour(self, image: Image, pick: Point) -> None:
        """Take the colour around a point, in fractions of width and height, as the screen's
        colour."""
        self._pick = None
        height, width = image.shape[:2]
        radius = max(1, min(height, width) // PATCH)
        x, y = min(int(pick[0] * width), width - 1), min(int(pick[1] * height), height - 1)
        patch = image[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        colour = np.median(patch.reshape(-1, 3), axis=0).astype(np.uint8)
        if int(colour.max()) - int(colour.min()) < GREY:
            log.warning("%s is too close to grey to be the colour of a screen", _hex(colour))
            self.stats.notice(f"{_hex(colour)} is too grey for a screen")
            return
        log.info("the screen's colour is %s", _hex(colour))
        self.stats.notice(f"screen {_hex(colour)}")
        self._picked = colour

    def _find(self, small: Image) -> Screen | None:
        """The screen in a small picture: that of the last frame if it is still there, otherwise the
        wanted one whose colour covers most of the border."""
        found = None
        if self._key is not None:
            found = screen_along(self._key, small, None)
        if found is None:
            colour = self.settings.chroma.colour
            asked: list[Any] = list(SCREENS.values())
            if colour != "auto":
                asked = [SCREENS.get(colour) or find_colour(colour) or asked[0]]
            edge: NDArray[np.bool_] | None = _border(small.shape[:2])
            if self._picked is not None:  # a screen picked by the user need not reach the border
                asked, edge = [self._picked], None
            screens = [screen_along(CHROMA @ np.array(c, np.float32), small, edge) for c in asked]
            found = max((s for s in screens if s), key=lambda s: s.strength, default=None)
        self._key = None if found is None else CHROMA @ found.colour
        return found

    def _keyed(self, image: Image, screen: Screen) -> tuple[Alpha, Image]:
        """Alpha and foreground of a picture."""
        s, size = self.settings.chroma, (image.shape[1], image.shape[0])
        d = difference(image, screen.rows)
        local = cv2.resize(screen.local, size, interpolation=cv2.INTER_LINEAR)
        linear = cv2.divide(d, local, dtype=cv2.CV_32F)  # 1 - a, before noise is removed
        soft = max(min(s.softness, 1 - s.tolerance), 0.01)
        alpha = cv2.subtract((1 - s.tolerance) / soft, cv2.multiply(linear, 1 / soft))
        alpha = np.clip(alpha, 0, 1, out=alpha)
        # Subtract the screen's contribution, both at the edge and as spill: d S / d_S.
        parts = [
            cv2.convertScaleAbs(d, alpha=float(s.despill * c / screen.strength))
            for c in screen.colour
        ]
        foreground = cv2.subtract(image, cv2.merge(parts))
        edge = np.flatnonzero(((alpha > 0) & (alpha < 1)).ravel())
        share = 1 - s.despill * np.minimum(linear.ravel()[edge], 0.9)
        colours = foreground.reshape(-1, 3)
        colours[edge] = np.minimum(colours[edge] / share[:, None], 255)
        return alpha, foreground


def _hex(colour: Image) -> str:
    return "#" + "".join(f"{int(channel):02x}" for channel in colour[::-1])


def difference(image: Image, rows: NDArray[np.float32]) -> Image:
    """d of each pixel of a BGR ``uint8 (h, w, 3)`` picture, as ``uint8 (h, w)`` in levels of
    chroma."""
    x, left, right = cv2.split(cv2.transform(image, rows))  # negative values become 0
    return cv2.subtract(cv2.subtract(x, left), right)


def screen_along(
    direction: NDArray[np.float32], small: Image, edge: NDArray[np.bool_] | None
) -> Screen | None:
    """The screen whose chroma is within 30 degrees of ``direction`` (Cb, Cr), measured on a small
    picture. None if too little of it is in ``edge``, ``bool (h, w)``, or in the whole picture if
    there is no ``edge``."""
    unit = direction / max(float(np.linalg.norm(direction)), 1e-6)
    along = unit @ CHROMA
    across = ACROSS * np.array([-unit[1], unit[0]], np.float32) @ CHROMA
    rows = np.stack([along, across, -across]).astype(np.float32)
    d = difference(small, rows).astype(np.float32)
    # Relative to the brightness, so that shaded parts of the screen count as screen, and dark hair
    # does not.

    ratio = d / (small.max(2).astype(np.float32) + 30)
    where = np.ones(d.shape, bool) if edge is None else edge
    strong = where & (d > COLOURED) & (ratio > 0.08)
    if (
        strong.mean() < LITTLE / 2
        or strong.sum() < (LITTLE if edge is None else ENOUGH) * where.sum()
    ):
        return None
    usual = float(np.median(ratio[strong]))
    pure = (ratio > 0.7 * usual) & (d > COLOURED / 2)
    strength = float(np.median(d[pure]))
    colour = np.median(small[pure], axis=0).astype(np.float32)
    sure = cv2.erode(pure.astype(np.float32), np.ones((3, 3), np.uint8), borderValue=1)
    spread = fill(cv2.merge([d.astype(np.uint8)] * 3), sure)[..., 0].astype(np.float32)
    local = cv2.GaussianBlur(np.where(sure > 0, d, spread), (0, 0), 1)
    return Screen(rows, colour, strength, np.maximum(local, FLOOR * strength))


def _border(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The top and the upper sides of a picture, ``bool (h, w)``, where a screen is expected."""
    height, width = shape
    edge = np.zeros((height, width), bool)
    edge[: max(1, height // 10)] = True
    edge[: max(1, height * 2 // 3), : max(1, width // 12)] = True
    edge[: max(1, height * 2 // 3), -max(1, width // 12) :] = True
    return edge
