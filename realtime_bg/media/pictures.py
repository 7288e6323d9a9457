"""Reading plain pictures with OpenCV; `photos.py` reads those whose profile and EXIF data count."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np


def read_picture(path: Path, how: int = cv2.IMREAD_COLOR) -> Any:
    """The picture in a file, upright, as OpenCV's flag ``how`` asks for (BGR ``uint8 (H, W, 3)``);
    None for what is no picture. Raises OSError, and cv2.error for more than 2**30 pixels."""
    # Read by us, decoded by OpenCV: its own reader cannot open every path on Windows.
    data = np.fromfile(path, np.uint8)
    return cv2.imdecode(data, how) if data.size else None
