"""The compositor, the only code that makes a composite: the person over the background or, in case
of doubt, the background or a card without the person."""

import time
from dataclasses import replace

import cv2

from realtime_bg.backgrounds.base import Background
from realtime_bg.backgrounds.current import Answer, CurrentBackground
from realtime_bg.frames import (
    Alpha,
    Composite,
    DeviceMatte,
    Frame,
    Image,
    Item,
    Layer,
    Matte,
    Size,
    downloaded,
)
from realtime_bg.imaging.crops import WHOLE, Crop, cropped
from realtime_bg.imaging.geometry import fit
from realtime_bg.processing.buffers import Buffers
from realtime_bg.processing.cards import card
from realtime_bg.processing.fading import Fade
from realtime_bg.processing.framing import Framing, framed, output_size
from realtime_bg.processing.fusing import EdgeMaps, edge_maps, needs_full_size
from realtime_bg.processing.harmonise import Harmony
from realtime_bg.processing.idling import Idling
from realtime_bg.processing.layers import Layers
from realtime_bg.processing.light import Light
from realtime_bg.processing.overlays import preview
from realtime_bg.processing.person_layer import person_layer
from realtime_bg.processing.refine import Refined, steadied, upsampled
from realtime_bg.processing.steady import Steady
from realtime_bg.processing.subject import Subject
from realtime_bg.settings import RefineSettings, Settings
from realtime_bg.sinks import wants_person
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
        self._previews, self._refine = previews, settings.refine
        self._steady, self._harmony, self._light = Steady(), Harmony(), Light()
        self._framing: Framing | None = None
        self._subject = Subject(settings.subject.picks, settings.source.spec)
        self._background = CurrentBackground(settings.background, stats, wait, answer)
        self._stats, self._buffers = stats, Buffers()
        self.layers = Layers(stats, wait)
        self._fade, self._idling = Fade(), Idling(stats, wait)
        self._epoch, self._wait = 0, wait

    def compose(self, item: Item, settings: Settings) -> Composite:
        """The composite of one item: a matte, or a bare frame if no engine ran because the
        background is ``none``."""
        frame = item if isinstance(item, Frame) else item.frame
        self._subject.seen(frame, settings.source.spec)
        if settings.idle.after and not isinstance(item, Frame) and not shows_camera(settings):
            item = downloaded(item)
            if self._idling.is_idle(item, settings):
                return self._idle(frame, settings)
        background = self._background.get(settings.background)
        if frame.epoch != self._epoch:
            self._epoch = frame.epoch
            background.reset()
            self._fade.forget()
        plain = shows_camera(settings) and background.passthrough
        wanted = wants_person(settings.output) and not isinstance(item, Frame) and not item.lost
        if plain:
            self._fade.forget()
            if not wanted:
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
        if isinstance(item, DeviceMatte) and not wanted and _as_it_is(settings, background):
            with self._stats.stage("composite"):
                behind = background.render(frame.size, frame.time)
                image = item.over(self._under(background, behind, frame.time, settings))
                return self._finish(image, frame, None, settings, None, own=True)
        with self._stats.stage("upsample"):
            matte = steadied(downloaded(item), settings.refine, self._steady)
            if not background.erases:  # nobody is to be seen there, so all people are erased
                matte = self._subject(matte, settings.subject)
            crop = self._crop(frame, matte.alpha, settings)
            matte, room = self._light(matte, settings, background)
            alone = _alone(matte, crop, settings) if wanted else None
            over_room = plain or background.needs_frame
            if crop is not None and not over_room:
                # A replaced background stays where it is; the room moves with the person.
                size = output_size(frame.size, settings.frame)
                frame = _compared(frame, crop, size, settings)
                matte, crop = framed(matte, crop, size), None
            edge: EdgeMaps | Refined | None = None if over_room else edge_maps(matte, settings)
            if edge is None and not plain:
                edge = upsampled(matte, settings.refine)
        if edge is None:
            composite = self._finish(frame.image, frame, None, settings, crop)
        else:
            composite = self._over_background(frame, matte, room, edge, background, crop, settings)
        return composite if alone is None else replace(composite, person=alone)

    def _over_background(
        self,
        frame: Frame,
        matte: Matte,
        room: Image,
        edge: EdgeMaps | Refined,
        background: Background,
        crop: Crop | None,
        settings: Settings,
    ) -> Composite:
        with self._stats.stage("composite"):
            whole = background.needs_frame or settings.view.alpha
            alpha = edge.alpha if isinstance(edge, Refined) and whole else None
            if background.passthrough:  # the next background is still being opened
                behind = card(matte.frame.size, "")
            else:
                behind = background.render(matte.frame.size, frame.time, room, alpha)
                behind = self._under(background, behind, frame.time, settings)
            if not isinstance(edge, Refined):
                mirror = settings.output.mirror
                image = edge.over(behind, mirror, self._buffers.take(behind.shape))
                return self._finish(image, frame, None, settings, None, mirrored=mirror, own=True)
            # Blur and erase show the real room, which needs no relighting
            if not background.needs_frame:
                edge = self._harmony(edge, matte, behind, settings.harmonise)
            image = behind if background.erases else over(edge, behind)
            return self._finish(image, frame, alpha, settings, crop, own=image is not behind)

    def _idle(self, frame: Frame, settings: Settings) -> Composite:
        size = output_size(frame.size, settings.frame)
        image = self._idling.scene(size, frame.time, settings)
        image = self.layers.over(image, settings.layers, frame.time, own=False)
        return self._without_frame(image, frame.index, frame.time, settings)

    def _under(self, background: Background, image: Image, at: float, settings: Settings) -> Image:
        """What is behind the person: a picture of the background, with all that is over it."""
        image = self._fade(background, image, settings.background.fade / 1000, at)
        return self.layers.under(image, settings.layers, at, settings.output.mirror)

    def _crop(self, frame: Frame, alpha: Alpha | None, settings: Settings) -> Crop | None:
        """The part of the picture to be shown; None for the whole, without framing."""
        if settings.frame.mode == "off":
            if self._framing is not None:
                self._framing, self._stats.shown_part = None, WHOLE
            return None
        self._framing = self._framing or Framing(self._wait)
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
            behind = self._under(background, background.render(size, now), now, settings)
            image = _mirrored(behind, settings)
            image = self.layers.over(image, settings.layers, now, own=image is not behind)
        return self._without_frame(image, index, now, settings)

    def again(self, last: Composite, settings: Settings) -> Composite:
        """The last composite again, with the current time and the current texts of the preview."""
        again = self._without_frame(last.image, last.index, time.monotonic(), settings)
        return replace(again, person=last.person)

    def _without_frame(self, image: Image, index: int, at: float, settings: Settings) -> Composite:
        return Composite(image, index, at, self._preview(image, None, None, settings))

    def _finish(
        self,
        image: Image,
        frame: Frame,
        alpha: Alpha | None,
        settings: Settings,
        crop: Crop | None,
        mirrored: bool = False,
        own: bool = False,
    ) -> Composite:
        """``crop``: the part of ``image`` that is still to be cut out; None if that is done."""
        before = frame.image
        if crop is not None:
            size = output_size(frame.size, settings.frame)
            part = cropped(image, crop, size)
            image, own = part, own or part is not image
            before = cropped(before, crop, size) if settings.view.split else before
            alpha = None if alpha is None else cropped(alpha, crop, size)
        if settings.output.mirror and not mirrored:
            image, own = cv2.flip(image, 1), True
        image = self.layers.over(image, settings.layers, frame.time, own)
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
        """Release the backgrounds. Idempotent."""
        self._background.close()
        self._idling.close()


def _compared(frame: Frame, crop: Crop, size: Size, settings: Settings) -> Frame:
    """The frame as the camera saw it, for the view that compares with it."""
    if not settings.view.split:
        return frame
    return replace(frame, image=cropped(frame.image, crop, size))


def _alone(matte: Matte, crop: Crop | None, settings: Settings) -> Layer:
    """The person without a background, for outputs that want none."""
    if crop is not None:
        matte = framed(matte, crop, output_size(matte.frame.size, settings.frame))
    return _mirrored(person_layer(matte, settings.refine), settings)


def _mirrored(image: Image, settings: Settings) -> Image:
    return cv2.flip(image, 1) if settings.output.mirror else image


def fitted(composite: Composite, size: Size) -> Composite:
    """``composite`` resized to ``size`` (width, height), with which a sink was opened, because a
    source may change its size meanwhile. The preview is dropped then."""
    height, width = composite.image.shape[:2]
    if (width, height) == size:
        return composite
    person = composite.person if composite.person is None else _fitted(composite.person, size)
    image = fit(composite.image, size, "contain")
    return Composite(image, composite.index, composite.time, person=person)


def _fitted(layer: Layer, size: Size) -> Layer:
    small = fit(layer, size, "contain")
    return cv2.copyTo(small, small[..., 3])  # rounding must not leave colours where nobody is


def _as_it_is(settings: Settings, background: Background) -> bool:
    """Whether a full-size matte can be blended with a background without any refinement."""
    if background.needs_frame or background.passthrough:
        return False
    plain = RefineSettings()
    edge = ("threshold", "feather", "grow")
    same = all(getattr(settings.refine, name) == getattr(plain, name) for name in edge)
    whole = settings.frame.mode == "off" and settings.subject.mode == "all"
    whole = whole and not settings.light.active
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
