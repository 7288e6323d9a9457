"""Writing one finished picture to a file, whole or not at all."""

from pathlib import Path

import cv2

from realtime_bg.frames import Composite
from realtime_bg.system.files import write_whole


def save_png(composite: Composite, path: Path) -> None:
    """Write ``composite`` as PNG, making the folder. Raises SinkError."""
    write_whole(path, cv2.imencode(".png", composite.image)[1].tobytes())
