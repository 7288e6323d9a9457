"""Writing one finished picture to a file, whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

import cv2

from realtime_bg.errors import SinkError
from realtime_bg.frames import Composite


def save_png(composite: Composite, path: Path) -> None:
    """Write ``composite`` as PNG, making the folder. Raises SinkError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(cv2.imencode(".png", composite.image)[1].tobytes())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise SinkError(f"{path}: cannot be written ({error.strerror or error})") from None
