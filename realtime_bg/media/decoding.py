"""Converting decoded video frames to pixels with the right colours, upright, at a given size."""

import threading
from typing import Any

from av.video.reformatter import Colorspace, VideoReformatter

from realtime_bg.frames import Image, Size
from realtime_bg.imaging.orientation import of_rotation, upright

UNSPECIFIED = 2  # FFmpeg's AVCOL_SPC_UNSPECIFIED
HD_HEIGHT = 720

_local = threading.local()


def to_bgr(picture: Any, size: Size | None = None) -> Image:
    """A decoded ``av.VideoFrame`` as BGR ``uint8 (H, W, 3)``, turned upright by its rotation.

    ``size`` (width, height), before turning, scales during the conversion, which saves a pass over
    a large picture; None keeps the size.
    """
    width, height = size or (picture.width, picture.height)
    # HD video without a stated colour space is BT.709; FFmpeg would assume BT.601.
    hd = picture.colorspace == UNSPECIFIED and picture.height >= HD_HEIGHT
    options = {"src_colorspace": Colorspace.ITU709} if hd else {}
    how = "AREA" if width < picture.width else "BILINEAR"
    if not hasattr(_local, "reformatter"):
        _local.reformatter = VideoReformatter()  # reuses its tables from picture to picture
    image = _local.reformatter.reformat(
        picture, width, height, "bgr24", interpolation=how, **options
    )
    return upright(image.to_ndarray(), of_rotation(picture.rotation))
