"""Backgrounds that stand still: pictures and colours, drawn once per size."""

import re
from abc import abstractmethod
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_bg.backgrounds.base import Background
from realtime_bg.errors import BackgroundError
from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.geometry import fit
from realtime_bg.settings import BackgroundSettings

# By EXIF's orientation: what makes a picture upright.
TURNS: dict[int, Callable[[Image], Image]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: np.rot90,
}
LONGEST_SIDE = 4096  # pixels kept of a huge picture: more than any output shows

# The named colours of CSS Color Module Level 4, "name rrggbb".
_CSS = """
aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc
bisque ffe4c4 black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a
burlywood deb887 cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue
6495ed cornsilk fff8dc crimson dc143c cyan 00ffff darkblue 00008b darkcyan 008b8b darkgoldenrod
b8860b darkgray a9a9a9 darkgreen 006400 darkgrey a9a9a9 darkkhaki bdb76b darkmagenta 8b008b
darkolivegreen 556b2f darkorange ff8c00 darkorchid 9932cc darkred 8b0000 darksalmon e9967a
darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f darkslategrey 2f4f4f darkturquoise
00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff dimgray 696969 dimgrey 696969
dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0 forestgreen 228b22 fuchsia ff00ff
gainsboro dcdcdc ghostwhite f8f8ff gold ffd700 goldenrod daa520 gray 808080 green 008000
greenyellow adff2f grey 808080 honeydew f0fff0 hotpink ff69b4 indianred cd5c5c indigo 4b0082
ivory fffff0 khaki f0e68c lavender e6e6fa lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon
fffacd lightblue add8e6 lightcoral f08080 lightcyan e0ffff lightgoldenrodyellow fafad2 lightgray
d3d3d3 lightgreen 90ee90 lightgrey d3d3d3 lightpink ffb6c1 lightsalmon ffa07a lightseagreen
20b2aa lightskyblue 87cefa lightslategray 778899 lightslategrey 778899 lightsteelblue b0c4de
lightyellow ffffe0 lime 00ff00 limegreen 32cd32 linen faf0e6 magenta ff00ff maroon 800000
mediumaquamarine 66cdaa mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db mediumseagreen
3cb371 mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred
c71585 midnightblue 191970 mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead
navy 000080 oldlace fdf5e6 olive 808000 olivedrab 6b8e23 orange ffa500 orangered ff4500 orchid
da70d6 palegoldenrod eee8aa palegreen 98fb98 paleturquoise afeeee palevioletred db7093
papayawhip ffefd5 peachpuff ffdab9 peru cd853f pink ffc0cb plum dda0dd powderblue b0e0e6 purple
800080 rebeccapurple 663399 red ff0000 rosybrown bc8f8f royalblue 4169e1 saddlebrown 8b4513
salmon fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee sienna a0522d silver c0c0c0
skyblue 87ceeb slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa springgreen 00ff7f
steelblue 4682b4 tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 violet
ee82ee wheat f5deb3 white ffffff whitesmoke f5f5f5 yellow ffff00 yellowgreen 9acd32
"""
COLOURS = dict(zip(_CSS.split()[::2], _CSS.split()[1::2], strict=True))


def find_colour(text: str) -> tuple[int, int, int] | None:
    """``#rrggbb``, ``#rgb`` or a CSS name as (blue, green, red), 0..255; None for others."""
    text = text.strip().lower()
    match = re.fullmatch("#([0-9a-f]{6}|[0-9a-f]{3})", "#" + COLOURS.get(text, text[1:]))
    if not match or not (text in COLOURS or text.startswith("#")):
        return None
    digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
    return int(digits[4:], 16), int(digits[2:4], 16), int(digits[:2], 16)


def parse_colour(text: str) -> tuple[int, int, int]:
    """Like `find_colour`, but raises BackgroundError for what is no colour."""
    colour = find_colour(text)
    if colour is None:
        raise BackgroundError(
            f"background colour {text!r}: not a colour; write #rrggbb or #rgb, "
            "for example #00b140, or a CSS name such as teal"
        )
    return colour


def over_black(image: NDArray[Any], full: NDArray[Any] | None) -> Image:
    """``image`` BGR ``uint8 (H, W, 3)`` darkened by the alpha channel of ``full``, the same picture
    as it was stored, where it has one."""
    if full is None or full.ndim != 3 or full.shape[2] != 4 or full.shape[:2] != image.shape[:2]:
        return image
    alpha = full[..., 3:].astype(np.float32) / np.iinfo(full.dtype).max
    return np.rint(image * alpha).astype(np.uint8)


class StillBackground(Background):
    """A background that depends on the size alone; the last size is kept."""

    _cached: Image | None = None

    @abstractmethod
    def draw(self, size: Size) -> Image:
        """The picture at ``size``: BGR ``uint8 (H, W, 3)``."""

    def render(
        self, size: Size, time: float, frame: Image | None = None, alpha: Alpha | None = None
    ) -> Image:
        cached = self._cached
        if cached is None or cached.shape[:2] != (size[1], size[0]):
            cached = self._cached = self.draw(size)
        return cached


class ColourBackground(StillBackground):
    """One colour: ``#rrggbb``, ``#rgb`` or a CSS name."""

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._colour = parse_colour(target)

    def draw(self, size: Size) -> Image:
        return np.full((size[1], size[0], 3), self._colour, np.uint8)


class ImageBackground(StillBackground):
    """A picture file, upright by its EXIF data, transparent parts over black."""

    def __init__(self, target: str, settings: BackgroundSettings, wait: bool) -> None:
        super().__init__(target, settings, wait)
        self._image = read_image(Path(target))

    def draw(self, size: Size) -> Image:
        return fit(self._image, size, self.settings.fit)


def is_still(path: Path) -> bool:
    """Whether the file's first bytes are those of a picture that does not move."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
        animated = head[:4] == b"GIF8" or is_animated_webp(head)
        return not animated and bool(cv2.haveImageReader(str(path)))
    except (OSError, cv2.error):
        return False


def is_animated_webp(head: bytes) -> bool:
    """Whether the first bytes of a file (21 or more) say that it is a WebP that moves."""
    moves = any(flag & 2 for flag in head[20:21])
    return moves and head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"


def _decoded(data: NDArray[np.uint8]) -> Image | None:
    """BGR, upright, over black where it is transparent; None for what is no picture."""
    full = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if full is None or full.ndim != 3 or full.shape[2] != 4:
        return cv2.imdecode(data, cv2.IMREAD_COLOR)
    # OpenCV turns the alpha of a TIFF alone: for the others, blended first, turned then.
    stored = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if stored is None:
        return None
    image = over_black(stored, full)
    from PIL import ExifTags
    from PIL import Image as Pillow

    try:
        with Pillow.open(BytesIO(data.tobytes()), formats=("PNG", "WEBP")) as file:
            turn = TURNS.get(file.getexif().get(ExifTags.Base.Orientation, 1))
    except (OSError, SyntaxError, ValueError):  # another format
        turn = None
    return image if turn is None else np.ascontiguousarray(turn(image))


def read_image(path: Path) -> Image:
    """The picture in a file: BGR ``uint8 (H, W, 3)``. Raises BackgroundError."""
    advice = "give a JPEG, PNG, WebP, BMP or TIFF file"
    try:
        data = np.fromfile(path, np.uint8)  # cv2.imread cannot open every name on Windows
        image = _decoded(data) if data.size else None
    except OSError as error:
        reason = error.strerror or error
        raise BackgroundError(f"background {str(path)!r}: {reason}; {advice}") from None
    except (cv2.error, MemoryError):  # OpenCV refuses more than 2**30 pixels
        raise BackgroundError(
            f"background {str(path)!r}: too large to decode; make it smaller, "
            f"{LONGEST_SIDE} pixels on its longer side are plenty"
        ) from None
    if image is None:
        raise BackgroundError(f"background {str(path)!r}: damaged or no picture; {advice}")
    longest = max(image.shape[:2])
    if longest > LONGEST_SIDE:
        scale = LONGEST_SIDE / longest
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = fit(image, size, "stretch")
    return np.ascontiguousarray(image)
