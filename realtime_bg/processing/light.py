"""The light on the person: exposure and white balance, less noise, a lamp. Everything after it
(edges, harmony, outputs of the person alone) sees the lit picture."""

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds.base import Background
from realtime_bg.frames import Alpha, Image, Matte
from realtime_bg.imaging import kernels
from realtime_bg.imaging.flow import grey
from realtime_bg.imaging.geometry import enlarged, resize, shrunk
from realtime_bg.imaging.tone import Table, is_plain, table
from realtime_bg.processing.buffers import Buffers
from realtime_bg.processing.denoise import Denoise
from realtime_bg.processing.key_light import KeyLight, lamp_gains
from realtime_bg.processing.metering import Gains, Metering
from realtime_bg.processing.refine import box_around
from realtime_bg.settings import LightSettings, Settings

Share = NDArray[np.uint8]

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

    @property
    def both(self) -> kernels.Levels:
        """The last two in one, see `kernels.relight`."""
        bright, dark = (np.ascontiguousarray(one[0].T, np.uint16) for one in self[1:3])
        return bright + 256 * dark


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
        guide, alpha = _small(matte)
        tables = self._tables_for(memory.metering(frame, guide, alpha, light), light)
        share = None
        if light.key:
            angle = -light.angle if settings.output.mirror else light.angle
            share = memory.lamp(frame, guide, alpha, angle)
        changed = share is not None or not is_plain(tables.plain)
        if not changed and not light.denoise:
            return Lit(matte, frame.image)
        room = frame.image
        if background is not None and background.needs_frame and not is_plain(tables.plain):
            room = cv2.LUT(room, tables.plain)
        own = matte.foreground
        if own is not None and own.shape != frame.image.shape:
            own = None  # only at full size it is what is shown
        colours, below = (frame.image, room) if own is None else (np.ascontiguousarray(own),) * 2
        image = self._buffers.take(colours.shape)
        image[...] = below
        part = colours[box]
        if light.denoise:
            part = memory.denoise(frame, colours, grey(guide), alpha, box, light.denoise)
        if changed:
            full = None if share is None else enlarged(share, frame.size, box)
            light_up(part, tables, full, image[box])
        else:
            image[box] = part
        if own is not None:
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


def light_up(image: Image, tables: Tables, share: Share | None, out: Image) -> None:
    """Write ``image``, BGR ``uint8 (h, w, 3)``, in the light into ``out``. ``share``: how much of
    the lamp's light reaches each pixel, ``uint8 (h, w)``; None without a lamp."""
    if share is None:
        cv2.LUT(image, tables.plain, dst=out)
    elif kernels.compiled:
        kernels.relight(image, tables.both, np.ascontiguousarray(share), out)
    else:
        bright, dark = cv2.LUT(image, tables.bright), cv2.LUT(image, tables.dark)
        part = share * np.float32(1 / 255)
        out[...] = cv2.blendLinear(bright, dark, part, 1 - part)


def _guided(matte: Matte, tables: Tables, share: Share | None) -> Matte:
    """The small pictures of a matte in the same light, because the edge is found in them."""
    if matte.guide is None:
        return matte
    height, width = matte.alpha.shape
    small = None if share is None else resize(share, (width, height))
    guide, foreground = matte.guide, matte.foreground
    if foreground is not None:
        foreground = _lit(foreground, tables, small)
    return replace(matte, guide=_lit(guide, tables, small), foreground=foreground)


def _lit(image: Image, tables: Tables, share: Share | None) -> Image:
    out = np.empty(image.shape, np.uint8)
    light_up(np.ascontiguousarray(image), tables, share, out)
    return out


def _small(matte: Matte) -> tuple[Image, Alpha]:
    """The frame and the alpha at the same small size."""
    if matte.guide is not None:
        return matte.guide, matte.alpha
    size = matte.frame.size
    size = shrunk(size, min(1.0, SIDE / max(size)))
    return resize(matte.frame.image, size), resize(matte.alpha, size)
