"""Pictures of the demo's person, who shows what a background gives before a camera runs."""

from functools import lru_cache

import numpy as np

from realtime_bg.errors import BackgroundError
from realtime_bg.frames import Cutout, Size
from realtime_bg.media.photos import encode, encode_rgba
from realtime_bg.processing.cutout import CutoutCompositor
from realtime_bg.processing.decontamination import decontaminated
from realtime_bg.settings import Settings, SourceSettings
from realtime_bg.sources.demo import DemoSource
from realtime_bg.stats import Stats
from realtime_bg.web.answers import missing

MOMENT = 45  # index of the demo's frame
PHOTO: Size = (1280, 720)
KEPT = 200


@lru_cache(2)
def _cutout(size: Size) -> Cutout:
    demo = DemoSource("", SourceSettings(spec="demo", size=size), False)
    image, alpha = demo.image(MOMENT), demo.alpha(MOMENT)
    seen = Cutout(image, np.ascontiguousarray(alpha), image)
    return seen._replace(foreground=decontaminated(seen))


@lru_cache(KEPT)
def over_background(spec: str, size: Size) -> bytes:
    """The person over a background, as JPEG, or as WebP without one for ``transparent``. Raises
    Refusal."""
    cutout = _cutout(size)
    if spec == "transparent":
        return encode_rgba(cutout, "webp", quality=85)
    compositor = CutoutCompositor(Settings(), Stats())
    try:
        return encode(compositor.over(cutout, spec, 0, 0), "jpg", quality=82)
    except BackgroundError:
        raise missing("background") from None
    finally:
        compositor.close()


@lru_cache(1)
def photo() -> bytes:
    """A photo to try the program with, as JPEG."""
    return encode(_cutout(PHOTO).image, "jpg", quality=90)
