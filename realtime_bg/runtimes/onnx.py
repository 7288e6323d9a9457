"""Opening ONNX Runtime sessions on CUDA if it really works, otherwise on the CPU with the reason
printed."""

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
from realtime_bg.installing import add_extra
from realtime_bg.runtimes.builds import CUDA, no_cuda

log = logging.getLogger(__name__)


def open_session(
    path: Path, device: str, thread_count: int | None = None
) -> tuple[ort.InferenceSession, str]:
    """A session for the file, and where it runs ("CPU" or "CUDA:N").

    ``device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. If CUDA is wanted (which includes
    ``auto`` on a machine with an NVIDIA driver) but unavailable, the reason is logged once and the
    CPU is used. ``thread_count``: None means as many as there are cores. Raises ModelError if the
    file is not a usable model.
    """
    if device != "cpu":
        index = int(device.partition(":")[2] or 0)
        reason = cuda_problem()
        if reason is None:
            session = _session(path, [(CUDA, {"device_id": index})], thread_count)
            if session.get_providers()[0] == CUDA:
                return session, f"CUDA:{index}"
            reason = f"ONNX Runtime did not start on cuda:{index}"
        if device != "auto" or has_driver():
            _say_once(f"CUDA is not used: {reason}; running on the CPU")
    return _session(path, [], thread_count), "CPU"


def _session(
    path: Path, providers: list[tuple[str, dict[str, int]]], thread_count: int | None
) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # its errors arrive as exceptions
    options.intra_op_num_threads = thread_count or threads()
    # Threads that spin between frames occupy a core and slow down capture and composition.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(
            str(path), options, providers=[*providers, "CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common public base class
        raise ModelError(
            f"{path}: ONNX Runtime cannot load it ({_words(error)}); is it a complete ONNX file?"
        ) from None


@contextlib.contextmanager
def running(path: Path) -> Iterator[None]:
    """Turn any error while a network runs or its output is read into an EngineError of one line."""
    try:
        yield
    except RealtimeBgError:
        raise
    # A graph may return anything, and each library raises its own errors
    except Exception as error:
        raise EngineError(
            f"{path}: the network's output cannot be used ({_words(error)}); is this file for "
            "another engine, or for pictures of another size (engine.network.size)?"
        ) from None


def _words(error: Exception) -> str:
    """The essence of an ONNX Runtime exception in one line."""
    text = " ".join(str(error).split())
    return text.rpartition(" : ")[2][:200] or type(error).__name__


def threads() -> int:
    """The number of threads for a network: the cores that this process may run on."""
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
    """Why ONNX Runtime cannot use CUDA on this machine, or None if no obstacle is known."""
    if CUDA not in ort.get_available_providers():
        return no_cuda()
    if not has_driver():
        return "no NVIDIA driver was found"
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the libraries it did not find
            ort.preload_dlls()
    problem = library_problem(CUDA)
    return problem and f"{problem} (CUDA and cuDNN are brought by: {add_extra('cuda')})"


def library_problem(provider: str) -> str | None:
    """Why the library of a provider does not load, or None if it loads or does not exist."""
    name = f"onnxruntime_providers_{provider.removesuffix('ExecutionProvider').lower()}"
    file = f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so"
    path = Path(ort.__file__).parent / "capi" / file
    problem = _loads(str(path)) if path.exists() else None
    # The library expects symbols of the runtime that loads it; those are not a problem.
    return None if problem is None or "undefined symbol" in problem else problem


def _loads(library: str) -> str | None:
    """None if the shared library loads, otherwise the loader's message."""
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
