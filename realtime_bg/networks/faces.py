"""Face detection, for what needs to know where a head is.

Wu, Peng, Yu, "YuNet: A tiny millisecond-level face detector", Machine Intelligence Research 2023.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from realtime_bg.errors import EngineError
from realtime_bg.frames import Image

SIDE = 640  # pixels; the published file has this fixed size, and OpenCV 5 accepts no other
SCORE, OVERLAP = 0.6, 0.3  # lowest score of a face; overlap above which two boxes are one face


class Box(NamedTuple):
    """A rectangle from its upper left corner, in fractions of the picture's width and height."""

    x: float
    y: float
    width: float
    height: float


class Faces:
    """YuNet, run by OpenCV on the CPU."""

    def __init__(self, path: Path) -> None:
        """Load the ONNX file and try it once. Raises EngineError."""
        self._path = path
        try:
            # From bytes: OpenCV crashes on a path that is not UTF-8.
            self._detector = cv2.FaceDetectorYN.create(
                "onnx",
                np.fromfile(path, np.uint8),
                np.empty(0, np.uint8),
                (SIDE, SIDE),
                SCORE,
                OVERLAP,
            )
            self._detector.detect(np.zeros((SIDE, SIDE, 3), np.uint8))
        except (cv2.error, OSError):
            raise EngineError(
                f"{path}: not a face detector that OpenCV can run; to get YuNet, run "
                "realtime-bg models fetch yunet"
            ) from None

    def found(self, image: Image) -> list[Box]:
        """All faces in a BGR ``uint8 (h, w, 3)`` picture, from chin to forehead, the largest first.
        Raises EngineError."""
        height, width = image.shape[:2]
        scale = min(SIDE / width, SIDE / height)
        canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
        inner = max(1, round(width * scale)), max(1, round(height * scale))
        shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas[: inner[1], : inner[0]] = cv2.resize(image, inner, interpolation=shrinks)
        try:
            found = self._detector.detect(canvas)[1]
        except cv2.error:
            raise EngineError(f"{self._path}: the face detector fails on this picture") from None
        if found is None:
            return []
        boxes = found[np.isfinite(found).all(1), :4] / np.array([*inner, *inner])
        boxes = boxes[(boxes[:, 2:] > 0).all(1)]
        return sorted((Box(*map(float, box)) for box in boxes), key=_area, reverse=True)


def _area(box: Box) -> float:
    return box.width * box.height
