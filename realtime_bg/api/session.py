"""`Session`: an engine with its history, for the caller's own loop over frames."""

from typing import Any, Self

import cv2
import numpy as np
from PIL import Image as Pillow

from realtime_bg.api.arguments import Order, Picture, as_bgr, as_settings, check_order
from realtime_bg.frames import Alpha, Cutout, Image
from realtime_bg.imaging.geometry import fit
from realtime_bg.processing.compositor import blend
from realtime_bg.processing.cutout import CutoutCompositor, PictureMatter
from realtime_bg.steering.checks import prepare


class Session:
    """One engine with its history of earlier frames. Used by one thread at a time; as a context
    manager, it releases the engine at the end of the block.

    ::

        camera = cv2.VideoCapture(0)
        with realtime_bg.Session(order="bgr") as session:
            while cv2.waitKey(1) != 27:
                cv2.imshow("me", session.composite(camera.read()[1], "beach"))
    """

    def __init__(self, engine: str = "auto", *, order: Order = "rgb", **settings: Any) -> None:
        """``order``: the order of the channels of frames and results. ``settings``: see
        `api.arguments.as_settings`. The first frame opens the engine. Raises RealtimeBgError for
        settings that cannot work."""
        check_order(order)
        self._order: Order = order
        named = None if engine == "auto" else engine  # keep the value of the environment
        wanted = as_settings({"engine__quality": "fast", "engine": named, **settings})
        self._settings = prepare(wanted, "file")
        self._matter = PictureMatter(self._settings)
        self._compositor = CutoutCompositor(self._settings, self._matter.stats)
        self._count = self._epoch = 0

    def matte(self, frame: Picture) -> Alpha:
        """The alpha of a frame, ``float32 (H, W)`` in [0, 1]. Raises RealtimeBgError."""
        return self._cut(as_bgr(frame, self._order)).alpha

    def composite(self, frame: Picture, background: Picture = "blur") -> Image:
        """The person over ``background``, see `remove`: an array ``uint8 (H, W, 3)`` in the
        session's channel order. Raises RealtimeBgError."""
        image = as_bgr(frame, self._order)
        cut = self._cut(image)
        if isinstance(background, bytes | np.ndarray | Pillow.Image):
            height, width = image.shape[:2]
            behind = fit(as_bgr(background, self._order), (width, height), "cover")
            result = blend(cut.foreground, behind, cut.alpha)
        else:
            result = self._compositor.over(cut, str(background), self._count, self._epoch)
        return result if self._order == "bgr" else cv2.cvtColor(result, cv2.COLOR_BGR2RGB)

    def _cut(self, image: Image) -> Cutout:
        self._count += 1
        return self._matter.matte_next(image, self._count)

    def reset(self) -> None:
        """Forget all earlier frames: the next one shows another scene."""
        self._epoch += 1
        self._matter.forget()

    def close(self) -> None:
        """Release the engine. Idempotent."""
        self._matter.close()
        self._compositor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
