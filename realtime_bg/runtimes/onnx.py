"""Opening ONNX Runtime sessions: CUDA if it really works, else the CPU, and never silently."""

import contextlib
import ctypes
import io
import logging
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import onnxruntime as ort

from realtime_bg.errors import EngineError, ModelError, RealtimeBgError

log = logging.getLogger(__name__)


def open_session(path: Path, device: str) -> tuple[ort.InferenceSession, str]:
    """A session for the file and where it runs ("CPU" or "CUDA:N").

    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Where CUDA was wanted (``auto`` on a
    machine with an NVIDIA driver included) and cannot be had, the reason is logged once and the
    CPU is used. Raises ModelError for a file that is not a usable model.
    """
    if device != "cpu":
        index = int(device.partition(":")[2] or 0)
        reason = cuda_problem()
        if reason is None:
            session = _session(path, [("CUDAExecutionProvider", {"device_id": index})])
            if session.get_providers()[0] == "CUDAExecutionProvider":
                return session, f"CUDA:{index}"
            reason = f"ONNX Runtime did not start on cuda:{index}"
        if device != "auto" or has_driver():
            _say_once(f"CUDA is not used: {reason}; running on the CPU")
    return _session(path, []), "CPU"


def _session(path: Path, providers: list[tuple[str, dict[str, int]]]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what it has to say arrives as exceptions
    options.intra_op_num_threads = threads()
    # A spinning pool burns a core between frames and slows capture and composition.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(
            str(path), options, providers=[*providers, "CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common public base
        raise ModelError(
            f"{path}: ONNX Runtime cannot load it ({_words(error)}); is it a complete ONNX file?"
        ) from None


@contextlib.contextmanager
def running(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a network runs and is read becomes one line, an EngineError."""
    try:
        yield
    except RealtimeBgError:
        raise
    except Exception as error:  # a graph may answer anything, and each library objects its way
        raise EngineError(
            f"{path}: the network's answer cannot be used ({_words(error)}); is this file for "
            "another engine, or for pictures of another size (engine.network.size)?"
        ) from None


def _words(error: Exception) -> str:
    """The gist of one of ONNX Runtime's exceptions, in one line."""
    text = " ".join(str(error).split())
    return text.rpartition(" : ")[2][:200] or type(error).__name__


def threads() -> int:
    """How many cores the network may use: those this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _say_once(text: str) -> None:
    log.warning("%s", text)


@cache
def has_driver() -> bool:
    """Whether an NVIDIA driver is installed."""
    return _loads("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1") is None


@cache
def cuda_problem() -> str | None:
    """Why ONNX Runtime cannot use CUDA here, or None when nothing speaks against it."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return "this onnxruntime is built without it (pip install onnxruntime-gpu)"
    if not has_driver():
        return "no NVIDIA driver was found"
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it did not find
            ort.preload_dlls()
    problem = library_problem("CUDAExecutionProvider")
    return problem and f'{problem} (pip install "realtime-bg[cuda]" brings CUDA and cuDNN)'


def library_problem(provider: str) -> str | None:
    """Why the library of a provider does not load, or None when it does or there is none."""
    name = f"onnxruntime_providers_{provider.removesuffix('ExecutionProvider').lower()}"
    file = f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so"
    path = Path(ort.__file__).parent / "capi" / file
    problem = _loads(str(path)) if path.exists() else None
    # The library itself asks for symbols of the runtime that loads it: those are no problem.
    return None if problem is None or "undefined symbol" in problem else problem


def _loads(library: str) -> str | None:
    """None when the shared library loads, else the loader's words."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return None


def check_names(
    session: ort.InferenceSession, inputs: set[str], outputs: set[str], what: str, path: Path
) -> None:
    """Raise EngineError unless the graph has exactly the inputs and all the outputs named."""
    have_in = {value.name for value in session.get_inputs()}
    have_out = {value.name for value in session.get_outputs()}
    if have_in != inputs or not outputs <= have_out:
        raise EngineError(
            f"{path}: not {what}: its inputs are {sorted(have_in)} and outputs {sorted(have_out)}"
        )
