"""Photos: the same engines, refinement and compositor as live, one picture at a time."""

from realtime_bg.backgrounds import background_class, classify
from realtime_bg.frames import Cutout, Frame, Image, Matte
from realtime_bg.media.photos import Photo, encode, encode_rgba, person_colours, read_photo
from realtime_bg.processing.compositor import Compositor
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.processing.decontamination import decontaminated
from realtime_bg.settings import RefineSettings, Settings
from realtime_bg.stats import Stats

__all__ = [
    "Cutout",
    "Photo",
    "PhotoMatting",
    "encode",
    "encode_rgba",
    "person_colours",
    "read_photo",
]

REPEATS = 12  # times at most a recurrent engine is shown a photo


class PhotoMatting:
    """Mattes photos and puts them before backgrounds. Used by one thread at a time.

    The engine is opened by the first photo and kept; another size opens it anew.
    """

    def __init__(self, settings: Settings, stats: Stats | None = None) -> None:
        self.stats = stats or Stats()
        # A cut-out's colours are estimated here, at full size.
        refine = settings.refine.model_copy(update={"decontaminate": False})
        self._matter = PictureMatter(settings.model_copy(update={"refine": refine}), self.stats)
        self.settings = self._matter.settings
        self._compositor: Compositor | None = None
        self._background = ""
        self._epoch = 0  # no photo has to do with the one before

    def matte(self, image: Image) -> Cutout:
        """Cut the person out of BGR ``uint8 (H, W, 3)``, colours and all. Raises
        RealtimeBgError."""
        seen = self._matter.matte_photo(image, REPEATS)
        return seen._replace(foreground=decontaminated(seen))

    @staticmethod
    def coloured_as(still: Photo, background: str) -> Photo:
        """The photo as it goes before a background: in its colours, which are sRGB. Raises
        BackgroundError."""
        kind = background_class(classify(background)[0])
        return still if kind.needs_frame or kind.passthrough else still.in_srgb()

    def over(self, cutout: Cutout, background_spec: str | None = None) -> Image:
        """The person before a background (None: that of the settings), BGR ``uint8 (H, W, 3)``;
        the background alone, or a card, where the engine is lost. Raises BackgroundError."""
        spec = background_spec or self.settings.background.current
        background = self.settings.background.model_copy(update={"current": spec})
        # The alpha is refined already, and a photo is not a mirror.
        output = self.settings.output.model_copy(update={"mirror": False})
        changes = {"background": background, "refine": RefineSettings(), "output": output}
        settings = self.settings.model_copy(update=changes)
        # A background that learns a room starts anew: the next photo shows another one.
        learns = background_class(classify(spec)[0]).erases
        if self._compositor is None or spec != self._background or learns:
            self._drop_background()
            self._compositor = Compositor(settings, self.stats, wait=True, previews=False)
            self._background = spec
        self._epoch += 1
        frame = Frame(cutout.image, 0, 0.0, self._epoch)
        matte = Matte(frame, cutout.alpha, cutout.foreground, lost=cutout.lost)
        return self._compositor.compose(matte, settings).image

    def close(self) -> None:
        """Release engine and background. Idempotent."""
        self._matter.close()
        self._drop_background()

    def _drop_background(self) -> None:
        if self._compositor is not None:
            self._compositor.close()
            self._compositor = None
