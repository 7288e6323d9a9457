"""Frames in a row: an engine with its history, for a loop of the caller's own."""

from typing import Any, Self

import cv2
import numpy as np
from PIL import Image as Pillow

from realtime_bg.api.arguments import Order, Picture, as_bgr, as_settings, check_order
from realtime_bg.frames import Alpha, Cutout, Frame, Image, Matte
from realtime_bg.imaging.geometry import fit
from realtime_bg.processing.compositor import Compositor, blend
from realtime_bg.processing.cutout import PictureMatter
from realtime_bg.settings import RefineSettings
from realtime_bg.steering.checks import prepare


class Session:
    """One engine and what it remembers of the frames before. Used by one thread at a time; a
    context manager that releases the engine.

    ::

        camera = cv2.VideoCapture(0)
        with realtime_bg.Session(order="bgr") as session:
            while cv2.waitKey(1) != 27:
                cv2.imshow("me", session.composite(camera.read()[1], "beach"))
    """

    def __init__(self, engine: str = "auto", *, order: Order = "rgb", **settings: Any) -> None:
        """``order``: of the channels of frames and results. ``settings``: see
        `api.arguments.as_settings`. The engine is opened by the first frame. Raises
        RealtimeBgError for settings that cannot work."""
        check_order(order)
        self._order: Order = order
        named = None if engine == "auto" else engine  # what the environment says stays
        wanted = as_settings({"engine__quality": "fast", "engine": named, **settings})
        self._settings = prepare(wanted, "file")
        self._matter = PictureMatter(self._settings)
        self._compositor: Compositor | None = None
        self._background = ""
        self._count = self._epoch = 0

    def matte(self, frame: Picture) -> Alpha:
        """The frame's alpha, ``float32 (H, W)`` in [0, 1]. Raises RealtimeBgError."""
        return self._cut(as_bgr(frame, self._order)).alpha

    def composite(self, frame: Picture, background: Picture = "blur") -> Image:
        """The person before ``background``, see `remove`: an array ``uint8 (H, W, 3)`` in the
        session's order. Raises RealtimeBgError."""
        image = as_bgr(frame, self._order)
        cut = self._cut(image)
        if isinstance(background, bytes | np.ndarray | Pillow.Image):
            height, width = image.shape[:2]
            behind = fit(as_bgr(background, self._order), (width, height), "cover")
            result = blend(cut.foreground, behind, cut.alpha)
        else:
            result = self._over(cut, str(background))
        return result if self._order == "bgr" else cv2.cvtColor(result, cv2.COLOR_BGR2RGB)

    def _cut(self, image: Image) -> Cutout:
        self._count += 1
        return self._matter.matte_next(image, self._count)

    def _over(self, cut: Cutout, spec: str) -> Image:
        background = self._settings.background.model_copy(update={"current": spec})
        # The alpha is refined already.
        changes = {"background": background, "refine": RefineSettings()}
        settings = self._settings.model_copy(update=changes)
        if self._compositor is None or spec != self._background:
            compositor = Compositor(settings, self._matter.stats, wait=True, previews=False)
            self._drop_background()
            self._compositor, self._background = compositor, spec
        frame = Frame(cut.image, self._count, self._count / 30, self._epoch)
        matte = Matte(frame, cut.alpha, cut.foreground, lost=cut.lost)
        return self._compositor.compose(matte, settings).image

    def reset(self) -> None:
        """Forget the frames before: the next one shows something else."""
        self._epoch += 1
        self._matter.forget()

    def close(self) -> None:
        """Release the engine. Idempotent."""
        self._matter.close()
        self._drop_background()

    def _drop_background(self) -> None:
        if self._compositor is not None:
            self._compositor.close()
            self._compositor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
