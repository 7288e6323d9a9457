"""The compositor, the only code that makes a composite: the person over the background or, in case
of doubt, the background or a card without the person."""

import time

import cv2

from realtime_bg.backgrounds.current import Answer, CurrentBackground
from realtime_bg.frames import Alpha, Composite, DeviceMatte, Frame, Image, Item, Matte, Size
from realtime_bg.imaging.crops import WHOLE, Crop, cropped
from realtime_bg.imaging.geometry import fit
from realtime_bg.processing.buffers import Buffers
from realtime_bg.processing.cards import card
from realtime_bg.processing.framing import Framing, framed, output_size
from realtime_bg.processing.fusing import edge_maps, needs_full_size
from realtime_bg.processing.harmonise import Harmony
from realtime_bg.processing.overlays import preview
from realtime_bg.processing.refine import Refined, steadied, upsampled
from realtime_bg.processing.steady import Steady
from realtime_bg.processing.subject import Subject
from realtime_bg.settings import RefineSettings, Settings
from realtime_bg.stats import Stats


class Compositor:
    """Turns mattes into composites with the current settings.

    It fails closed: a whole camera picture is shown only if the background is set to ``none`` *and*
    the open background is that one.
    """

    def __init__(
        self,
        settings: Settings,
        stats: Stats,
        wait: bool,
        previews: bool = True,
        answer: Answer = lambda asked, kept, reason: None,
    ) -> None:
        """``wait`` and ``answer``: see `CurrentBackground`. ``previews``: whether a window will
        show the previews. Raises BackgroundError."""
        self._previews = previews
        self._refine = settings.refine
        self._steady, self._harmony = Steady(), Harmony()
        self._framing: Framing | None = None
        self._subject: Subject | None = None
        self._background = CurrentBackground(settings.background, stats, wait, answer)
        self._stats = stats
        self._buffers = Buffers()
        self._epoch = 0

    def compose(self, item: Item, settings: Settings) -> Composite:
        """The composite of one item: a matte, or a bare frame if no engine ran because the
        background is ``none``."""
        frame = item if isinstance(item, Frame) else item.frame
        background = self._background.get(settings.background)
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            background.reset()
        if shows_camera(settings) and background.passthrough:
            crop = self._crop(frame, None, settings)
            return self._finish(frame.image, frame, None, settings, crop)
        if isinstance(item, Frame) or item.lost:
            self._crop(frame, None, settings)
            return self.without_camera(frame.size, frame.index, settings, at=frame.time)
        if settings.refine != self._refine:
            self._refine = settings.refine
            self._stats.notice(
                f"threshold {self._refine.threshold:.2f}, feather {self._refine.feather} px"
            )
        if isinstance(item, DeviceMatte):
            if _as_it_is(settings) and not (background.needs_frame or background.passthrough):
                with self._stats.stage("composite"):
                    image = item.over(background.render(frame.size, frame.time))
                    return self._finish(image, frame, None, settings, None)
            item = item.downloaded()
        with self._stats.stage("upsample"):
            item = steadied(item, settings.refine, self._steady)
            item = self._without_others(item, settings)
            crop = self._crop(frame, item.alpha, settings)
            # A replaced background stays where it is; the room moves with the person.
            if crop is not None and not background.needs_frame:
                item = framed(item, crop, output_size(frame.size, settings.frame))
                frame, crop = item.frame, None
            maps = None if background.needs_frame else edge_maps(item, settings)
            person = upsampled(item, settings.refine) if maps is None else None
        with self._stats.stage("composite"):
            whole = background.needs_frame or settings.view.alpha
            alpha = person.alpha if person is not None and whole else None
            if background.passthrough:  # the next background is still being opened
                behind = card(frame.size, "")
            else:
                behind = background.render(frame.size, frame.time, frame.image, alpha)
            if maps is not None:
                mirror = settings.output.mirror
                image = maps.over(behind, mirror, self._buffers.take(frame.image.shape))
                return self._finish(image, frame, None, settings, None, mirrored=mirror)
            assert person is not None
            # Blur and erase show the real room, which needs no relighting
            if not background.needs_frame:
                person = self._harmony(person, item, behind, settings.harmonise)
            image = behind if background.erases else over(person, behind)
            return self._finish(image, frame, alpha, settings, crop)

    def _without_others(self, matte: Matte, settings: Settings) -> Matte:
        """The matte of those who are to be shown."""
        if settings.subject.mode == "all":
            self._subject = None
            return matte
        if self._subject is None:
            self._subject = Subject(settings.subject.picks)
        return self._subject(matte, settings.subject)

    def _crop(self, frame: Frame, alpha: Alpha | None, settings: Settings) -> Crop | None:
        """The part of the picture to be shown; None for the whole, without framing."""
        if settings.frame.mode == "off":
            if self._framing is not None:
                self._framing, self._stats.shown_part = None, WHOLE
            return None
        if self._framing is None:
            self._framing = Framing()
        crop = self._stats.shown_part = self._framing(frame, alpha, settings.frame)
        return crop

    def without_camera(
        self, size: Size, index: int, settings: Settings, text: str = "", at: float | None = None
    ) -> Composite:
        """A composite without anything from the camera: the background alone, or a card. It is a
        card if there is ``text``, or if the background is made from the camera's picture."""
        now = time.monotonic() if at is None else at
        size = output_size(size, settings.frame)
        background = self._background.get(settings.background)
        if text or background.needs_frame:
            image = card(size, text or "One moment")
        else:
            image = background.render(size, now)
            image = cv2.flip(image, 1) if settings.output.mirror else image
        return self._without_frame(image, index, now, settings)

    def again(self, last: Composite, settings: Settings) -> Composite:
        """The last composite again, with the current time and the current texts of the preview."""
        return self._without_frame(last.image, last.index, time.monotonic(), settings)

    def _without_frame(self, image: Image, index: int, at: float, settings: Settings) -> Composite:
        shown = self._preview(image, None, None, settings)
        return Composite(image, index, at, shown)

    def _finish(
        self,
        image: Image,
        frame: Frame,
        alpha: Alpha | None,
        settings: Settings,
        crop: Crop | None,
        mirrored: bool = False,
    ) -> Composite:
        """``crop``: the part of ``image`` that is still to be cut out; None if that is done."""
        before = frame.image
        if crop is not None:
            size = output_size(frame.size, settings.frame)
            image = cropped(image, crop, size)
            before = cropped(before, crop, size) if settings.view.split else before
            alpha = None if alpha is None else cropped(alpha, crop, size)
        if settings.output.mirror and not mirrored:
            image = cv2.flip(image, 1)
        if settings.output.mirror and settings.view.split:
            before = cv2.flip(before, 1)
        if settings.output.mirror and settings.view.alpha and alpha is not None:
            alpha = cv2.flip(alpha, 1)
        shown = self._preview(image, before, alpha, settings)
        return Composite(image, frame.index, frame.time, shown)

    def _preview(
        self, image: Image, before: Image | None, alpha: Alpha | None, settings: Settings
    ) -> Image | None:
        if not self._previews:
            return None
        return preview(image, before, alpha, settings.view, self._stats)

    @property
    def background(self) -> CurrentBackground:
        """The background in use."""
        return self._background

    def close(self) -> None:
        """Release the background. Idempotent."""
        self._background.close()


def fitted(composite: Composite, size: Size) -> Composite:
    """``composite`` resized to ``size`` (width, height), with which a sink was opened, because a
    source may change its size meanwhile. The preview is dropped then."""
    height, width = composite.image.shape[:2]
    if (width, height) == size:
        return composite
    return Composite(fit(composite.image, size, "contain"), composite.index, composite.time)


def _as_it_is(settings: Settings) -> bool:
    """Whether a full-size matte can be blended without any refinement."""
    plain = RefineSettings()
    edge = ("threshold", "feather", "grow")
    same = all(getattr(settings.refine, name) == getattr(plain, name) for name in edge)
    whole = settings.frame.mode == "off" and settings.subject.mode == "all"
    return same and whole and not needs_full_size(settings)


def shows_camera(settings: Settings) -> bool:
    """Whether the user wants the plain camera picture."""
    return settings.background.current == "none"


def over(person: Refined, background: Image) -> Image:
    """The person composited over a background that has the size of the frame; see `blend`."""
    if not person.part.size:
        return background
    box = person.box
    colours = person.frame[box] if person.colours is None else person.colours
    image = background.copy()
    image[box] = blend(colours, background[box], person.part)
    return image


def blend(foreground: Image, background: Image, alpha: Alpha) -> Image:
    """alpha * foreground + (1 - alpha) * background, within 1 grey level of exact arithmetic."""
    return cv2.blendLinear(foreground, background, alpha, cv2.subtract(1.0, alpha))
