"""OpenVINO instead of ONNX Runtime, if it is installed and the CPU computes in bfloat16.

On such CPUs it takes two thirds of the time (docs/performance.md); on others it is slower.
"""

import importlib.util
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from realtime_bg.errors import MissingPackageError, ModelError
from realtime_bg.installing import pip
from realtime_bg.runtimes.onnx import threads
from realtime_bg.settings import EngineSettings

log = logging.getLogger(__name__)

PROVIDER = "CPU (OpenVINO)"

Array: TypeAlias = NDArray[np.float32]
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class Compiled:
    """A graph compiled for inputs of fixed shapes, called like an ONNX Runtime session."""

    def __init__(
        self,
        path: Path,
        shapes: Shapes,
        constants: Mapping[str, float],
        thread_count: int | None = None,
    ) -> None:
        """``constants``: inputs with a constant value; everything that depends only on them is
        computed once, here. ``thread_count``: None means as many as there are cores. Raises
        ModelError."""
        self.shapes = {name: shape for name, shape in shapes.items() if name not in constants}
        try:
            core, opset = _core(), import_module("openvino.opset13")
            model = core.read_model(path)
            model.reshape({name: list(shape) for name, shape in shapes.items()})
            for parameter in model.get_parameters():
                value = constants.get(parameter.output(0).get_any_name())
                if value is not None:
                    full = np.full(parameter.shape, value, np.float32)
                    parameter.output(0).replace(opset.constant(full).output(0))
                    model.remove_parameter(parameter)
            model.validate_nodes_and_infer_types()
            options = {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": thread_count or threads(),
            }
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
            # Some graphs compile for a size but do not run at it.
            self.run((), {name: np.zeros(shape, np.float32) for name, shape in self.shapes.items()})
        except Exception as error:  # OpenVINO's exceptions are RuntimeErrors of many lines
            text = " ".join(str(error).split())[-200:]
            raise ModelError(
                f"{path}: OpenVINO cannot run it ({text}); set engine.runtime to onnxruntime"
            ) from None

    def run(self, names: Iterable[str], feed: Mapping[str, Array]) -> list[Array]:
        """The outputs with these names. The next call overwrites the arrays."""
        # The inputs are copied, because they may be outputs of the last call
        self._request.infer(dict(feed))
        return [self._request.get_tensor(name).data for name in names]


def compiled(
    path: Path,
    settings: EngineSettings,
    provider: str,
    shapes: Callable[[], Shapes],
    constants: Mapping[str, float] = MappingProxyType({}),
) -> Compiled | None:
    """The network compiled in OpenVINO for inputs of ``shapes()``, or None to stay with ONNX
    Runtime, which has loaded it on ``provider``. Raises MissingPackageError if OpenVINO was
    requested and is not installed, and ModelError."""
    if settings.runtime == "onnxruntime" or (settings.runtime == "auto" and provider != "CPU"):
        return None
    if importlib.util.find_spec("openvino") is None:
        if settings.runtime == "auto":
            return None
        raise MissingPackageError(
            f"the runtime openvino is not installed; run: {pip('install openvino')}"
        )
    if settings.runtime == "auto" and not _has_bfloat16():
        return None
    try:
        return Compiled(path, shapes(), constants, settings.threads)
    except ModelError as error:
        if settings.runtime != "auto":
            raise
        log.info("%s", error)  # ONNX Runtime has already loaded the network
        return None


@cache
def _core() -> Any:
    # On import OpenVINO sends telemetry, from a forked process that can hang. This program sends
    # nothing to anybody: without its telemetry module, OpenVINO skips that.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return import_module("openvino").Core()


@cache
def _has_bfloat16() -> bool:
    try:
        return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except Exception as error:  # a broken installation raises all kinds of errors
        log.warning("OpenVINO is not used: %s", error)
        return False
