"""Runs RVM's graph frame by frame and keeps the recurrent state where the graph runs."""

from typing import Protocol

import numpy as np
import onnxruntime as ort

from realtime_bg.engines._window import Array
from realtime_bg.engines._windowed import Network
from realtime_bg.frames import Size
from realtime_bg.runtimes.openvino import Compiled

STATES = ("r1", "r2", "r3", "r4")
STRIDES = 2, 4, 8, 16  # of these, in pixels of the input


class Steps(Network, Protocol):
    """The network for one size of its input; its state has an array for each of `STATES`."""

    def step(self) -> tuple[Array, Array]:
        """Foreground ``(1, 3, h, w)`` and alpha ``(1, 1, h, w)``. The next step overwrites both."""


class OnnxSteps:
    """In ONNX Runtime, which reads and writes these arrays in place."""

    def __init__(self, session: ort.InferenceSession, provider: str, size: Size) -> None:
        device, _, index = provider.lower().partition(":")
        self._device, self._index = device, int(index or 0)
        width, height = size
        self.src = np.zeros((1, 3, height, width), np.float32)
        self._fgr, self._pha = np.empty_like(self.src), np.empty_like(self.src[:, :1])
        self._session, self._binding = session, session.io_binding()
        self._binding.bind_cpu_input("downsample_ratio", np.ones(1, np.float32))
        for name, array in (("fgr", self._fgr), ("pha", self._pha)):
            self._binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        self.reset()

    def reset(self) -> None:
        zeros = np.zeros((1, 1, 1, 1), np.float32)
        start = ort.OrtValue.ortvalue_from_numpy(zeros, self._device, self._index)
        self._state = [start] * len(STATES)

    def step(self) -> tuple[Array, Array]:
        binding = self._binding
        binding.bind_cpu_input("src", self.src)
        for name, value in zip(STATES, self._state, strict=True):
            binding.bind_ortvalue_input(f"{name}i", value)
            binding.bind_output(f"{name}o", self._device, self._index)
        self._session.run_with_iobinding(binding)
        # Outputs keep the order in which they were first bound: fgr, pha, then the states.
        self._state = binding.get_outputs()[-len(STATES) :]
        return self._fgr, self._pha

    def state(self) -> list[Array]:
        return [value.numpy() for value in self._state]

    def start_from(self, state: list[Array]) -> None:
        self._state = [
            ort.OrtValue.ortvalue_from_numpy(value, self._device, self._index) for value in state
        ]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all inputs, for a state that has seen a frame."""
        self.step()
        states = {
            f"{name}i": tuple(value.shape())
            for name, value in zip(STATES, self._state, strict=True)
        }
        self.reset()
        return {"src": self.src.shape, "downsample_ratio": (1,), **states}


class OpenVinoSteps:
    """In OpenVINO."""

    def __init__(self, network: Compiled) -> None:
        self._network = network
        self._feed = {name: np.zeros(shape, np.float32) for name, shape in network.shapes.items()}
        self.src = self._feed["src"]

    def reset(self) -> None:
        for name in STATES:
            self._feed[f"{name}i"] = np.zeros_like(self._feed[f"{name}i"])

    def step(self) -> tuple[Array, Array]:
        names = ("fgr", "pha", *(f"{name}o" for name in STATES))
        fgr, pha, *state = self._network.run(names, self._feed)
        self._feed |= {f"{name}i": value for name, value in zip(STATES, state, strict=True)}
        return fgr, pha

    def state(self) -> list[Array]:
        return [self._feed[f"{name}i"] for name in STATES]

    def start_from(self, state: list[Array]) -> None:
        self._feed |= {f"{name}i": value for name, value in zip(STATES, state, strict=True)}
