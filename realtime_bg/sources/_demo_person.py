"""The person in the demo: a portrait in the public domain, or a drawn figure if that is not
installed."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Image
from realtime_bg.imaging.drawing import Points, Sheet, ellipse, step
from realtime_bg.imaging.fill import fill
from realtime_bg.media.pictures import read_picture

BOTTOM = 338  # row of a figure that lies on the lower edge of the frame
MIDDLE = 212  # column of a figure below its head


@dataclass(frozen=True, slots=True)
class Figure:
    """A person on the pixel grid of the portrait: foreground colours and alpha.

    ``image`` BGR ``uint8 (352, w, 3)``, ``alpha`` ``float32 (352, w)``.
    """

    image: Image
    alpha: Alpha
    name: str


# The hand-drawn outline of the astronaut in her picture, from the left sleeve over the head to the
# right sleeve. The suit has hard edges; along the head, the outline only shows roughly where they
# are.
_OUTLINE = (
    (25, 352),
    (25, 341),
    (30, 330),
    (33, 318),
    (40, 300),
    (41, 293),
    (46, 280),
    (54, 265),
    (60, 253),
    (68, 244),
    (76, 237),
    (90, 229),
    (99, 220),
    (108, 210),
    (114, 205),
    (113, 200),
    (115, 190),
    (112, 186),
    (115, 184),
    (120, 183),
    (122, 176),
    (128, 166),
    (136, 157),
    (148, 151),
    (165, 148),
    (183, 148),
    (183, 140),
    (182, 133),
    (177, 131),
    (173, 127),
    (170, 121),
    (168, 116),
    (164, 112),
    (160, 108),
    (157, 103),
    (155, 95),
    (154, 87),
    (153, 78),
    (153, 70),
    (154, 64),
    (156, 59),
    (160, 54),
    (166, 49),
    (173, 43),
    (181, 38),
    (188, 34),
    (190, 31),
    (196, 26),
    (203, 22),
    (212, 19),
    (222, 17),
    (230, 15),
    (237, 15),
    (244, 17),
    (251, 20),
    (258, 23),
    (266, 27),
    (274, 31),
    (281, 36),
    (287, 41),
    (291, 47),
    (295, 55),
    (297, 62),
    (299, 70),
    (301, 78),
    (302, 85),
    (301, 92),
    (300, 100),
    (297, 108),
    (292, 115),
    (286, 121),
    (281, 127),
    (278, 132),
    (275, 135),
    (271, 137),
    (268, 137),
    (267, 138),
    (266, 144),
    (263, 150),
    (259, 160),
    (256, 172),
    (268, 181),
    (282, 193),
    (296, 213),
    (303, 230),
    (305, 236),
    (320, 242),
    (334, 256),
    (341, 264),
    (347, 277),
    (350, 284),
    (353, 292),
    (356, 305),
    (357, 320),
    (360, 326),
    (363, 334),
    (360, 336),
    (361, 345),
    (366, 352),
)
_HEAD_END = 146  # row; above it, the edge is hair and skin in front of a plain backdrop


def portrait() -> Figure | None:
    """The astronaut, cut out of her picture; None without scikit-image."""
    path = _astronaut()
    picture = None if path is None else read_picture(path)
    if picture is None or picture.shape != (512, 512, 3):
        return None
    shown: Image = picture[:352, :400].astype(np.uint8)
    hard = cv2.GaussianBlur(_inside(_OUTLINE, shown.shape), (0, 0), 0.6)
    alpha = np.where(np.arange(352)[:, None] < _HEAD_END, _hair_alpha(shown), hard)
    alpha = alpha.astype(np.float32)
    return Figure(_cleaned(shown, alpha), alpha, "a portrait")


def _cleaned(picture: Image, alpha: Alpha) -> Image:
    """``picture`` without the colour of the old room along the edge, where colours are taken from a
    little further inside."""
    sure = (cv2.erode(alpha, np.ones((3, 3), np.uint8)) > 0.97).astype(np.float32)
    return np.where(sure[..., None] > 0, picture, fill(picture, sure))


def _astronaut() -> Path | None:
    """The file of the picture. `skimage.data` is avoided because it may download a missing file."""
    try:
        spec = find_spec("skimage")
    except ValueError:
        return None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "data" / "astronaut.png"
    return path if path.is_file() else None


def _inside(outline: Points, shape: tuple[int, ...]) -> Alpha:
    """1 inside a polygon, 0 outside, smooth in between: ``float32 (H, W)``."""
    mask = np.zeros(shape[:2], np.uint8)
    points = np.rint(np.array(outline) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    return mask / np.float32(255)  # type: ignore[return-value]


def _hair_alpha(picture: Image) -> Alpha:
    """The alpha along the head, from the position of each pixel between the colours on both
    sides."""
    rough = _inside(_OUTLINE, picture.shape)
    inner = cv2.erode(rough, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11)))
    outer = cv2.dilate(rough, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11)))
    person = fill(picture, (inner > 0.5).astype(np.float32)).astype(np.float32)
    room = fill(picture, (outer < 0.5).astype(np.float32)).astype(np.float32)
    across = person - room
    share = ((picture - room) * across).sum(-1) / np.maximum((across**2).sum(-1), 1.0)
    # Bright strands look like the backdrop, so the hand-drawn line has half the weight.
    alpha = step(0.5 * share.clip(0, 1) + 0.5 * cv2.GaussianBlur(rough, (0, 0), 1.6), 0.25, 0.7)
    return np.where(inner > 0.5, 1, np.where(outer < 0.5, 0, alpha)).astype(np.float32)


_LOCKS = ((177, 260), (162, 450), (-162, 450), (-177, 260))  # hair on both sides of the face


def drawn_figure() -> Figure:
    """A simple drawn person, for installations without the portrait."""
    sheets = Sheet((900, 704)), Sheet((900, 704))
    skin, dark, shirt, hair = "#e0ac8a", "#c98f6d", "#3f6f8f", "#4a3328"
    middle = MIDDLE / 352 * 900
    outline: list[tuple[Points, str]] = [
        (ellipse(middle, 250, 178, 212), hair),
        ([(middle - side, y) for side, y in _LOCKS], hair),
        (ellipse(middle, 960, 520, 410), shirt),
        ([(middle - 76, 400), (middle + 76, 400), (middle + 96, 560), (middle - 96, 560)], dark),
        (ellipse(middle, 560, 96, 44), dark),
        (ellipse(middle, 280, 138, 178), skin),
    ]
    for shape, tint in outline:
        sheets[0].polygons([shape], tint, 1, 2)
        sheets[1].polygons([shape], "#ffffff", 1, 2)
    colours = sheets[0]
    colours.polygons([ellipse(middle - 40, 130, 130, 62, -0.35)], hair, 1, 3)
    colours.polygons([ellipse(middle + 70, 130, 84, 54, 0.6)], hair, 1, 3)
    for side in (-1, 1):
        x = middle + side * 56
        colours.polygons([ellipse(x, 262, 21, 12)], "#fbf7f2", 1, 1)
        colours.polygons([ellipse(x, 262, 10, 11)], "#3a2a20", 1, 1)
        colours.polygons([ellipse(x, 228, 30, 6, side * 0.06)], hair, 0.9, 1)
        colours.polygons([ellipse(middle + side * 76, 330, 32, 22)], "#e08f78", 0.35, 12)
    colours.polygons([ellipse(middle, 318, 16, 10)], dark, 0.8, 4)
    bow = np.linspace(-1, 1, 17)
    lips = np.stack([50 * np.append(bow, -bow), np.append(26 - 26 * bow**2, 5 - 5 * bow**2)], 1)
    mouth = [(x, y) for x, y in lips]
    teeth = [(0.84 * x, 1.5 + 0.6 * y) for x, y in mouth]
    for shape, tint in ((mouth, "#b4564f"), (teeth, "#fbf3ee")):
        colours.polygons([[(middle + x, 368 + y) for x, y in shape]], tint, 1, 1)
    colours.shade(
        (1.08 - 0.25 * step(colours.x, middle - 200, middle + 420)) * np.ones_like(colours.y)
    )
    small = cv2.resize(colours.image(), (450, 352), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(sheets[1].pixels[..., 0], (450, 352), interpolation=cv2.INTER_AREA)
    alpha = inside.clip(0, 1).astype(np.float32)
    name = "a drawn figure (scikit-image brings a portrait)"
    return Figure(_cleaned(small.astype(np.uint8), alpha), alpha, name)
