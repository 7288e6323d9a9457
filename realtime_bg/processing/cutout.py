"""An engine as users get it, picture by picture: for stills, for measuring and for labelling."""

from pathlib import Path
from typing import Any

import numpy as np

from realtime_bg.errors import EngineError
from realtime_bg.frames import Cutout, DeviceMatte, Frame, Image, Matte, downloaded
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.refine import refine
from realtime_bg.processing.steady import Steady
from realtime_bg.settings import RefineSettings, Settings, load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

FPS = 30.0  # what folders of frames are taken for


def cutout(matte: Matte | DeviceMatte, settings: RefineSettings, steady: Steady) -> Cutout:
    """What a matte shows of the person, after those that ``steady`` has seen; nothing where the
    engine is lost."""
    image = matte.frame.image
    if matte.lost:  # shown as the background alone
        return Cutout(image, np.zeros(image.shape[:2], np.float32), image, lost=True)
    refined = refine(downloaded(matte), settings, steady)
    return Cutout(image, refined.alpha, refined.foreground)


class PictureMatter:
    """An engine as users get it: opened, refined, at full size; a failure is no fallback."""

    def __init__(self, settings: Settings, stats: Stats | None = None) -> None:
        """The engine is opened by the first picture."""
        self.settings, self.stats = settings.at_quality("fine"), stats or Stats()
        self._matting = Matting(Live(self.settings), self.stats)
        self._epoch = 0
        self._steady = Steady()

    @classmethod
    def of(cls, flags: dict[str, Any], config: Path | None) -> "PictureMatter":
        """``flags``: dotted settings over those of ``config``, None: not given. Raises
        SettingsError."""
        return cls(load(config, flags))

    def forget(self) -> None:
        """What comes next has nothing to do with what came before."""
        self._epoch += 1

    def matte_next(self, image: Image, index: int = 0) -> Cutout:
        """One picture, BGR ``uint8 (H, W, 3)``, after those before it. Raises RealtimeBgError."""
        return self._seen(Frame(image, index, index / FPS, self._epoch), None)

    def matte_photo(self, image: Image, repeats: int) -> Cutout:
        """A photo; a recurrent engine sees it until its answer stays the same, ``repeats`` times
        at most. Raises RealtimeBgError."""
        self.forget()
        return self._seen(Frame(image, 0, 0.0, self._epoch), repeats)

    def _seen(self, frame: Frame, repeats: int | None) -> Cutout:
        failures = self.stats.failures
        matte = self._matting.matte(frame, repeats)
        if self.stats.failures > failures:
            self.close()  # what stands in for it now is not what was asked for
            self._matting = Matting(Live(self.settings), self.stats)
            raise EngineError(f"engine {self.settings.engine.name} failed; no result without it")
        return cutout(matte, self.settings.refine, self._steady)

    def close(self) -> None:
        """Release the engine. Idempotent."""
        self._matting.close()
