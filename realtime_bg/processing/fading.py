"""The cross-fade from one background to the next."""

import cv2

from realtime_bg.backgrounds.base import Background
from realtime_bg.frames import Image


class Fade:
    """Fades from the last picture of the previous background, which has been shown already. It
    never takes part in showing the room itself: those backgrounds begin and end at once."""

    def __init__(self) -> None:
        self._last: tuple[Background, Image] | None = None
        self._from: tuple[Image, float] | None = None  # the old picture, and since when it fades

    def __call__(self, background: Background, image: Image, seconds: float, at: float) -> Image:
        """``image``, a picture of ``background`` BGR ``uint8 (H, W, 3)`` for the moment ``at``, or
        while the background is new, a mixture with the one before."""
        if not seconds or background.passthrough or background.erases:
            self.forget()
            return image
        if self._last is not None and self._last[0] is not background:
            self._from = self._last[1], at
        shown = self._mixed(image, seconds, at)
        self._last = background, shown
        return shown

    def _mixed(self, image: Image, seconds: float, at: float) -> Image:
        if self._from is None:
            return image
        old, since = self._from
        share = (at - since) / seconds
        if not 0 <= share < 1 or old.shape != image.shape:
            self._from = None
            return image
        return cv2.addWeighted(image, share, old, 1 - share, 0)

    def forget(self) -> None:
        """Begin the next background at once."""
        self._last = self._from = None
