"""RVM's complete exported graph including the refiner, run in ONNX Runtime as its authors show."""

import numpy as np
from numpy.typing import NDArray

from realtime_bg import zoo
from realtime_bg.engines._rvm_export import export_cached
from realtime_bg.runtimes.onnx import open_session
from realtime_bg.settings import EngineSettings

STATES = ("r1", "r2", "r3", "r4")

Floats = NDArray[np.float32]


class RvmGraph:
    """RVM in ONNX Runtime. ``ratio``: its downsample ratio. Needs RVM's weights."""

    def __init__(self, ratio: float) -> None:
        path = zoo.resolve("rvm", EngineSettings())
        path = path if path.suffix == ".onnx" else export_cached(path)
        self._session, _ = open_session(path, "cpu")
        self._ratio = np.array([ratio], np.float32)
        self.reset()

    def reset(self) -> None:
        """Reset the recurrent state."""
        self._state = [np.zeros((1, 1, 1, 1), np.float32)] * len(STATES)

    def __call__(self, src: Floats) -> tuple[Floats, Floats]:
        """Return the foreground ``float32 (1, 3, H, W)``, RGB, and the alpha ``(1, 1, H, W)``, both
        in [0, 1], for ``src`` of the foreground's shape and type."""
        feed = {"src": src, "downsample_ratio": self._ratio}
        feed |= {f"{name}i": value for name, value in zip(STATES, self._state, strict=True)}
        fgr, pha, *self._state = self._session.run(
            ["fgr", "pha", *(f"{name}o" for name in STATES)], feed
        )
        return fgr, pha
