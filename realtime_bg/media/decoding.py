"""Converting decoded video frames to pixels with the right colours, upright, at a given size."""

import struct
import threading
from typing import Any, NamedTuple

import cv2
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import Colorspace, VideoReformatter

from realtime_bg.frames import Alpha, Image, Size
from realtime_bg.imaging.orientation import UPRIGHT, of_matrix, upright
from realtime_bg.media.grading import Deep, Grade, grade_of

UNSPECIFIED = 2  # FFmpeg's AVCOL_SPC_UNSPECIFIED
HD_HEIGHT = 720

_local = threading.local()


class Pixels(NamedTuple):
    """A decoded picture, upright. ``image``: BGR ``uint8 (H, W, 3)`` in BT.709; transparent parts
    are white, whatever the file hides there. ``alpha``: the picture's own, ``float32 (H, W)`` in
    [0, 1], if it has one. ``deep``: its own colours if they are HDR or wide gamut."""

    image: Image
    alpha: Alpha | None
    deep: Deep | None


def to_bgr(picture: Any, size: Size | None = None) -> Image:
    """The `Pixels.image` of a picture; ``size``: see `to_pixels`."""
    return to_pixels(picture, size).image


def to_pixels(picture: Any, size: Size | None = None) -> Pixels:
    """The pixels of a decoded ``av.VideoFrame``, turned upright by its display matrix.

    ``size`` (width, height), before turning, scales during the conversion, which saves a pass over
    a large picture; None keeps the size.
    """
    orientation, grade = orientation_of(picture), picture_grade(picture)
    deep: Deep | None = None
    if grade is not None:
        deep = upright(_converted(picture, size, "rgb48le"), orientation)
    if not has_alpha(picture):
        if grade is not None and deep is not None:
            return Pixels(grade.to_sdr(deep), None, deep)
        return Pixels(upright(_converted(picture, size, "bgr24"), orientation), None, None)
    full = upright(_converted(picture, size, "bgra"), orientation)
    alpha = np.divide(full[..., 3], np.float32(255), dtype=np.float32)
    if grade is not None and deep is not None:
        colours = grade.to_sdr(deep)
    else:
        colours = np.ascontiguousarray(full[..., :3])
    white = np.full_like(colours, 255)
    image = cv2.blendLinear(colours, white, alpha, cv2.subtract(1.0, alpha))
    return Pixels(image, alpha, deep)


def picture_grade(picture: Any) -> Grade | None:
    """The colours of a decoded picture; None if they are those of BT.709, or close to them."""
    return grade_of(int(picture.color_trc), int(picture.color_primaries))


def has_alpha(picture: Any) -> bool:
    """Whether a decoded picture may have transparent parts."""
    pixels = picture.format
    return pixels.has_palette or any(one.is_alpha for one in pixels.components)


def orientation_of(picture: Any) -> int:
    """The EXIF orientation (1 to 8) that the display matrix of a decoded picture states."""
    found = picture.side_data.get(Type.DISPLAYMATRIX)
    if found is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(found))
    return of_matrix(a, b, c, d)


def _converted(picture: Any, size: Size | None, pixels: str) -> Any:
    width, height = size or (picture.width, picture.height)
    # HD video without a stated colour space is BT.709; FFmpeg would assume BT.601.
    hd = picture.colorspace == UNSPECIFIED and picture.height >= HD_HEIGHT
    options = {"src_colorspace": Colorspace.ITU709} if hd else {}
    if hd and picture_grade(picture) is not None:
        options = {"src_colorspace": Colorspace.BT2020}
    how = "AREA" if width < picture.width else "BILINEAR"
    if not hasattr(_local, "reformatter"):
        _local.reformatter = VideoReformatter()  # reuses its tables from picture to picture
    image = _local.reformatter.reformat(
        picture, width, height, pixels, interpolation=how, **options
    )
    return image.to_ndarray()
