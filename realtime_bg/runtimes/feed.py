"""Converting a picture to the input of a network: channel order, normalisation, layout."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import EngineError
from realtime_bg.frames import Image
from realtime_bg.settings import NetworkSettings

TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}


def dtype_of(end: Any, path: Path) -> type:
    """The dtype of a graph's input. Raises EngineError for types that cannot hold a picture."""
    if end.type not in TYPES:
        raise EngineError(f"{path}: its input is {end.type}; expected float or uint8")
    return TYPES[end.type]


class Feed:
    """Prepares pictures as ``network`` describes; by default RGB in 0..1."""

    def __init__(self, network: NetworkSettings, dtype: type = np.float32) -> None:
        """``dtype`` of the network's input; for uint8 the bytes are passed without
        normalisation."""
        self._dtype = dtype
        self._swap = (network.order or "rgb") == "rgb"
        # (x / 255 - mean) / std as one multiplication and one addition
        std = np.array(network.std or (1, 1, 1), np.float32)
        self._gain = (1 / (255 * std)).astype(np.float32)
        self._shift = (-np.array(network.mean or (0, 0, 0), np.float32) / std).astype(np.float32)

    def __call__(self, picture: Image, channels_first: bool) -> NDArray[Any]:
        """BGR ``uint8 (h, w, 3)`` -> (3, h, w) or (h, w, 3) of the network's dtype, contiguous."""
        values: NDArray[Any] = picture[:, :, ::-1] if self._swap else picture
        if self._dtype != np.uint8:
            values = (values * self._gain + self._shift).astype(self._dtype)
        return np.ascontiguousarray(values.transpose(2, 0, 1) if channels_first else values)
