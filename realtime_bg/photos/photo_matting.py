"""Matting of single photos, with the engines, refinement and compositor of live use."""

from realtime_bg.backgrounds import background_class, classify
from realtime_bg.frames import Cutout, Image, Matte
from realtime_bg.imaging.geometry import fit
from realtime_bg.media.photos import Photo, encode, encode_rgba, person_colours, read_photo
from realtime_bg.processing.cutout import CutoutCompositor, PictureMatter
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
        return self.cutout(self.unrefined(image))

    def unrefined(self, image: Image) -> Matte:
        """The first half of `matte`, which takes most of the time: the engine's matte. It may be
        kept. Raises RealtimeBgError."""
        return self._matter.unrefined(image, REPEATS)

    def cutout(self, matte: Matte, refine: RefineSettings | None = None) -> Cutout:
        """The second half. ``refine``: None means that of the settings."""
        if refine is not None:
            refine = refine.model_copy(update={"decontaminate": False})
        seen = self._matter.refined(matte, refine)
        return seen._replace(foreground=decontaminated(seen))

    @staticmethod
    def needs_srgb(background: str) -> bool:
        """Whether the colour space of results with this background is sRGB: unless it is made from
        the photo. Raises BackgroundError."""
        kind = background_class(classify(background)[0])
        return not (kind.needs_frame or kind.passthrough)

    @staticmethod
    def coloured_as(photo: Photo, background: str) -> Photo:
        """Return the photo in the colour space of results with this background. Raises
        BackgroundError."""
        return photo.in_srgb() if PhotoMatting.needs_srgb(background) else photo

    def over(
        self,
        cutout: Cutout,
        background_spec: str | None = None,
        look: Settings | None = None,
    ) -> Image:
        """Composite the person over a background, BGR ``uint8 (H, W, 3)``; the background alone, or
        a card, if the engine is lost. ``background_spec`` and ``look``: None means those of the
        settings; of ``look`` the light and the harmony count. Raises BackgroundError."""
        spec = background_spec or self.settings.background.current
        # A background that learns the room starts again: each photo shows another room.
        if background_class(classify(spec)[0]).erases:
            self._compositor.close()
        self._epoch += 1
        return self._compositor.over(cutout, spec, 0, self._epoch, look)

    def over_picture(self, cutout: Cutout, behind: Image, look: Settings | None = None) -> Image:
        """Composite the person over a picture, BGR ``uint8 (H, W, 3)``, that covers the photo."""
        size = cutout.image.shape[1], cutout.image.shape[0]
        return self._compositor.over_picture(cutout, fit(behind, size, "cover"), look)

    def drop_history(self) -> None:
        """Keep no picture of the photos so far; the engine stays open."""
        self._matter.drop_history()
        self._compositor.close()

    def close(self) -> None:
        """Release engine and background. Idempotent."""
        self._matter.close()
        self._compositor.close()
