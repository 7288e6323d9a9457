"""Random augmentation of training images: crop, lighting and camera effects.

This is not a library, because the usual ones would add a second way to read, warp and compress
images beside OpenCV. Images are ``uint8 (H, W, C)``; ``rng`` is the only source of randomness.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from realtime_bg.frames import Image, Size

ZOOM = (0.8, 2.5)  # scale of the photo; 1: it just fits into the window
TURN = 10.0  # degrees in either direction
LIGHT = 0.35  # range of brightness and contrast, as a fraction
TINT = 0.1  # range of each channel's gain


def fit_whole(pictures: Sequence[Image], size: Size) -> list[Image]:
    """Fit the given images (a photo and its masks) into ``size`` (width, height), repeating their
    border outside; append the validity mask ``uint8 (H, W)``, 255 inside the photo."""
    return _placed(pictures, size, 1.0, 0.0, (0.0, 0.0), False)


def random_window(pictures: Sequence[Image], size: Size, rng: np.random.Generator) -> list[Image]:
    """Cut the same random window of ``size`` from each image: zoomed, rotated, shifted, mirrored;
    append the validity mask, as in `fit_whole`."""
    zoom = math.exp(rng.uniform(math.log(ZOOM[0]), math.log(ZOOM[1])))
    turn = rng.uniform(-TURN, TURN)
    shift = rng.uniform(-1, 1), rng.uniform(-1, 1)
    return _placed(pictures, size, zoom, turn, shift, bool(rng.random() < 0.5))


def _placed(
    pictures: Sequence[Image],
    size: Size,
    zoom: float,
    turn: float,
    shift: tuple[float, float],
    flip: bool,
) -> list[Image]:
    """Warp the images into a window. ``shift``: from -1 to 1, relative to the slack on each
    axis."""
    height, width = pictures[0].shape[:2]
    scale = zoom * min(size[0] / width, size[1] / height)
    if scale < 0.5:  # warping only interpolates between 4 source pixels
        width, height = (max(1, round(side * scale * 1.5)) for side in (width, height))
        pictures = [
            cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in pictures
        ]
        scale = 1 / 1.5
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), turn, scale)
    for axis, (side, target) in enumerate(zip((width, height), size, strict=True)):
        slack = abs(side * scale - target) / 2
        matrix[axis, 2] += target / 2 - side / 2 + shift[axis] * slack
    placed = [
        cv2.warpAffine(one, matrix, size, borderMode=cv2.BORDER_REPLICATE) for one in pictures
    ]
    placed.append(cv2.warpAffine(np.full((height, width), 255, np.uint8), matrix, size))
    return [np.ascontiguousarray(one[:, ::-1]) for one in placed] if flip else placed


def recoloured(image: Image, rng: np.random.Generator) -> Image:
    """Return a BGR image with random lighting and camera effects: gain, gamma, tint, blur, noise,
    JPEG."""
    gain = 1 + rng.uniform(-LIGHT, LIGHT)
    tint = 1 + rng.uniform(-TINT, TINT, 3)
    gamma = math.exp(rng.uniform(-LIGHT, LIGHT))
    levels = np.linspace(0, 1, 256)[:, None] ** gamma
    middle = rng.uniform(0.3, 0.7)
    table = np.clip(((levels - middle) * gain + middle) * tint, 0, 1) * 255
    image = cv2.LUT(image, np.ascontiguousarray(table[None].astype(np.uint8)))
    if rng.random() < 0.1:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = int(rng.integers(30, 90))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image
