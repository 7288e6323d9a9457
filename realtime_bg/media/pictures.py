"""Reading plain pictures with OpenCV; `photos.py` reads photos, whose colour profile and EXIF data
matter."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np


def read_picture(path: Path, how: int = cv2.IMREAD_COLOR) -> Any:
    """Read the picture in a file, upright, in the form that OpenCV's flag ``how`` selects (by
    default BGR ``uint8 (H, W, 3)``); None if the file is not a picture. Raises OSError, and
    cv2.error for more than 2**30 pixels."""
    # OpenCV only decodes: its own reader cannot open every path on Windows.
    data = np.fromfile(path, np.uint8)
    return cv2.imdecode(data, how) if data.size else None
