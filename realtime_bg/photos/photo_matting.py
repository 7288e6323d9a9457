"""Photos: the same engines, refinement and compositor as live, one picture at a time."""

from realtime_bg.backgrounds import background_class, classify
from realtime_bg.frames import Cutout, Image
from realtime_bg.media.photos import Photo, encode, encode_rgba, person_colours, read_photo
from realtime_bg.processing.cutout import CutoutCompositor, PictureMatter
from realtime_bg.processing.decontamination import decontaminated
from realtime_bg.settings import Settings
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
        # A photo is not a mirror.
        output = self.settings.output.model_copy(update={"mirror": False})
        settings = self.settings.model_copy(update={"output": output})
        self._compositor = CutoutCompositor(settings, self.stats)
        self._epoch = 0  # no photo has to do with the one before

    def matte(self, image: Image) -> Cutout:
        """Cut the person out of BGR ``uint8 (H, W, 3)``, colours and all. Raises
        RealtimeBgError."""
        seen = self._matter.matte_photo(image, REPEATS)
        return seen._replace(foreground=decontaminated(seen))

    @staticmethod
    def coloured_as(photo: Photo, background: str) -> Photo:
        """The photo as it goes before a background: in its colours, which are sRGB. Raises
        BackgroundError."""
        kind = background_class(classify(background)[0])
        return photo if kind.needs_frame or kind.passthrough else photo.in_srgb()

    def over(self, cutout: Cutout, background_spec: str | None = None) -> Image:
        """The person before a background (None: that of the settings), BGR ``uint8 (H, W, 3)``;
        the background alone, or a card, where the engine is lost. Raises BackgroundError."""
        spec = background_spec or self.settings.background.current
        # A background that learns a room starts anew: the next photo shows another one.
        if background_class(classify(spec)[0]).erases:
            self._compositor.close()
        self._epoch += 1
        return self._compositor.over(cutout, spec, 0, self._epoch)

    def close(self) -> None:
        """Release engine and background. Idempotent."""
        self._matter.close()
        self._compositor.close()
