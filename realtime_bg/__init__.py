"""Real-time webcam background replacement: a program, a daemon, and this small Python API.

    import realtime_bg

    cut = realtime_bg.remove("me.jpg")                      # RGBA array
    photo = realtime_bg.remove(array, background="office")  # RGB array
    alpha = realtime_bg.alpha(array)                        # float32 in [0, 1]

    with realtime_bg.Session() as session:                  # frames in a row, as of a webcam
        for frame in frames:
            show(session.composite(frame, "beach"))

    with realtime_bg.open(source="camera", background="blur", outputs=["virtualcam"]) as running:
        running.set(background="beach")

The names in ``__all__`` keep their meaning within a major version; everything else may change in
any release. Nothing heavy is imported before it is used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from realtime_bg.version import __version__

# Since 1.29, ONNX Runtime reports to its makers which networks are run. This program sends nothing
# to anybody; the setting has to be made before the import. For OpenVINO, see runtimes/openvino.py.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from realtime_bg.api import Running, Session, alpha, open, remove
    from realtime_bg.errors import RealtimeBgError

__all__ = ["RealtimeBgError", "Running", "Session", "__version__", "alpha", "open", "remove"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'realtime_bg' has no attribute {name!r}")
    room = "errors" if name == "RealtimeBgError" else "api"
    return getattr(import_module(f"realtime_bg.{room}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
