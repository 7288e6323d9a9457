"""Single pictures: an engine as users get it, and what it cut out before a background."""

from pathlib import Path
from typing import Any

import numpy as np

from realtime_bg.errors import EngineError
from realtime_bg.frames import Cutout, DeviceMatte, Frame, Image, Matte, downloaded
from realtime_bg.processing.compositor import Compositor
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


class CutoutCompositor:
    """Puts cutouts before backgrounds by their specs; the last background stays open."""

    def __init__(self, settings: Settings, stats: Stats) -> None:
        # The alpha is refined already.
        self._settings = settings.model_copy(update={"refine": RefineSettings()})
        self._stats = stats
        self._compositor: Compositor | None = None
        self._spec = ""

    def over(self, cutout: Cutout, spec: str, index: int, epoch: int) -> Image:
        """The person before the background ``spec``, BGR ``uint8 (H, W, 3)``; the background
        alone, or a card, where the engine is lost. ``index`` and ``epoch``: of the frame that was
        cut out, see `Frame`. Raises BackgroundError, and then the background before stays."""
        background = self._settings.background.model_copy(update={"current": spec})
        settings = self._settings.model_copy(update={"background": background})
        if self._compositor is None or spec != self._spec:
            compositor = Compositor(settings, self._stats, wait=True, previews=False)
            self.close()
            self._compositor, self._spec = compositor, spec
        frame = Frame(cutout.image, index, index / FPS, epoch)
        matte = Matte(frame, cutout.alpha, cutout.foreground, lost=cutout.lost)
        return self._compositor.compose(matte, settings).image

    def close(self) -> None:
        """Release the background. Idempotent."""
        if self._compositor is not None:
            self._compositor.close()
            self._compositor = None
