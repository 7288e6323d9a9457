"""Inpainting of parts that no picture shows, with a trained network if one is given, otherwise with
OpenCV."""

from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import EngineError, ModelError
from realtime_bg.frames import Image
from realtime_bg.imaging.fill import fill
from realtime_bg.runtimes.onnx import check_names, open_session, running

Mask: TypeAlias = NDArray[np.bool_]
RADIUS, GROWN = 3, 16  # pixels


class Inpainter:
    """Fills in small pictures (about 300 to 500 pixels per side). Used by one thread at a time."""

    def __init__(self, model: Path | None) -> None:
        """``model``: an ONNX file from scripts/train_inpaint.py. Raises ModelError and
        EngineError."""
        self._model, self._session = model, None
        if model is not None:
            if not model.is_file():
                raise ModelError(f"background.inpaint {str(model)!r}: no such file")
            self._session, _ = open_session(model, "cpu")
            check_names(self._session, {"image", "mask"}, {"filled"}, "an inpainting model", model)

    def fill(self, image: Image, known: Mask) -> Image:
        """``image``, BGR ``uint8 (h, w, 3)``, with its pixels that are not ``known``, ``bool (h,
        w)``, filled in. Raises EngineError."""
        smooth = fill(image, known.astype(np.float32))
        if known.all() or not known.any():
            return smooth
        if self._session is None:
            return grown(smooth, known)
        assert self._model is not None
        with running(self._model):
            feed = {
                "image": np.float32(image[None, :, :, ::-1].transpose(0, 3, 1, 2) / 255),
                "mask": known[None, None].astype(np.float32),
            }
            (filled,) = self._session.run(["filled"], feed)
            if not np.isfinite(filled).all():
                raise EngineError(f"{self._model}: returns NaN or infinity")
            rgb = np.rint(filled[0].clip(0, 1) * 255).astype(np.uint8)
            return np.where(known[..., None], image, rgb.transpose(1, 2, 0)[..., ::-1])


def grown(smooth: Image, known: Mask) -> Image:
    """``smooth`` with structure propagated into it from the rim (Telea, An image inpainting
    technique based on the fast marching method, 2004)."""
    unknown = (~known).astype(np.uint8)
    rim = cv2.inpaint(smooth, unknown, RADIUS, cv2.INPAINT_TELEA)
    depth = cv2.distanceTransform(unknown, cv2.DIST_L2, 5)
    near = np.exp(-((depth / GROWN) ** 2)).astype(np.float32)
    return cv2.blendLinear(rim, smooth, near, 1 - near)
