"""Layers of the user's own: pictures, clips and lines of text, over all or behind the person."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from operator import is_
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from realtime_bg.errors import RealtimeBgError, reason
from realtime_bg.frames import Image, Size
from realtime_bg.imaging.colours import parse_colour
from realtime_bg.media.lettering import lettering
from realtime_bg.media.sprites import Pixels, Sprite, read_sprite
from realtime_bg.settings.layers import LayerSettings, LayersSettings, filled
from realtime_bg.stats import Stats

log = logging.getLogger(__name__)


class Look(NamedTuple):
    """What the pictures of a layer are made from; ``height`` in pixels."""

    file: Path | None
    text: str
    height: int
    colour: str
    plate: float
    font: Path | None

    def sprite(self) -> Sprite:
        """Read or draw the pictures. Raises SourceError."""
        if self.file is not None:
            return read_sprite(self.file.expanduser(), self.height)
        font = None if self.font is None else self.font.expanduser()
        pixels = lettering(self.text, self.height, parse_colour(self.colour), self.plate, font)
        return Sprite((pixels,), (1.0,))


class Stamp(NamedTuple):
    """A picture that is ready to be blended at ``left``, ``top``: the colours times the opacity,
    and how much of what is below stays, both ``uint8 (h, w, 3)``."""

    colours: Image
    rest: Image
    left: int
    top: int


class Layers:
    """Draws the layers of the settings. Files are read on another thread in live use, so a layer
    appears when it is ready. One that cannot be read is reported once and left out."""

    def __init__(
        self, stats: Stats, wait: bool, clock: Callable[[], datetime] = datetime.now
    ) -> None:
        """``wait``: read files at once, because no picture may lack a layer."""
        self._stats, self._wait, self._clock = stats, wait, clock
        # By the layer's name: the last pictures (None if they cannot be read), and of what they are
        self._sprites: dict[str, tuple[Look, Sprite | None]] = {}
        self._stamps: dict[str, tuple[Sprite, tuple[object, ...], Stamp]] = {}
        self._reader: threading.Thread | None = None
        self._behind: tuple[Image, tuple[Stamp, ...], Image] | None = None
        self._items: tuple[LayerSettings, ...] = ()

    def under(self, image: Image, settings: LayersSettings, at: float, mirror: bool) -> Image:
        """``image``, BGR ``uint8 (H, W, 3)``, with the layers that are behind the person, as a
        picture of its own. ``at``: seconds, for what moves. ``mirror``: the picture will be
        mirrored, so that the layers must be now."""
        stamps = self._due(image, settings, at, behind=True, mirror=mirror)
        if not stamps:
            return image
        last = self._behind
        if last is None or last[0] is not image or not _same(last[1], stamps):
            last = self._behind = image, stamps, _stamped(image.copy(), stamps)
        return last[2]

    def over(self, image: Image, settings: LayersSettings, at: float, own: bool) -> Image:
        """``image`` with the layers that are in front of all; drawn into it if it is the caller's
        ``own``, otherwise into a copy."""
        stamps = self._due(image, settings, at, behind=False, mirror=False)
        return _stamped(image if own else image.copy(), stamps) if stamps else image

    def reload(self, path: Path) -> None:
        """Read a file again, which has changed."""
        for name, (look, _) in list(self._sprites.items()):
            if path in (look.file, look.font):
                self._sprites[name] = look._replace(height=0), self._sprites[name][1]

    def _due(
        self, image: Image, settings: LayersSettings, at: float, behind: bool, mirror: bool
    ) -> tuple[Stamp, ...]:
        if settings.items is not self._items:
            self._forget({item.name for item in settings.items})
            self._items = settings.items
        if not settings.shown or not settings.items:
            return ()
        size = image.shape[1], image.shape[0]
        found = [
            self._stamp(item, size, at, mirror)
            for item in settings.items
            if item.shown and item.behind == behind and item.opacity > 0
        ]
        return tuple(stamp for stamp in found if stamp is not None)

    def _forget(self, kept: set[str]) -> None:
        """Drop the pictures of layers that have gone."""
        for name in [name for name in self._sprites if name not in kept]:
            del self._sprites[name]
            self._stamps.pop(name, None)

    def _stamp(self, item: LayerSettings, size: Size, at: float, mirror: bool) -> Stamp | None:
        sprite = self._sprite(item, max(1, round(item.scale * size[1])))
        if sprite is None:
            return None
        index = sprite.at(at)
        how = index, item.position, item.opacity, size, mirror
        last = self._stamps.get(item.name)
        if last is None or last[0] is not sprite or last[1] != how:
            stamp = _placed(sprite.pictures[index], item, size, mirror)
            last = self._stamps[item.name] = sprite, how, stamp
        return last[2]

    def _sprite(self, item: LayerSettings, height: int) -> Sprite | None:
        """The newest pictures of a layer; None before the first, or if they cannot be read."""
        text = "" if item.text is None else filled(item.text, self._clock())
        look = Look(item.file, text, height, item.colour, item.plate, item.font)
        known, sprite = self._sprites.get(item.name, (None, None))
        if known == look:
            return sprite
        if self._wait or item.text is not None:
            self._read(item.name, look)
            return self._sprites[item.name][1]
        if self._reader is None or not self._reader.is_alive():
            self._reader = threading.Thread(
                target=self._read, args=(item.name, look), name="layer-reader", daemon=True
            )
            self._reader.start()
        return sprite

    def _read(self, name: str, look: Look) -> None:
        try:
            self._sprites[name] = look, look.sprite()
        except Exception as error:  # Pillow raises almost anything for a damaged file
            why = str(error) if isinstance(error, RealtimeBgError) else reason(error)
            text = f"layer {name!r} is left out: {why}"
            log.warning("%s", text)
            self._stats.notice(text)
            self._sprites[name] = look, None


def _same(one: tuple[Stamp, ...], other: tuple[Stamp, ...]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


def _placed(pixels: Pixels, item: LayerSettings, size: Size, mirror: bool) -> Stamp:
    """The part of the layer's picture that lies inside a picture of ``size``."""
    height, width = pixels.shape[:2]
    x, y = item.position
    if mirror:
        pixels, x = cv2.flip(pixels, 1), 1 - x
    left, top = round((size[0] - width) * x), round((size[1] - height) * y)
    shown = pixels[max(0, -top) : max(0, size[1] - top), max(0, -left) : max(0, size[0] - left)]
    share = shown[..., 3:].astype(np.float32) * np.float32(item.opacity / 255)
    colours = np.rint(shown[..., :3] * share).astype(np.uint8)
    rest = np.rint(255 * (1 - share)).astype(np.uint8)
    return Stamp(colours, cv2.merge([rest] * 3), max(0, left), max(0, top))


def _stamped(image: Image, stamps: tuple[Stamp, ...]) -> Image:
    """Blend the stamps into ``image``, within 1 grey level of exact arithmetic for each."""
    for stamp in stamps:
        height, width = stamp.rest.shape[:2]
        part = image[stamp.top : stamp.top + height, stamp.left : stamp.left + width]
        below = cv2.multiply(part, stamp.rest, scale=1 / 255)
        part[...] = cv2.add(below, stamp.colours)
    return image
