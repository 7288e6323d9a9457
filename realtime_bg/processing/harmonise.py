"""Relighting the person to match the background: colour match, ambient light, light wrap.

All effects are smooth, so they are computed on small pictures and upsampled.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Frame, Image, Matte
from realtime_bg.imaging.geometry import enlarged, resize
from realtime_bg.processing.refine import Refined
from realtime_bg.processing.steady import follows
from realtime_bg.settings import HarmoniseSettings

SIDE = 96, 54  # width and height of the small pictures
MATCH = 0.5  # exponent: a person half as bright as the background becomes 1.4 times as bright
TINT = 0.35  # exponent of the difference in colour between the two pictures
AMBIENT = 0.6  # exponent of the light from the bright side of the background
MOST = 1.6  # largest gain of a channel
TOP, BRIGHTEST = 0.97, 225.0  # grey level up to which a match raises this share of the person
SOFTEST = 12.0  # pixels of the small picture over which the background's light is spread
WRAP = 2.5  # pixels of the small picture by which light reaches over the edge
PERSON = 0.5  # alpha from which a pixel counts for that
LIFT = 8  # grey levels that are added before ratios are taken, so that black does not count much
CALM = 0.92  # weight of the previous gains, so that the exposure does not pump

Floats = NDArray[np.float32]


class Harmony:
    """Relights the person; remembers the gains of the last frame."""

    def __init__(self) -> None:
        self._last: tuple[Frame, Floats] | None = None
        self._background: tuple[Image, Floats] | None = None

    def __call__(
        self, person: Refined, matte: Matte, background: Image, settings: HarmoniseSettings
    ) -> Refined:
        """``person`` with adapted colours; ``background`` has the size of the frame."""
        if not (settings.match or settings.ambient or settings.light_wrap) or not person.part.size:
            return person
        alpha = resize(matte.alpha, SIDE)
        behind = self._small(background)
        picture = matte.frame.image if matte.guide is None else matte.guide
        gain = self._matched(resize(picture, SIDE).astype(np.float32), alpha, behind)
        gain = self._calmed(gain, matte.frame)
        light = np.broadcast_to(np.power(gain, np.float32(settings.match)), behind.shape)
        if settings.ambient:
            border = cv2.BORDER_REPLICATE
            around = LIFT + cv2.GaussianBlur(behind, (0, 0), SOFTEST, borderType=border)
            light = light * np.power(around / around.mean((0, 1)), settings.ambient * AMBIENT)
        light = np.clip(light, 1 / MOST, MOST).astype(np.float32)
        size = background.shape[1], background.shape[0]
        seen = person.frame[person.box] if person.colours is None else person.colours
        colours = cv2.multiply(seen, enlarged(light, size, person.box), dtype=cv2.CV_32F)
        if settings.light_wrap:
            # Screen blending: adds light where the person is dark, and nothing is overexposed.
            glow = wrap(alpha, behind) * np.float32(settings.light_wrap)
            glow = enlarged(glow, size, person.box)
            colours += glow * (1 - np.minimum(colours, 255) * np.float32(1 / 255))
        return person._replace(colours=np.clip(np.rint(colours), 0, 255).astype(np.uint8))

    def _small(self, background: Image) -> Floats:
        """The background at `SIDE`; an unchanged one is reduced only once."""
        if self._background is None or self._background[0] is not background:
            self._background = background, resize(background, SIDE).astype(np.float32)
        return self._background[1]

    @staticmethod
    def _matched(picture: Floats, alpha: Alpha, behind: Floats) -> Floats:
        """The gains, ``float32 (3,)``, towards the light of the background.

        The brightness is that of the person's mean (as in Reinhard et al. 2001, Color Transfer
        between Images). The colour is that of the whole camera picture (grey-world assumption),
        because the person's mean colour depends on the clothes.
        """
        share = alpha[..., None]
        mean = (picture * share).sum((0, 1)) / max(float(share.sum()), 1e-3)
        there, here = behind.mean((0, 1)) + LIFT, picture.mean((0, 1)) + LIFT
        tint = there / there.mean() / (here / here.mean())
        gain = (there.mean() / (mean.mean() + LIFT)) ** MATCH * tint**TINT
        gain = np.clip(gain, 1 / MOST, MOST)
        return (gain * _headroom(picture, alpha, gain)).astype(np.float32)

    def _calmed(self, gain: Floats, frame: Frame) -> Floats:
        """The gains of a frame, smoothed with those of the previous one."""
        if self._last is not None and follows(frame, self._last[0]):
            gain = np.float32(CALM) * self._last[1] + np.float32(1 - CALM) * gain
        self._last = frame, gain
        return gain


def _headroom(picture: Floats, alpha: Alpha, gain: Floats) -> float:
    """A factor, up to 1, with which the ``gain`` of each channel overexposes nobody. The mean of
    somebody in dark clothes says little of the face, which is much brighter."""
    person = picture[alpha > PERSON]
    if not len(person):
        return 1.0
    before, after = (float(np.quantile(one.max(1), TOP)) for one in (person, person * gain))
    return min(1.0, max(BRIGHTEST, before) / max(after, 1.0))


def wrap(alpha: Alpha, behind: Floats) -> Floats:
    """The light of the background that reaches over the edge: bright next to the edge, nothing
    inside."""
    border = cv2.BORDER_REPLICATE
    outside = 1 - alpha
    near = cv2.GaussianBlur(outside, (0, 0), WRAP, borderType=border)[..., None]
    light = cv2.GaussianBlur(behind * outside[..., None], (0, 0), WRAP, borderType=border)
    # The mean colour outside, weighted by how much of the neighbourhood is outside.
    return np.asarray(light / np.maximum(near, 1e-3) * np.minimum(0.6, near), np.float32)
