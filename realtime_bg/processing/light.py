"""The light on the person: exposure and white balance, less noise, a lamp. Everything after it
(edges, harmony, outputs of the person alone) sees the lit picture."""

from dataclasses import replace
from typing import NamedTuple

import cv2

from realtime_bg.backgrounds.base import Background
from realtime_bg.frames import Alpha, Image, Matte, Size
from realtime_bg.imaging.flow import grey
from realtime_bg.imaging.geometry import enlarged, resize, shrunk
from realtime_bg.imaging.tone import Table, is_plain, table
from realtime_bg.processing.buffers import Buffers
from realtime_bg.processing.denoise import Denoise
from realtime_bg.processing.key_light import KeyLight, lamp_gains
from realtime_bg.processing.metering import Gains, Metering
from realtime_bg.processing.refine import box_around
from realtime_bg.settings import LightSettings, Settings

SIDE = 256  # pixels on the longer side of the small picture, for mattes of full size


class Lit(NamedTuple):
    """A ``matte`` with the person lit, and the ``room`` in the same exposure, of the frame's
    size."""

    matte: Matte
    room: Image


class Tables(NamedTuple):
    """What grey levels become: without a lamp, in the light of the lamp, and beside it."""

    plain: Table
    bright: Table
    dark: Table


class _Memory:
    def __init__(self) -> None:
        self.metering, self.denoise, self.lamp = Metering(), Denoise(), KeyLight()


class Light:
    """Remembers what is needed of the last frames of one stream."""

    def __init__(self) -> None:
        self._memory: _Memory | None = None
        self._buffers = Buffers()
        self._tables: tuple[object, Tables] | None = None

    def __call__(self, matte: Matte, settings: Settings, background: Background | None) -> Lit:
        """The matte with the person lit, and a room for the ``background`` if that shows it; None
        is a picture. The room is exposed as the person is, as by a camera, but gets no lamp. What
        needs no change is returned as it is."""
        light, frame = settings.light, matte.frame
        if not light.active:
            self._memory = None
            return Lit(matte, frame.image)
        erases = background is not None and background.erases
        box = None if erases else box_around(matte, settings.refine)
        if box is None:
            return Lit(matte, frame.image)
        memory = self._memory = self._memory or _Memory()
        guide, small = matte.guide, matte.alpha
        if guide is None:
            size = _small(frame.size)
            guide, small = resize(frame.image, size), resize(small, size)
        tables = self._tables_for(memory.metering(frame, guide, small, light), light)
        share = None
        if light.key:
            angle = -light.angle if settings.output.mirror else light.angle
            share = memory.lamp(frame, guide, small, angle)
        changed = share is not None or not is_plain(tables.plain)
        if not changed and not light.denoise:
            return Lit(matte, frame.image)
        room = frame.image
        if background is not None and background.needs_frame and not is_plain(tables.plain):
            room = cv2.LUT(room, tables.plain)
        # The colours are those of the frame, unless the engine gives its own at full size.
        own = matte.foreground is not None and matte.foreground.shape == frame.image.shape
        source = matte.foreground if own and matte.foreground is not None else frame.image
        part = source[box]
        if light.denoise:
            part = memory.denoise(frame, source, grey(guide), small, box, light.denoise)
        if changed:
            full = None if share is None else enlarged(share, frame.size, box)
            part = lit(part, tables, full)
        image = self._buffers.take(source.shape)
        image[...] = source if own else room
        image[box] = part
        if own:
            return Lit(replace(matte, foreground=image), room)
        matte = replace(matte, frame=replace(frame, image=image))
        return Lit(_guided(matte, tables, share) if changed else matte, room)

    def _tables_for(self, gains: Gains, settings: LightSettings) -> Tables:
        """The tables; those of the last frame if nothing has changed."""
        made_of = gains.tobytes(), settings.key, settings.warmth
        if self._tables is None or self._tables[0] != made_of:
            bright, dark = lamp_gains(settings.key, settings.warmth)
            made = Tables(table(gains), table(gains * bright), table(gains * dark))
            self._tables = made_of, made
        return self._tables[1]


def lit(image: Image, tables: Tables, share: Alpha | None) -> Image:
    """``image``, BGR ``uint8 (h, w, 3)``, in the light. ``share``: how much of the lamp's light
    reaches each pixel, ``float32 (h, w)`` in [0, 1]; None without a lamp."""
    if share is None:
        return cv2.LUT(image, tables.plain)
    bright, dark = cv2.LUT(image, tables.bright), cv2.LUT(image, tables.dark)
    return cv2.blendLinear(bright, dark, share, cv2.subtract(1.0, share))


def _guided(matte: Matte, tables: Tables, share: Alpha | None) -> Matte:
    """The small pictures of a matte in the same light, because the edge is found in them."""
    if matte.guide is None:
        return matte
    height, width = matte.alpha.shape
    small = None if share is None else resize(share, (width, height))
    foreground = matte.foreground
    if foreground is not None:
        foreground = lit(foreground, tables, small)
    return replace(matte, guide=lit(matte.guide, tables, small), foreground=foreground)


def _small(size: Size) -> Size:
    return shrunk(size, min(1.0, SIDE / max(size)))
