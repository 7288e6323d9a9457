"""`remove` and `alpha`: cut people out of a photo, or change its background, in one call."""

import threading
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from realtime_bg.api.arguments import Order, Picture, as_bgr, as_settings
from realtime_bg.frames import Alpha, Cutout, Image
from realtime_bg.imaging.geometry import fit
from realtime_bg.photos.photo_matting import PhotoMatting
from realtime_bg.processing.compositor import blend
from realtime_bg.settings import Settings
from realtime_bg.steering.checks import prepare


class _Matter:
    """One engine for photos, used by one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._matting, self._lock = PhotoMatting(prepare(settings, "file")), threading.Lock()

    def cut(self, image: Image) -> Cutout:
        with self._lock:
            return self._matting.matte(image)

    def over(self, image: Image, background: str) -> Image:
        with self._lock:
            return self._matting.over(self._matting.matte(image), background)


@lru_cache(maxsize=1)  # loading an engine takes longer than a photo
def _matter(settings: Settings) -> _Matter:
    return _Matter(settings)


def remove(
    image: Picture, background: Picture | None = None, *, order: Order = "rgb", **settings: Any
) -> Any:
    """Remove the background of a photo, or replace it.

    ``image``: an array ``uint8 (H, W, 3)`` with its channels in ``order``, a Pillow image, a path,
    or the bytes of a file. ``background``: None for transparency; a name such as ``"office"``,
    ``"blur:24"``, ``"#00b140"`` or a path, as on the command line; or a picture as an array, a
    Pillow image or bytes. ``settings``: see `api.arguments.as_settings`, for example
    ``engine="embedded"``, ``offline=True`` or ``refine__feather=2``.

    Returns an array ``uint8 (H, W, 4)`` with alpha last, or ``(H, W, 3)`` with a background, in
    ``order``; for a Pillow image, a Pillow image (RGBA or RGB). The engine is kept for the next
    call with the same settings. Raises RealtimeBgError.
    """
    photo = as_bgr(image, order)
    matter = _matter(as_settings(settings))
    if background is None:
        cut = matter.cut(photo)
        opacity = np.rint(cut.alpha * 255).astype(np.uint8)
        return _returned(np.dstack([cut.foreground, opacity]), image, order)
    if isinstance(background, bytes | np.ndarray | Pillow.Image):
        cut = matter.cut(photo)
        height, width = photo.shape[:2]
        behind = fit(as_bgr(background, order), (width, height), "cover")
        return _returned(blend(cut.foreground, behind, cut.alpha), image, order)
    return _returned(matter.over(photo, str(background)), image, order)


def alpha(image: Picture, *, order: Order = "rgb", **settings: Any) -> Alpha:
    """The alpha of a photo: ``float32 (H, W)`` in [0, 1], where 1 is person. Arguments and errors
    are those of `remove`."""
    return _matter(as_settings(settings)).cut(as_bgr(image, order)).alpha


def _returned(result: NDArray[np.uint8], given: Picture, order: Order) -> Any:
    """Convert BGR or BGRA to the form and order that the caller uses."""
    has_alpha = result.shape[2] == 4
    rgb = cv2.COLOR_BGRA2RGBA if has_alpha else cv2.COLOR_BGR2RGB
    if isinstance(given, Pillow.Image):
        return Pillow.fromarray(cv2.cvtColor(result, rgb))
    return result if order == "bgr" else cv2.cvtColor(result, rgb)
