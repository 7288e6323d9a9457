"""Automatic exposure and white balance: how much light of each colour the person lacks, measured a
few times a second and corrected so slowly that nobody sees it happen."""

import math

import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Frame, Image
from realtime_bg.imaging.geometry import resize
from realtime_bg.imaging.tone import LIGHT
from realtime_bg.settings import LightSettings

SIDE = 96, 54  # width and height of the picture in which light is measured
EVERY = 0.25  # seconds between two measurements
PAUSE = 2.0  # seconds without a frame after which the last gains no longer count
TAU = 0.7  # seconds in which two thirds of the way to new gains are gone
SAME = 0.08  # difference of the logarithm of two gains that is not followed: a twelfth
REACHED = 0.004  # the same, as good as reached
SURE = 0.9  # alpha from which a pixel is measured
FEWEST = 25  # such pixels of the small picture that are needed
LUMA = np.array([0.0722, 0.7152, 0.2126], np.float32)  # of blue, green and red light (BT.709)

TARGET = 0.26  # light that a person is to have; the skin is about that bright in a good picture
MIDDLE = 0.6  # share of the person that is darker than what is brought to it
FACE = 0.25  # of the person's height, from the top: what is there counts most
REST = 0.06  # weight of what is further down, such as clothes
TOP, TOP_MOST = 0.9, 0.65  # the brightest tenth of the person gets little more light than this
ROOM, ROOM_TARGET = 0.75, 0.5  # the same two for the whole picture
LEAST_LIMIT, MOST = 1.8, 8.0  # largest gain in a room that is bright, and in any

CAST = 0.65  # share of a cast that is removed
UNSURE = 0.05  # logarithm of a ratio of colours that is no cast
MOST_CAST = 0.4  # and of the largest correction of a colour
SEEN = 0.004, 0.9  # light of pixels whose colour can be measured

Gains = NDArray[np.float32]
ONES = np.ones(3, np.float32)


class Metering:
    """Remembers the gains of one stream. At the first frame and at a new epoch they jump to what is
    measured; otherwise they are eased, and a small difference is left alone."""

    def __init__(self) -> None:
        self._last: Frame | None = None
        self._measured = 0.0  # time of the last measurement
        self._now = self._goal = np.zeros(3, np.float32)  # logarithms

    def __call__(
        self, frame: Frame, picture: Image, alpha: Alpha, settings: LightSettings
    ) -> Gains:
        """What the light of blue, green and red is to be multiplied by, ``float32 (3,)``; ones if
        nothing is wrong. ``picture``: the frame at any size; ``alpha``: the person in it."""
        last, self._last = self._last, frame
        jumps = last is None or not frame.same_view(last) or not 0 <= frame.time - last.time < PAUSE
        if jumps or frame.time - self._measured >= EVERY:
            self._measured = frame.time
            found = measured(resize(picture, SIDE), resize(alpha, SIDE), settings)
            if found is not None:
                goal = np.log(found)
                if jumps or np.abs(goal - self._goal).max() > SAME:
                    self._goal = goal
            elif jumps:
                self._goal = np.zeros(3, np.float32)
        if jumps or last is None:
            self._now = self._goal
        elif self._now is not self._goal:
            share = 1 - math.exp((last.time - frame.time) / TAU)
            self._now = self._now + np.float32(share) * (self._goal - self._now)
            if np.abs(self._goal - self._now).max() < REACHED:
                self._now = self._goal
        return np.exp(self._now)


def measured(picture: Image, alpha: Alpha, settings: LightSettings) -> Gains | None:
    """The gains for one picture ``(h, w, 3)``; None if too little of a person is seen."""
    sure = alpha > SURE
    if np.count_nonzero(sure) < FEWEST:
        return None
    light = LIGHT[picture]
    balance = _white(light, sure, settings.white) if settings.white else ONES
    if not settings.exposure:
        return balance
    return np.asarray(balance * _exposure(light @ LUMA, sure, settings.exposure), np.float32)


def _exposure(light: NDArray[np.float32], sure: NDArray[np.bool_], share: float) -> float:
    """One gain. Somebody dark in a bright room may have the light behind them or dark skin, so it
    is limited there; in a dark room it is not."""
    rows, columns = np.nonzero(sure)
    depth = (rows - rows[0]) / (rows[-1] - rows[0] + 1)
    weight = REST + np.exp(-np.square(depth / FACE))
    person = light[rows, columns]
    order = np.argsort(person)
    below = np.cumsum(weight[order])
    middle, top = (
        float(person[order[np.searchsorted(below, part * below[-1])]]) for part in (MIDDLE, TOP)
    )
    room = float(np.quantile(light, ROOM))
    limit = min(MOST, max(LEAST_LIMIT, ROOM_TARGET / max(room, 1e-3)))
    gain = min(limit, TARGET / max(middle, 1e-3), TOP_MOST / max(top, 1e-3))
    return max(1.0, gain) ** share


def _white(light: NDArray[np.float32], sure: NDArray[np.bool_], share: float) -> Gains:
    """Gains that leave the brightness as it is. The mean of the person and that of the whole
    picture are supposed to be grey (grey-world assumption). Skin, clothes and walls are not, so
    only a cast that both have counts, and only a part of it is removed."""
    grey = light @ LUMA
    clear = (grey > SEEN[0]) & (light.max(axis=2) < SEEN[1])
    casts = []
    for part in (clear & sure, clear):
        if np.count_nonzero(part) < FEWEST:
            return ONES
        mean = np.log(light[part].mean(axis=0) + 1e-5)
        casts.append(mean - mean[1])
    person, whole = casts
    both = np.sign(person) * np.minimum(np.abs(person), np.abs(whole))
    both[np.sign(person) != np.sign(whole)] = 0
    cast = np.sign(both) * np.maximum(np.abs(both) - UNSURE, 0)
    gains = np.exp(-np.clip(CAST * share * cast, -MOST_CAST, MOST_CAST))
    return np.asarray(gains / (gains @ LUMA) if (cast != 0).any() else ONES, np.float32)
