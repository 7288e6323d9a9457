"""Combines two engines: the mask of a detector, for example, limits a matting engine or adds an
object to its matte."""

import cv2
import numpy as np

from realtime_bg.engines.base import Engine
from realtime_bg.frames import Alpha, Frame, Image, Labels, Matte, Size, downloaded
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats


class Combined(Engine):
    """``main`` computes the matte; ``second`` limits where (``gate``) or adds to it (``add``).

    A gate extends ``settings.combine.margin`` of the width beyond what the second engine finds, so
    that hair outside a coarse mask is kept. When the second engine has lost the person, a gate
    hides everything, and ``add`` adds nothing.

    Behind a gate, people are told apart as the second engine does it, or else the first, in the
    frames in which that engine runs. An addition may show people whom neither has told apart, so
    its matte says nothing about them.
    """

    def __init__(
        self, main: Engine, second: Engine, settings: EngineSettings, size: Size, stats: Stats
    ) -> None:
        super().__init__(settings, size, stats)
        self._main, self._second = main, second
        self.provider, self.work_size, self.model = main.provider, main.work_size, main.model
        self.waits, self.stride = main.waits and second.waits, main.stride
        self.least_scale = max(main.least_scale, second.least_scale)
        self.reset()

    def reset(self) -> None:
        self._count = 0
        self._mask: Alpha | None = None
        self._main.reset()
        self._second.reset()

    def take_plate(self) -> None:
        both = self._main, self._second
        takers = [one for one in both if type(one).take_plate is not Engine.take_plate]
        if not takers:
            super().take_plate()
        for engine in takers:
            engine.take_plate()

    def matte(self, frame: Frame) -> Matte:
        matte = downloaded(self._main.matte(frame))
        with self.stats.stage("network"):
            if self._count % self.settings.combine.every == 0:
                seen = downloaded(self._second.matte(frame))
                self._mask, people = None if seen.lost else seen.alpha, seen.people
            else:
                people = None  # those of an earlier frame are elsewhere by now
            self._count += 1
        return self._joined(matte, people)

    def matte_photo(self, frame: Frame, repeats: int) -> Matte:
        matte, seen = (engine.matte_photo(frame, repeats) for engine in (self._main, self._second))
        self._mask = None if seen.lost else seen.alpha
        return self._joined(matte, seen.people)

    def _joined(self, matte: Matte, people: Labels | None) -> Matte:
        if self.settings.combine.how == "gate":
            return self._gated(matte, people)
        return self._added(matte)

    def _gated(self, matte: Matte, people: Labels | None) -> Matte:
        if self._mask is None or matte.lost:
            return Matte(matte.frame, np.zeros_like(matte.alpha), guide=matte.guide, lost=True)
        height, width = matte.alpha.shape
        mask = cv2.resize(self._mask, (width, height), interpolation=cv2.INTER_LINEAR)
        reach = round(self.settings.combine.margin * width)
        if reach:
            mask = cv2.dilate(mask, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
            mask = cv2.blur(mask, (reach + 1, reach + 1))
        if people is None:
            people = matte.people
        else:
            people = cv2.resize(people, (width, height), interpolation=cv2.INTER_NEAREST)
        alpha = matte.alpha * mask
        return Matte(matte.frame, alpha, matte.foreground, matte.guide, people=people)

    def _added(self, matte: Matte) -> Matte:
        if self._mask is None:
            return matte
        height, width = matte.alpha.shape
        mask = cv2.resize(self._mask, (width, height), interpolation=cv2.INTER_LINEAR)
        if matte.lost:
            return Matte(matte.frame, mask, guide=matte.guide)
        more = mask > matte.alpha
        colour: Image | None = matte.foreground
        # the foreground of the main engine is valid only where it sees the person
        if colour is not None:
            own = matte.frame.image if matte.guide is None else matte.guide
            colour = np.where(more[:, :, None], own, colour)
        return Matte(matte.frame, np.where(more, mask, matte.alpha), colour, matte.guide)

    def close(self) -> None:
        self._main.close()
        self._second.close()
