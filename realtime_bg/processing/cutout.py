"""Matting single pictures with the engine and the refinement of a run, and compositing the
results."""

from pathlib import Path
from typing import Any

import numpy as np

from realtime_bg.errors import EngineError
from realtime_bg.frames import Cutout, DeviceMatte, Frame, Image, Matte, downloaded
from realtime_bg.processing.compositor import Compositor, over
from realtime_bg.processing.harmonise import Harmony
from realtime_bg.processing.light import Light
from realtime_bg.processing.matting import Matting
from realtime_bg.processing.refine import Refined, refine
from realtime_bg.processing.steady import Steady
from realtime_bg.settings import RefineSettings, Settings, load
from realtime_bg.settings.live import Live
from realtime_bg.stats import Stats

FPS = 30.0  # assumed frame rate of a folder of frames


def cutout(matte: Matte | DeviceMatte, settings: RefineSettings, steady: Steady | None) -> Cutout:
    """The refined cutout of a matte that follows those ``steady`` has seen (None: that follows no
    other); empty if the engine has lost the person."""
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
        matte = self._matted(Frame(image, index, index / FPS, self._epoch), None)
        return cutout(matte, self.settings.refine, self._steady)

    def matte_photo(self, image: Image, repeats: int) -> Cutout:
        """Matte a photo. A recurrent engine runs on it until its alpha settles, at most ``repeats``
        times. Raises RealtimeBgError."""
        return self.refined(self.unrefined(image, repeats))

    def unrefined(self, image: Image, repeats: int) -> Matte:
        """The first half of `matte_photo`: the engine's matte, which may be kept. Raises
        RealtimeBgError."""
        self.forget()
        return downloaded(self._matted(Frame(image, 0, 0.0, self._epoch), repeats))

    def refined(self, matte: Matte, settings: RefineSettings | None = None) -> Cutout:
        """The second half. ``settings``: None means those of the run."""
        return cutout(matte, settings or self.settings.refine, None)

    def _matted(self, frame: Frame, repeats: int | None) -> Matte | DeviceMatte:
        failures = self.stats.failures
        matte = self._matting.matte(frame, repeats)
        if self.stats.failures > failures:
            self.close()  # the engine that replaces it is not the one that was requested
            self._matting = Matting(Live(self.settings), self.stats)
            raise EngineError(f"engine {self.settings.engine.name} failed; no result without it")
        return matte

    def drop_history(self) -> None:
        """Keep no picture of what was matted."""
        self._matting.forget()
        self._steady = Steady()

    def close(self) -> None:
        """Release the engine. Idempotent."""
        self._matting.close()


class CutoutCompositor:
    """Composites cutouts over backgrounds given by specs; the last background stays open."""

    def __init__(self, settings: Settings, stats: Stats) -> None:
        plain = {"refine": RefineSettings()}  # the alpha is already refined
        self._settings = settings.as_it_is().model_copy(update=plain)
        self._stats = stats
        self._compositor: Compositor | None = None
        self._spec = ""

    def over(
        self,
        cutout: Cutout,
        spec: str,
        index: int,
        epoch: int,
        look: Settings | None = None,
    ) -> Image:
        """The person over the background ``spec``, BGR ``uint8 (H, W, 3)``; the background alone,
        or a card, if the engine has lost the person. ``index`` and ``epoch`` are those of the
        matted frame, see `Frame`. ``look``: whose light and harmony count; None means the settings'
        own. Raises BackgroundError; the previous background then stays open."""
        background = self._settings.background.model_copy(update={"current": spec})
        settings = self._looking(look).model_copy(update={"background": background})
        if self._compositor is None or spec != self._spec:
            compositor = Compositor(settings, self._stats, wait=True, previews=False)
            self.close()
            self._compositor, self._spec = compositor, spec
        frame = Frame(cutout.image, index, index / FPS, epoch)
        matte = Matte(frame, cutout.alpha, cutout.foreground, lost=cutout.lost)
        return self._compositor.compose(matte, settings).image

    def over_picture(self, cutout: Cutout, behind: Image, look: Settings | None = None) -> Image:
        """The person over a picture of the same size, both BGR ``uint8 (H, W, 3)``. ``look``: see
        `over`."""
        settings = self._looking(look)
        matte = Matte(Frame(cutout.image, 0, 0.0), cutout.alpha, cutout.foreground)
        matte = Light()(matte, settings, None).matte
        rows, columns = cutout.alpha.shape
        person = Refined(
            cutout.image, (slice(0, rows), slice(0, columns)), cutout.alpha, matte.foreground
        )
        return over(Harmony()(person, matte, behind, settings.harmonise), behind)

    def _looking(self, look: Settings | None) -> Settings:
        """The settings with the light and the harmony of ``look``."""
        if look is None:
            return self._settings
        changes = {"harmonise": look.harmonise, "light": look.light}
        return self._settings.model_copy(update=changes)

    def close(self) -> None:
        """Release the background. Idempotent."""
        if self._compositor is not None:
            self._compositor.close()
            self._compositor = None
