"""Averaging a camera's noise away over time where the person holds still, and nowhere else."""

import math

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Frame, Image
from realtime_bg.imaging import kernels
from realtime_bg.imaging.flow import Grey
from realtime_bg.imaging.geometry import Box, enlarged
from realtime_bg.processing.steady import follows

MOST = 0.88  # weight of the previous picture where nothing moves
SEEN = 0.05  # alpha from which a pixel counts
STEADY = 0.1  # difference of the alphas of two frames where an edge holds still
AROUND = 5, 5  # small pixels over which noise is averaged before motion is looked for
RIM = np.ones((3, 3), np.uint8)
STILL, STILLER = 1.5, 3.0  # grey levels by which a small pixel differs that moves, and as a factor
QUIETEST, LOUDEST = 1.0, 12.0  # grey levels of noise that are expected
EVERYWHERE = 16  # every so many pixels, noise is measured
LOWER = 0.25, 0.319  # a quantile of differences, and how many standard deviations of noise that is
CALM = 0.9  # weight of the last measurement of the noise


class Denoise:
    """Remembers the last picture of one stream. What differs from it by more than noise does, or
    lies in a small pixel that moves, is taken from the current picture alone: no ghosts."""

    def __init__(self) -> None:
        self._last: tuple[Frame, Grey, Alpha] | None = None
        self._before: Image | None = None  # of the frame's size; valid inside the last alpha
        self._noise = QUIETEST

    def __call__(
        self, frame: Frame, colours: Image, small: Grey, alpha: Alpha, box: Box, strength: float
    ) -> Image:
        """The ``box`` of ``colours``, the frame's picture or the person's colours of its size, with
        less noise, valid until the next call. ``small`` and ``alpha``: the frame in grey and the
        person, ``(h, w)`` of the same small size. ``strength``: 0 to 1."""
        part, last = colours[box], self._last
        if self._before is None or self._before.shape != colours.shape:
            self._before, last = np.empty_like(colours), None
        self._last = frame, small, alpha
        if last is not None and follows(frame, last[0]) and small.shape == last[1].shape:
            self._average(part, self._before[box], self._still(last, box), strength)
        else:
            self._before[box] = part
        return self._before[box]

    def _still(self, last: tuple[Frame, Grey, Alpha], box: Box) -> Image:
        """Where nothing moves: 255; where something does, 0; ``uint8``, at full size."""
        assert self._last is not None
        frame, now, alpha = self._last
        off = cv2.blur(cv2.absdiff(now, last[1]), AROUND)
        inside = cv2.compare(cv2.min(alpha, last[2]), SEEN, cv2.CMP_GT)
        inside &= cv2.compare(cv2.absdiff(alpha, last[2]), STEADY, cv2.CMP_LT)
        levels = np.arange(256, dtype=np.float32)
        least = STILL + self._noise / 8
        certain = np.clip((STILLER * least - levels) / ((STILLER - 1) * least), 0, 1)
        still = cv2.min(cv2.LUT(off, (255 * certain).astype(np.uint8)), inside)
        # A pixel that was outside the last box must not get a share from upsampling.
        return enlarged(cv2.erode(still, RIM), frame.size, box)

    def _average(self, now: Image, before: Image, still: Image, strength: float) -> None:
        """Replace ``before`` by a mean with ``now``. It is rounded towards that, so that every
        pixel comes closer to the current picture with each frame."""
        few = np.s_[::EVERYWHERE, ::EVERYWHERE]
        self._listen(cv2.absdiff(now[few], before[few]), still[few])
        weight = MOST * math.sqrt(strength)
        if kernels.compiled:
            kernels.settle(now, before, np.ascontiguousarray(still), weight, self._noise)
            return
        less, more = cv2.subtract(before, now), cv2.subtract(now, before)
        share, taken = cv2.merge([still] * 3), _taken(self._noise, weight)
        less, more = (
            cv2.multiply(cv2.LUT(one, taken), share, scale=1 / 255) for one in (less, more)
        )
        before[...] = cv2.subtract(cv2.add(now, less), more)

    def _listen(self, off: Image, still: Image) -> None:
        """Measure the noise where nothing moves."""
        heard = off[still > 0]
        if len(heard):
            noise = float(np.quantile(heard, LOWER[0])) / LOWER[1]
            noise = min(LOUDEST, max(QUIETEST, noise))
            self._noise += (1 - CALM) * (noise - self._noise)


def _taken(noise: float, weight: float) -> Image:
    """For each difference in grey levels, how much of it is noise: ``weight`` of it up to two
    standard deviations, and nothing from four on."""
    off = np.arange(256, dtype=np.float32)
    trust = np.clip(2 - off / (2 * noise), 0, 1)
    return np.floor(weight * trust * off).astype(np.uint8)
