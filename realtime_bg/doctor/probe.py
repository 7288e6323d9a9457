"""The checks that run in a separate process: `python -m realtime_bg.doctor.probe CHECK ...`.

Each result is one line of JSON on standard output, written as soon as it is known, so the caller
keeps the earlier results if a later step crashes.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

SIZE = (256, 144)
GRID = (4, 8)  # rows and columns to which an alpha is averaged for comparison
Results: TypeAlias = Iterator[dict[str, Any]]
Array: TypeAlias = NDArray[np.float32]


def imports(*modules: str) -> Results:
    """Import each module."""
    for name in modules:
        yield {"begins": name}
        try:
            import_module(name)
        except Exception as error:  # a broken installation may raise anything
            yield {"module": name, "problem": _line(error)}
        else:
            yield {"module": name, "problem": ""}


def providers() -> Results:
    """List the version and providers of ONNX Runtime."""
    import onnxruntime as ort

    yield {"version": ort.__version__, "providers": ort.get_available_providers()}


def onnxruntime(provider: str) -> Results:
    """Run the built-in network on one provider, without fallback to the CPU."""
    import onnxruntime as ort

    from realtime_bg.runtimes.onnx import cuda_problem, library_problem

    options = ort.SessionOptions()
    options.log_severity_level = 4
    if provider != "CPUExecutionProvider":
        problem = cuda_problem() if provider.startswith("CUDA") else library_problem(provider)
        if problem:
            yield {"problem": problem}
            return
        # Otherwise unsupported operators would silently run on the CPU.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = ort.InferenceSession(str(_network()), options, providers=[provider])
    if session.get_providers()[0] != provider:
        yield {"problem": "ONNX Runtime did not select it"}
        return
    yield _measured(lambda feed: session.run(["pha"], feed)[0])


def openvino() -> Results:
    """Run the built-in network in OpenVINO on the CPU."""
    from realtime_bg.runtimes.openvino import Compiled, _core, _has_bfloat16

    core = _core()
    network = Compiled(_network(), {name: value.shape for name, value in _feed().items()}, {})
    result = _measured(lambda feed: network.run(["pha"], feed)[0])
    devices = list(core.available_devices)
    yield result | {
        "version": core.get_versions("CPU")["CPU"].build_number,
        "devices": devices,
        "bfloat16": _has_bfloat16(),
    }


def torch() -> Results:
    """Run a convolution on each of PyTorch's devices and compare it with the explicit sum."""
    import torch as library

    devices = ["cpu"]
    if library.cuda.is_available():
        devices += [f"cuda:{index}" for index in range(library.cuda.device_count())]
    if library.backends.mps.is_available():
        devices.append("mps")
    yield {"version": library.__version__, "cuda": library.version.cuda or ""}
    for device in devices:
        yield {"begins": device}
        try:
            picture = library.arange(48.0, device=device).reshape(1, 3, 4, 4)
            kernel = library.ones(1, 3, 3, 3, device=device)
            start = time.perf_counter()
            got = library.nn.functional.conv2d(picture, kernel).cpu().numpy().ravel()
            took = time.perf_counter() - start
            wanted = [
                picture[0, :, y : y + 3, x : x + 3].sum().item() for y in (0, 1) for x in (0, 1)
            ]
            right = np.allclose(got, wanted, rtol=1e-3)
            problem = "" if right else "its result is wrong"
            yield {"device": device, "problem": problem, "milliseconds": _rounded(took)}
        except Exception as error:
            yield {"device": device, "problem": _line(error)}


def virtualcam() -> Results:
    """Open the virtual camera briefly."""
    from realtime_bg.sinks.driver_camera import open_driver

    camera = open_driver("", (640, 360), 30)
    yield {"device": camera.device, "backend": camera.backend}
    camera.close()


def pipewire() -> Results:
    """Ask the desktop about PipeWire, and publish a camera briefly."""
    from realtime_bg.devices.libpipewire import library
    from realtime_bg.devices.pipewire import PublishedCamera
    from realtime_bg.doctor import desktop

    yield from desktop.facts()
    yield {"library": library().pw_get_library_version().decode()}
    camera = PublishedCamera(desktop.CHECK, (64, 48), 30)
    try:
        end = time.monotonic() + desktop.SECONDS
        while not camera.published and not camera.lost and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(desktop.NOTICE)
        yield {"published": camera.published, "portal_sees": desktop.portal_sees_camera()}
    finally:
        camera.close()


def speed(seconds: str) -> Results:
    """Benchmark the settings given as JSON on standard input."""
    from realtime_bg.app.bench import bench
    from realtime_bg.settings import Settings
    from realtime_bg.system.console import show_logs

    show_logs(False)
    settings = Settings.model_validate(json.load(sys.stdin))
    yield dict(bench(settings, 10**6, float(seconds)))


def _network() -> Path:
    from realtime_bg.zoo import packaged

    return packaged() / "embedded.onnx"


def _feed() -> dict[str, Array]:
    """Return the built-in network's inputs: a simple drawn figure in front of a wall."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width].astype(np.float32)
    body = ((x - 128) / 56) ** 2 + ((y - 140) / 60) ** 2 < 1
    head = ((x - 128) / 22) ** 2 + ((y - 60) / 29) ** 2 < 1
    picture = np.full((3, height, width), 0.43, np.float32)
    picture += np.random.default_rng(3).uniform(-0.08, 0.08, picture.shape).astype(np.float32)
    for where, colour in ((body, (0.12, 0.24, 0.67)), (head, (0.86, 0.63, 0.51))):
        picture[:, where] = np.array(colour, np.float32)[:, None]
    return {"src": picture[None], "last": np.zeros((1, 1, height, width), np.float32)}


def _measured(run: Callable[[dict[str, Array]], Array]) -> dict[str, Any]:
    """Time the second inference (the first is the warm-up) and average the alpha over `GRID`."""
    feed = _feed()
    run(feed)
    start = time.perf_counter()
    alpha = np.asarray(run(feed))[0, 0]
    took = time.perf_counter() - start
    rows, columns = GRID
    cells = alpha.reshape(rows, alpha.shape[0] // rows, columns, alpha.shape[1] // columns)
    grid = [round(float(value), 4) for value in cells.mean((1, 3)).ravel()]
    return {"problem": "", "milliseconds": _rounded(took), "grid": grid}


def _rounded(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__


CHECKS: dict[str, Callable[..., Results]] = {
    word.__name__: word
    for word in (imports, providers, onnxruntime, openvino, torch, virtualcam, pipewire, speed)
}


def main(arguments: list[str]) -> int:
    """Run one check and return the exit code: 1 after a failure, whose reason is the last
    result."""
    stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # so that output of libraries does not mix with the results
    with stdout:
        try:
            for result in CHECKS[arguments[0]](*arguments[1:]):
                print(json.dumps(result), file=stdout, flush=True)
        except Exception as error:
            print(json.dumps({"problem": _line(error)}), file=stdout, flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
