"""An engine as users get it, picture by picture: for measuring it and for labelling with it."""

from pathlib import Path
from typing import Any

import numpy as np

from realtime_bg.errors import EngineError
from realtime_bg.frames import Alpha, Frame, Image
from realtime_bg.live import Live
from realtime_bg.matting import Matting
from realtime_bg.refine import refine
from realtime_bg.settings import load
from realtime_bg.stats import Stats

FPS = 30.0  # what folders of frames are taken for
SETTLED = 0.5 / 255  # a photo is not shown again when no alpha moved by more than this


class Eye:
    """An engine as users get it: opened, refined, at full size; a failure is no fallback."""

    def __init__(self, flags: dict[str, Any], config: Path | None) -> None:
        """``flags``: dotted settings over those of ``config``. Raises SettingsError."""
        settings = load(config, {key: value for key, value in flags.items() if value is not None})
        if settings.engine.quality == "auto":  # what runs that only write files take
            engine = settings.engine.model_copy(update={"quality": "fine"})
            settings = settings.model_copy(update={"engine": engine})
        self.settings, self.stats = settings, Stats()
        self._matting = Matting(Live(settings), self.stats)
        self._epoch = 0

    def forget(self) -> None:
        """What comes next has nothing to do with what came before."""
        self._epoch += 1

    def alpha(self, image: Image, index: int = 0) -> Alpha:
        """``float32 (H, W)`` of BGR ``uint8 (H, W, 3)``. Raises RealtimeBgError."""
        frame = Frame(image, index, index / FPS, self._epoch)
        matte = self._matting.matte(frame)
        if self.stats.failures:
            raise EngineError(f"{self.settings.engine.name} failed; no figures without it")
        if matte.lost:  # shown as the background alone
            return np.zeros(image.shape[:2], np.float32)
        return refine(matte, self.settings.refine).alpha

    def settled(self, image: Image, repeats: int) -> Alpha:
        """The alpha of a photo, once showing it again changes nothing."""
        self.forget()
        alpha = self.alpha(image)
        for index in range(1, repeats):
            before, alpha = alpha, self.alpha(image, index)
            if np.abs(alpha - before).max() <= SETTLED:
                break
        return alpha

    def close(self) -> None:
        self._matting.close()
