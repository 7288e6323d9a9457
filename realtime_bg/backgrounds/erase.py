"""`erase`: the room without the person, learned from the parts that were visible.

A running-average background model (Wren et al., Pfinder, PAMI 1997) that learns only where nobody
is. Parts that no frame has shown yet are inpainted from their surroundings.
"""

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds.base import Background
from realtime_bg.backgrounds.blur import CARD
from realtime_bg.backgrounds.inpainting import Inpainter
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.exposure import exposure
from realtime_bg.imaging.fill import fill
from realtime_bg.imaging.geometry import fit, resize, shrunk
from realtime_bg.imaging.scene_change import same_scene
from realtime_bg.settings import BackgroundSettings

Mask: TypeAlias = NDArray[np.bool_]

SIDE = 320  # pixels on the longer side of the maps of what is known
EMPTY = 0.02  # pixels with a lower alpha are room
MARGIN = 0.02  # fraction of the width around the person that is not learned: shadows, late mattes
SETTLED = 3  # successive frames for which a pixel must be free before it is trusted
RATE = 0.25  # weight of each new frame in what is known
GAIN_STEP = 0.015  # smallest change of exposure for which the hidden part is corrected
MOVED = 35.0  # median difference of the room, in grey levels, above which the camera was moved
REPAINT = 0.01  # fraction of the picture that must become known before the rest is inpainted again


class EraseBackground(Background):
    """The learned room at the size of the frame; the compositor does not composite the person over
    it."""

    needs_frame = True
    erases = True

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        # In live use a smooth surface has to suffice, because frames must not wait.
        self._inpainter = Inpainter(settings.inpaint) if wait else None
        self._room: Image = np.empty((0, 0, 3), np.uint8)  # inpainted where it is not known
        self._jumped = False

    def reset(self) -> None:
        self._jumped = True  # often it is the same room again, whose hidden part is worth keeping
        if self._room.size:  # a reset engine may find a person only in a later frame
            self._since[:] = 0

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        if frame is None or alpha is None:
            raise ValueError("the background 'erase' needs the frame and its alpha")
        if (frame.shape[1], frame.shape[0]) != size:
            frame = fit(frame, size, self.settings.fit)
            alpha = fit(alpha, size, self.settings.fit)
        small = resize(frame, shrunk(size, min(1.0, SIDE / max(size))))
        free = self._free(alpha, small)
        if self._room.shape != frame.shape:
            self._start(frame)
        self._learn(frame, small, free)
        return self._room.copy()

    @staticmethod
    def _free(alpha: Alpha, small: Image) -> Mask:
        """Where the small picture certainly shows the room, ``bool (h, w)``."""
        height, width = small.shape[:2]
        reach = 2 * max(1, round(MARGIN * width)) + 1
        near = cv2.dilate(resize(alpha, (width, height)), np.ones((reach, reach), np.uint8))
        return np.asarray(near < EMPTY, np.bool_)

    def _start(self, frame: Image) -> None:
        height, width = frame.shape[:2]
        side = shrunk((width, height), min(1.0, SIDE / max(width, height)))
        self._room = np.full_like(frame, CARD)
        self._since = np.zeros(side[::-1], np.uint8)  # frames for which a pixel has been free
        self._known = np.zeros(side[::-1], np.bool_)
        # Shown since the first frames, but not yet trusted
        self._lent = np.zeros(side[::-1], np.bool_)
        self._painted = -1.0  # the fraction that was known when the rest was last inpainted
        self._gain = np.ones(3)  # change of exposure that is not yet applied to the hidden part

    def _learn(self, frame: Image, small: Image, free: Mask) -> None:
        seen = free & self._known
        if seen.any() and self._elsewhere(small, seen):
            self._start(frame)
        nothing = not self._known.any()
        self._since = np.where(free, np.minimum(self._since, 254) + 1, 0).astype(np.uint8)
        believed = self._since >= SETTLED
        again, fresh = believed & self._known, believed & ~self._known
        lent = free & ~believed & (nothing | self._lent)
        taken_back = self._lent & ~free  # an engine may find a person only in its second frame
        self._known, self._lent = self._known | fresh, lent
        if again.any():
            mixed = cv2.addWeighted(frame, RATE, self._room, 1 - RATE, 0)
            before = self._samples(again)
            cv2.copyTo(mixed, self._full(again), self._room)
            self._follow_exposure(before, again)
        if (fresh | lent).any():
            cv2.copyTo(frame, self._full(fresh | lent), self._room)
        shown = self._known | lent
        share = float(shown.mean())
        if share == 0:
            self._room[:] = CARD
        elif share < 1 and (taken_back.any() or share - self._painted > REPAINT):
            self._paint(small, shown)
            self._painted = share

    def _full(self, mask: Mask) -> NDArray[np.uint8]:
        size = self._room.shape[1], self._room.shape[0]
        return cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)

    def _elsewhere(self, small: Image, seen: Mask) -> bool:
        """Whether the camera now shows another place."""
        room = resize(self._room, (small.shape[1], small.shape[0]))
        if np.median(cv2.absdiff(small, room)[seen]) > MOVED:
            return True
        jumped, self._jumped = self._jumped, False
        if not jumped:
            return False
        now, then = (cv2.cvtColor(one, cv2.COLOR_BGR2GRAY)[seen] for one in (small, room))
        return not same_scene(now.astype(np.float32), then.astype(np.float32))

    def _samples(self, like: Mask) -> NDArray[np.float32]:
        """The pixels of the room selected by ``like``."""
        size = like.shape[1], like.shape[0]
        return cv2.resize(self._room, size, interpolation=cv2.INTER_NEAREST).astype(np.float32)

    def _follow_exposure(self, before: NDArray[np.float32], learned: Mask) -> None:
        """Apply the change of exposure of the pixels ``learned`` in this frame to the hidden part,
        in steps large enough that rounding errors do not accumulate."""
        self._gain *= exposure(self._samples(learned), before, learned)
        if np.abs(self._gain - 1).max() < GAIN_STEP:
            return
        table = np.clip(np.arange(256)[:, None] * self._gain + 0.5, 0, 255).astype(np.uint8)
        cv2.copyTo(cv2.LUT(self._room, table[None]), self._full(~learned), self._room)
        self._gain[:] = 1

    def _paint(self, small: Image, shown: Mask) -> None:
        """Inpaint everything that is not ``shown`` from its surroundings."""
        width, height = small.shape[1], small.shape[0]
        room = resize(self._room, (width, height))
        if self._inpainter is not None:
            room = self._inpainter.fill(room, shown)
        else:
            room = fill(room, shown.astype(np.float32))
        full = resize(room, (self._room.shape[1], self._room.shape[0]))
        cv2.copyTo(full, self._full(~shown), self._room)
