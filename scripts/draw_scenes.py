"""Draw the built-in backgrounds, which come with the program as pictures.

    python scripts/draw_scenes.py realtime_bg/backgrounds

Writes beach.webp, office.webp, studio.webp and gradient.webp into the folder, in about ten seconds.
A scene is laid out on a sheet of 1600x900 units, for any size of picture; colours are sRGB from 0
to 1 unless said otherwise.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from _beach import beach
from _office import office

from realtime_bg.frames import Image, Size
from realtime_bg.imaging.drawing import Sheet, colour, noise
from realtime_bg.system.files import write_whole

SIZE: Size = (2560, 1440)
# WebP's; smooth scenes would show blocks at a lower one, which details hide in the others
QUALITY = {"beach": 90, "office": 90, "studio": 98, "gradient": 98}


def studio(sheet: Sheet) -> None:
    """A grey-blue backdrop that rolls into the floor, lit from behind the sitter."""
    sheet.mix(sheet.rows((0, "#2f353d"), (560, "#4b545f"), (720, "#525a64"), (900, "#3b4149")), 1.0)
    pool = sheet.near(800, 380, 640, 0.86)
    sheet.light("#aab9c8", 0.32 * pool)
    sheet.light("#dfe6ec", 0.13 * sheet.near(800, 340, 330, 0.95))
    mottle = noise(sheet.size, (4, 3), 5, 41) - 0.5
    weave = noise(sheet.size, (190, 110), 2, 42) - 0.5
    sheet.shade((1 + 0.15 * mottle + 0.022 * weave).astype(np.float32))
    sheet.light("#ffb27a", 0.10 * sheet.near(1560, 520, 560))
    sheet.light("#6fa8ff", 0.11 * sheet.near(40, 430, 560))
    sheet.vignette(0.42)


def gradient(sheet: Sheet) -> None:
    """Soft fields of colour that flow into each other."""
    fields = (
        (60, 20, "#2b2f77"),
        (620, -60, "#5b4fc4"),
        (1180, 40, "#9a6fd8"),
        (1620, 180, "#f0a3b5"),
        (-40, 520, "#2a5fa8"),
        (520, 430, "#5e7be0"),
        (1080, 480, "#c58bd8"),
        (1640, 640, "#ffc6a0"),
        (40, 930, "#2aa5b5"),
        (640, 960, "#66b4e2"),
        (1180, 930, "#e59ac0"),
        (1600, 960, "#ffb58f"),
    )
    x = sheet.x + 70 * np.sin(sheet.y / 210 + 0.5)
    y = sheet.y + 60 * np.sin(sheet.x / 320)
    total = np.zeros_like(sheet.pixels)
    weights = np.zeros(sheet.pixels.shape[:2], np.float32)
    for left, top, tint in fields:
        weight = np.exp(-((x - left) ** 2 + (y - top) ** 2) / 340.0**2).astype(np.float32) + 1e-6
        # Mixing in linear light keeps colours clear
        total += weight[..., None] * np.square(colour(tint))
        weights += weight
    sheet.pixels = np.sqrt(total / weights[..., None])
    ribbon = np.sin((sheet.x * 0.55 + sheet.y + 90 * np.sin(sheet.x / 380)) / 150).astype(
        np.float32
    )
    sheet.shade(1 + 0.035 * ribbon)


SCENES = {"beach": beach, "office": office, "studio": studio, "gradient": gradient}


def drawn(name: str, size: Size) -> Image:
    """The scene at a size of 16:9, BGR ``uint8 (H, W, 3)``; always the same."""
    sheet = Sheet(size)
    SCENES[name](sheet)
    return sheet.image()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    for name in SCENES:
        image = drawn(name, SIZE)
        data = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, QUALITY[name]])[1]
        write_whole(folder / f"{name}.webp", data.tobytes())
        kept = cv2.PSNR(image, cv2.imdecode(data, cv2.IMREAD_COLOR))
        print(f"{name}.webp: {len(data) / 1000:.0f} kB, {kept:.1f} dB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
