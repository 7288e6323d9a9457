"""Erases objects from photos: the engine `instance` finds them, inpainting fills the holes."""

import cv2
import numpy as np

from realtime_bg.backgrounds.inpainting import Inpainter
from realtime_bg.engines import coco as _coco
from realtime_bg.errors import DataError
from realtime_bg.frames import Alpha, Image
from realtime_bg.imaging.geometry import resize, shrunk
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.settings import CombineSettings, RefineSettings, Settings

SEEN = 0.1  # alphas above this are painted over
RIM = 0.01  # margin around them, as a fraction of the longer side: shadows and blurred edges
AROUND = 0.6  # margin that inpainting sees around a hole, as a fraction of its longer side
WORK_SIDE = 480  # longer side, in pixels, of the image in which a hole is filled


class Eraser:
    """Removes the COCO classes ``classes`` from photos. Used by one thread at a time."""

    def __init__(self, settings: Settings, classes: tuple[str, ...]) -> None:
        """The detector is opened by the first photo. Raises EngineError for an unknown class."""
        _coco.indices(classes, sparse=False)
        instance = settings.engine.instance.model_copy(
            update={"classes": classes, "instances": "all"}
        )
        changes = {"name": "instance", "instance": instance, "combine": CombineSettings()}
        engine = settings.engine.model_copy(update=changes)
        self._inpainter = Inpainter(settings.background.inpaint)
        self._matter = PictureMatter(
            settings.model_copy(update={"engine": engine, "refine": RefineSettings()})
        )

    def erase(self, image: Image) -> Image:
        """Return the photo, BGR ``uint8 (H, W, 3)``, without these objects; ``image`` itself if
        none is found. Raises RealtimeBgError."""
        self._matter.forget()
        return filled(image, self._matter.matte_next(image).alpha, self._inpainter)

    def close(self) -> None:
        """Release the detector. Idempotent."""
        self._matter.close()


def filled(image: Image, alpha: Alpha, inpainter: Inpainter) -> Image:
    """Inpaint ``image``, hole by hole, where ``alpha`` ``float32 (H, W)`` marks an object. Raises
    DataError if no pixel is left outside the holes."""
    reach = 2 * max(1, round(RIM * max(image.shape))) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    mask = cv2.dilate((alpha > SEEN).astype(np.uint8), disk)
    if mask.all():
        raise DataError("the objects to erase cover the whole photo")
    count, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
    result = image if count == 1 else image.copy()
    for x, y, width, height, _ in boxes[1:]:
        margin = round(AROUND * max(width, height))
        part = (
            slice(max(0, y - margin), y + height + margin),
            slice(max(0, x - margin), x + width + margin),
        )
        result[part] = _painted_over(result[part], mask[part], inpainter)
    return result


def _painted_over(image: Image, mask: Image, inpainter: Inpainter) -> Image:
    height, width = image.shape[:2]
    size = shrunk((width, height), min(1.0, WORK_SIDE / max(width, height)))
    hole = resize(mask.astype(np.float32), size)
    known = hole == 0
    if not known.any():  # the known strip is narrower than a pixel at this size
        known = hole < 1
    fill = resize(inpainter.fill(resize(image, size), known), (width, height))
    # The photo's detail is kept up to the hole's rim; the seam is a short ramp.
    soft = np.clip(2 * cv2.blur(mask.astype(np.float32), (5, 5)), 0, 1)
    return cv2.blendLinear(fill, np.ascontiguousarray(image), soft, 1 - soft)
