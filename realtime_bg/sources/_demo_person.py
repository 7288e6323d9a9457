"""The person in the demo: Eileen Collins, in a NASA photograph in the public domain."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from realtime_bg.frames import Alpha, Image

FILE = Path(__file__).with_name("portrait.webp")  # made by scripts/make_demo_person.py
BOTTOM = 338  # row of the figure that lies on the lower edge of the frame
MIDDLE = 212  # column of the figure below its head


@dataclass(frozen=True, slots=True)
class Figure:
    """A person on the pixel grid of the portrait: foreground colours and alpha.

    ``image`` BGR ``uint8 (352, w, 3)``, ``alpha`` ``float32 (352, w)``.
    """

    image: Image
    alpha: Alpha


def portrait() -> Figure:
    """The astronaut, cut out of her picture."""
    data = np.frombuffer(FILE.read_bytes(), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # BGRA
    assert picture is not None, FILE
    alpha = picture[:, :, 3] / np.float32(255)
    return Figure(np.ascontiguousarray(picture[:, :, :3]), alpha)
