"""From a frame of a clip to the pixels of each track of the result."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.frames import Alpha, Cutout, Frame, Image
from realtime_bg.media.grading import Deep
from realtime_bg.media.photos import person_colours
from realtime_bg.processing.compositor import blend
from realtime_bg.processing.cutout import cutout
from realtime_bg.processing.decontamination import decontaminated
from realtime_bg.processing.processor import Processor
from realtime_bg.processing.steady import Steady
from realtime_bg.videos.clips import Clip, Shot
from realtime_bg.videos.codings import AlphaKind

DEEP_ALPHA = 65535

Watch: TypeAlias = Callable[[Image | Cutout], None]
"""Called with each finished picture: a composite, BGR ``uint8 (H, W, 3)``, or a cutout. Pictures in
HDR or wide-gamut colours are tone-mapped. It must not change them, and should return soon."""


class Picture(NamedTuple):
    """A frame for the processor. ``alpha``: the clip's own, ``float32 (H, W)``. ``deep``: the frame
    in the clip's HDR or wide-gamut colours; the processor sees it tone-mapped."""

    frame: Frame
    alpha: Alpha | None
    deep: Deep | None


class PixelMaker:
    """Processes frames in order, as the matte and the background depend on those before."""

    def __init__(
        self,
        processor: Processor,
        clip: Clip,
        alpha: AlphaKind | None,
        watch: Watch | None = None,
    ) -> None:
        self._processor, self._clip, self._kind = processor, clip, alpha
        self._watch: Watch = watch or (lambda _: None)
        self._steady = Steady()
        self._mirror = processor.live.now.output.mirror
        # frames are mirrored here, before the background is added
        processor.live.update(output__mirror=False)

    def picture(self, shot: Shot, index: int, epoch: int) -> Picture:
        """Read a frame; ``index`` and ``epoch``: see `Frame`."""
        image, alpha, deep = self._clip.pixels(shot)
        if self._mirror:
            image = cv2.flip(image, 1)
            alpha = None if alpha is None else cv2.flip(alpha, 1)
            deep = None if deep is None else cv2.flip(deep, 1)
        frame = Frame(image, index, self._clip.seconds(shot.pts), epoch)
        return Picture(frame, alpha, deep)

    def warm_up(self, picture: Picture) -> None:
        """Process a frame only for the history of those that follow. Raises RealtimeBgError."""
        matte = self._processor.matte(picture.frame)
        if self._kind is None:
            self._processor.compose(matte)
        if (self._kind is not None or picture.deep is not None) and not isinstance(matte, Frame):
            cutout(matte, self._processor.live.now.refine, self._steady)

    def pixels(self, picture: Picture) -> dict[str, NDArray[Any]]:
        """The pixels for each track, in the format of its `Coding`. Whatever is transparent in the
        clip is transparent, or the background, in the result. Raises RealtimeBgError."""
        if self._kind is None:
            return {"video": self._composite(picture)}
        stats = self._processor.stats
        matte = self._processor.matte(picture.frame)
        assert not isinstance(matte, Frame)  # the background is not "none"
        with stats.stage("upsample"):
            seen = cutout(matte, self._processor.live.now.refine, self._steady)
            seen = seen._replace(foreground=decontaminated(seen))
            if picture.alpha is not None:
                seen = seen._replace(alpha=seen.alpha * picture.alpha)
        self._watch(seen)
        with stats.stage("composite"):
            if self._kind == "prores4444":  # with 16 bits the alpha keeps its fine steps
                return {"video": np.dstack([self._deep(seen, picture.deep), _steps(seen.alpha)])}
            colour, alpha = person_colours(seen), np.rint(seen.alpha * 255).astype(np.uint8)
            if self._kind == "matte":
                return {"foreground": colour, "matte": cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR)}
            return {"video": np.dstack([colour, alpha])}

    def _composite(self, picture: Picture) -> NDArray[Any]:
        if picture.alpha is None and picture.deep is None:
            image = self._processor.process(picture.frame).image
            self._watch(image)
            return image
        frame = picture.frame
        item = self._processor.matte(frame)
        image = self._processor.compose(item).image
        if picture.alpha is not None and not self._shows_room():
            behind = self._processor.without_camera(frame.size, frame.index, at=frame.time).image
            image = blend(image, behind, picture.alpha)
        self._watch(image)
        if picture.deep is None:
            return image
        assert self._clip.grade is not None
        if isinstance(item, Frame):  # the background "none"
            alpha: Alpha = np.ones(image.shape[:2], np.float32)
        else:
            alpha = cutout(item, self._processor.live.now.refine, self._steady).alpha
        alpha = alpha if picture.alpha is None else alpha * picture.alpha
        return self._clip.grade.over(picture.deep, frame.image, image, alpha)

    def _shows_room(self) -> bool:
        """Whether the background is made from the frame, in which transparent parts are white."""
        now = self._processor.live.now
        background = self._processor.compositor.background.get(now.background)
        return background.needs_frame or background.passthrough

    def _deep(self, seen: Cutout, deep: Deep | None) -> NDArray[Any]:
        """The person's colours, RGB ``uint16`` up to `DEEP_WHITE`; in the clip's own colours if
        ``deep`` is given."""
        if deep is None or self._clip.grade is None:
            return person_colours(seen)[..., ::-1] * np.uint16(256)
        whole: Alpha = np.ones(seen.alpha.shape, np.float32)
        colours = self._clip.grade.over(deep, seen.image, seen.foreground, whole)
        shown = _steps(seen.alpha) > 0
        return colours * shown[..., None]


def _steps(alpha: Alpha) -> NDArray[np.uint16]:
    return np.rint(alpha * DEEP_ALPHA).astype(np.uint16)
