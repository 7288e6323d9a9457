"""Matting single pictures with the engine and the refinement of a run, and compositing the
results."""

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

FPS = 30.0  # assumed frame rate of a folder of frames


def cutout(matte: Matte | DeviceMatte, settings: RefineSettings, steady: Steady) -> Cutout:
    """The refined cutout of a matte that follows those ``steady`` has seen; empty if the engine has
    lost the person."""
    image = matte.frame.image
    if matte.lost:  # only the background is shown
        return Cutout(image, np.zeros(image.shape[:2], np.float32), image, lost=True)
    refined = refine(downloaded(matte), settings, steady)
    return Cutout(image, refined.alpha, refined.foreground)


class PictureMatter:
    """Mattes pictures at full size with refinement, as in a run, but without falling back to
    another engine."""

    def __init__(self, settings: Settings, stats: Stats | None = None) -> None:
        """The first picture opens the engine."""
        self.settings, self.stats = settings.at_quality("fine"), stats or Stats()
        self._matting = Matting(Live(self.settings), self.stats)
        self._epoch = 0
        self._steady = Steady()

    @classmethod
    def of(cls, flags: dict[str, Any], config: Path | None) -> "PictureMatter":
        """``flags``: settings by dotted key that override those of ``config``; None means not
        given. Raises SettingsError."""
        return cls(load(config, flags))

    def forget(self) -> None:
        """Forget all history: the next picture is unrelated to the previous ones."""
        self._epoch += 1

    def matte_next(self, image: Image, index: int = 0) -> Cutout:
        """Matte one picture, BGR ``uint8 (H, W, 3)``, that continues the previous ones. Raises
        RealtimeBgError."""
        return self._seen(Frame(image, index, index / FPS, self._epoch), None)

    def matte_photo(self, image: Image, repeats: int) -> Cutout:
        """Matte a photo. A recurrent engine runs on it until its alpha settles, at most ``repeats``
        times. Raises RealtimeBgError."""
        self.forget()
        return self._seen(Frame(image, 0, 0.0, self._epoch), repeats)

    def _seen(self, frame: Frame, repeats: int | None) -> Cutout:
        failures = self.stats.failures
        matte = self._matting.matte(frame, repeats)
        if self.stats.failures > failures:
            self.close()  # the engine that replaces it is not the one that was requested
            self._matting = Matting(Live(self.settings), self.stats)
            raise EngineError(f"engine {self.settings.engine.name} failed; no result without it")
        return cutout(matte, self.settings.refine, self._steady)

    def close(self) -> None:
        """Release the engine. Idempotent."""
        self._matting.close()


class CutoutCompositor:
    """Composites cutouts over backgrounds given by specs; the last background stays open."""

    def __init__(self, settings: Settings, stats: Stats) -> None:
        # The alpha is already refined.
        self._settings = settings.model_copy(update={"refine": RefineSettings()})
        self._stats = stats
        self._compositor: Compositor | None = None
        self._spec = ""

    def over(self, cutout: Cutout, spec: str, index: int, epoch: int) -> Image:
        """The person over the background ``spec``, BGR ``uint8 (H, W, 3)``; the background alone,
        or a card, if the engine has lost the person. ``index`` and ``epoch`` are those of the
        matted frame, see `Frame`. Raises BackgroundError; the previous background then stays
        open."""
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
