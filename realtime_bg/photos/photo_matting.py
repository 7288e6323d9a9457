"""Matting of single photos, with the engines, refinement and compositor of live use."""

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

REPEATS = 12  # times a recurrent engine processes a photo at most


class PhotoMatting:
    """Mattes photos and composites them over backgrounds. Used by one thread at a time.

    The first photo opens the engine, which is kept; another size reopens it.
    """

    def __init__(self, settings: Settings, stats: Stats | None = None) -> None:
        self.stats = stats or Stats()
        # A cutout's colours are estimated here, at full size.
        refine = settings.refine.model_copy(update={"decontaminate": False})
        self._matter = PictureMatter(settings.model_copy(update={"refine": refine}), self.stats)
        self.settings = self._matter.settings
        # The mirror is for the live picture only.
        output = self.settings.output.model_copy(update={"mirror": False})
        settings = self.settings.model_copy(update={"output": output})
        self._compositor = CutoutCompositor(settings, self.stats)
        self._epoch = 0  # changes with every photo, because photos are unrelated

    def matte(self, image: Image) -> Cutout:
        """Cut the person out of BGR ``uint8 (H, W, 3)``, with estimated foreground colours. Raises
        RealtimeBgError."""
        seen = self._matter.matte_photo(image, REPEATS)
        return seen._replace(foreground=decontaminated(seen))

    @staticmethod
    def coloured_as(photo: Photo, background: str) -> Photo:
        """Return the photo in the background's colour space, sRGB, unless the background is made
        from the photo. Raises BackgroundError."""
        kind = background_class(classify(background)[0])
        return photo if kind.needs_frame or kind.passthrough else photo.in_srgb()

    def over(self, cutout: Cutout, background_spec: str | None = None) -> Image:
        """Composite the person over a background (None: that of the settings), BGR ``uint8 (H, W,
        3)``; the background alone, or a card, if the engine is lost. Raises BackgroundError."""
        spec = background_spec or self.settings.background.current
        # A background that learns the room starts again: each photo shows another room.
        if background_class(classify(spec)[0]).erases:
            self._compositor.close()
        self._epoch += 1
        return self._compositor.over(cutout, spec, 0, self._epoch)

    def close(self) -> None:
        """Release engine and background. Idempotent."""
        self._matter.close()
        self._compositor.close()
