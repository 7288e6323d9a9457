"""Random augmentation of training pictures: crop, light, camera.

Own code, because the usual libraries would bring a second way to read, warp and compress
pictures beside OpenCV. Pictures are ``uint8 (H, W, C)``; ``chance`` is the only source of chance.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from realtime_bg.frames import Image, Size

ZOOM = (0.8, 2.5)  # how large the photo is shown; 1: whole, just inside the window
TURN = 10.0  # degrees to either side
LIGHT = 0.35  # how far brightness and contrast go, as a share
TINT = 0.1  # how far each channel goes


def whole(pictures: Sequence[Image], size: Size) -> list[Image]:
    """Pictures that belong together whole inside ``size`` (width, height), their border repeated
    where they end; and one more, ``uint8 (H, W)``, 255 where they have not ended."""
    return _placed(pictures, size, 1.0, 0.0, (0.0, 0.0), False)


def window(pictures: Sequence[Image], size: Size, chance: np.random.Generator) -> list[Image]:
    """A window of ``size`` by chance, the same of each: zoomed, turned, moved, mirrored; and where
    they are, as in `whole`."""
    zoom = math.exp(chance.uniform(math.log(ZOOM[0]), math.log(ZOOM[1])))
    turn = chance.uniform(-TURN, TURN)
    shift = chance.uniform(-1, 1), chance.uniform(-1, 1)
    return _placed(pictures, size, zoom, turn, shift, bool(chance.random() < 0.5))


def _placed(
    pictures: Sequence[Image],
    size: Size,
    zoom: float,
    turn: float,
    shift: tuple[float, float],
    flip: bool,
) -> list[Image]:
    """``shift``: from -1 to 1, as far as the pictures overlap the window."""
    height, width = pictures[0].shape[:2]
    scale = zoom * min(size[0] / width, size[1] / height)
    if scale < 0.5:  # warping looks at 4 pixels of the source only
        width, height = (max(1, round(side * scale * 1.5)) for side in (width, height))
        pictures = [
            cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in pictures
        ]
        scale = 1 / 1.5
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), turn, scale)
    for axis, (side, target) in enumerate(zip((width, height), size, strict=True)):
        room = abs(side * scale - target) / 2
        matrix[axis, 2] += target / 2 - side / 2 + shift[axis] * room
    placed = [
        cv2.warpAffine(one, matrix, size, borderMode=cv2.BORDER_REPLICATE) for one in pictures
    ]
    placed.append(cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, size))
    return [np.ascontiguousarray(one[:, ::-1]) for one in placed] if flip else placed


def recoloured(image: Image, chance: np.random.Generator) -> Image:
    """BGR in another light and through another camera: gain, gamma, tint, blur, noise, JPEG."""
    gain = 1 + chance.uniform(-LIGHT, LIGHT)
    tint = 1 + chance.uniform(-TINT, TINT, 3)
    gamma = math.exp(chance.uniform(-LIGHT, LIGHT))
    levels = np.linspace(0, 1, 256)[:, None] ** gamma
    middle = chance.uniform(0.3, 0.7)
    table = np.clip(((levels - middle) * gain + middle) * tint, 0, 1) * 255
    image = cv2.LUT(image, np.ascontiguousarray(table[None].astype(np.uint8)))
    if chance.random() < 0.1:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if chance.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), chance.uniform(0.3, 1.5))
    if chance.random() < 0.3:
        noise = chance.normal(0, chance.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if chance.random() < 0.3:
        quality = int(chance.integers(30, 90))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image
