"""Cut the demo's person out of her picture.

    python scripts/make_demo_person.py realtime_bg/sources/portrait.webp

The picture, which scikit-image brings (pip install scikit-image), shows the astronaut Eileen
Collins; it is a NASA photograph in the public domain. Writes BGRA: colours without those of the old
room, and alpha.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import skimage

from realtime_bg.frames import Alpha, Image
from realtime_bg.imaging.drawing import Points, step
from realtime_bg.imaging.fill import fill
from realtime_bg.media.pictures import read_picture

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


def cut_out(picture: Image) -> Image:
    """The person, BGRA ``uint8 (352, 400, 4)``, of the picture ``uint8 (512, 512, 3)``."""
    shown: Image = picture[:352, :400].astype(np.uint8)
    hard = cv2.GaussianBlur(_inside(_OUTLINE, shown.shape), (0, 0), 0.6)
    alpha = np.where(np.arange(352)[:, None] < _HEAD_END, _hair_alpha(shown), hard)
    alpha = alpha.astype(np.float32)
    colours = _cleaned(shown, alpha)
    colours[alpha == 0] = 0  # what cannot be seen need not be stored
    return np.dstack([colours, np.rint(alpha * 255).astype(np.uint8)])


def _cleaned(picture: Image, alpha: Alpha) -> Image:
    """``picture`` without the colour of the old room along the edge, where colours are taken from a
    little further inside."""
    sure = (cv2.erode(alpha, np.ones((3, 3), np.uint8)) > 0.97).astype(np.float32)
    return np.where(sure[..., None] > 0, picture, fill(picture, sure))


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


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    picture = read_picture(Path(skimage.__file__).parent / "data/astronaut.png")
    lossless = [cv2.IMWRITE_WEBP_QUALITY, 101]
    done, data = cv2.imencode(".webp", cut_out(picture), lossless)
    assert done
    output.write_bytes(data.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
