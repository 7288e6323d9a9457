"""Conversion of the arguments of the API: pictures in several forms, settings by name."""

from pathlib import Path
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from realtime_bg.errors import SettingsError
from realtime_bg.frames import Image, as_image
from realtime_bg.media.photos import read_photo
from realtime_bg.settings import Settings, load

Order: TypeAlias = Literal["rgb", "bgr"]
"""The order of an array's channels; OpenCV's is ``bgr``."""
Picture: TypeAlias = NDArray[np.uint8] | Pillow.Image | str | Path | bytes
"""An array ``uint8 (H, W, 3)``, a Pillow image, or an encoded picture: a path or bytes."""

SHORT_NAMES = {
    "engine": "engine.name",
    "model": "engine.model",
    "device": "engine.device",
    "offline": "engine.offline",
    "background": "background.current",
    "source": "source.spec",
    "size": "source.size",
    "fps": "source.fps",
    "mirror": "output.mirror",
}


def as_settings(given: dict[str, Any]) -> Settings:
    """Settings from keyword arguments: keys of config.yaml with ``__`` instead of the dot, such as
    ``refine__feather=2``, or `SHORT_NAMES`. None means not given. They override the environment;
    the user's own config.yaml is not read. Raises SettingsError."""
    return load(flags=as_keys(given), origin="arguments")


def as_keys(given: dict[str, Any]) -> dict[str, Any]:
    """``{"section.key": value}`` for keyword arguments, see `as_settings`."""
    return {SHORT_NAMES.get(name, name.replace("__", ".")): value for name, value in given.items()}


def as_bgr(picture: Picture, order: Order) -> Image:
    """Any picture as BGR ``uint8 (H, W, 3)``; an encoded one is turned upright and converted to
    sRGB. Raises SettingsError for an unknown order, ValueError for an array of another shape or
    dtype, DataError for a file that cannot be read."""
    check_order(order)
    if isinstance(picture, np.ndarray):
        image = as_image(picture, "picture")
        return image if order == "bgr" else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if isinstance(picture, Pillow.Image):
        return cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    data = picture if isinstance(picture, bytes) else Path(picture)
    return read_photo(data).in_srgb().image


def check_order(order: str) -> None:
    """Raise SettingsError unless ``order`` is valid."""
    if order not in ("rgb", "bgr"):
        raise SettingsError(f"order: {order!r} is unknown; choose 'rgb' or 'bgr'")
