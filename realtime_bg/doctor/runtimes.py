"""Checks the inference runtimes: runs one network on each provider and compares the results."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from realtime_bg.doctor.computer import features
from realtime_bg.doctor.findings import Finding, Machine, Needs, State, severity
from realtime_bg.doctor.isolation import Outcome, run_isolated
from realtime_bg.imaging import kernels
from realtime_bg.installing import add_extra, pip
from realtime_bg.runtimes.builds import no_cuda
from realtime_bg.settings import Settings

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TOLERANCE = 0.05  # between two providers' alphas, each averaged over 1/32 of the image
USED = (CPU, CUDA)  # what the engines request from ONNX Runtime


def runtimes(machine: Machine, settings: Settings, _: Needs) -> Iterator[Finding]:
    """Check ONNX Runtime's providers, OpenVINO and PyTorch, each in a separate process."""
    outcome = run_isolated(machine, "providers")
    have = outcome.results[0].get("providers") if outcome.results else None
    if not have:
        problem = _problem(outcome) or "it has no providers"
        yield Finding(
            "onnxruntime",
            "fault",
            f"ONNX Runtime: {problem}",
            pip("install --force-reinstall onnxruntime"),
        )
        return
    asks_cuda = settings.engine.device.startswith("cuda")
    reference: list[float] = []
    for provider in sorted(have, key=lambda name: (name != CPU, name != CUDA)):
        result = _compared(run_isolated(machine, "onnxruntime", provider), reference)
        reference = reference or result.get("grid", [])
        needed = provider == CPU or (provider == CUDA and asks_cuda)
        name = f"ONNX Runtime {provider.removesuffix('ExecutionProvider')}"
        yield _finding(name, result, needed, "" if provider in USED else "no engine requests it")
    if asks_cuda and CUDA not in have:
        yield Finding(
            "ONNX Runtime CUDA",
            "fault",
            f"ONNX Runtime CUDA: not used, {no_cuda()}",
        )
    yield _kernels()
    yield _openvino(machine, settings, reference)
    yield from _torch(machine, settings)


def _kernels() -> Finding:
    if kernels.compiled:
        return Finding("kernels", "ok", "the compiled frame path is there")
    return Finding(
        "kernels",
        "note",
        "the frame path is not compiled: a call takes more of the processor than it needs to",
        "install the program again where there is a C compiler or the network",
    )


def _problem(outcome: Outcome) -> str:
    """Return why there is no result: the last reported problem, or how the process ended."""
    own = [result["problem"] for result in outcome.results if result.get("problem")]
    return own[-1] if own else outcome.problem


def _compared(outcome: Outcome, reference: list[float]) -> dict[str, Any]:
    result = dict(outcome.results[-1]) if outcome.results else {}
    problem = _problem(outcome)
    grid = result.get("grid", [])
    if not problem and not grid:
        problem = "it returned no result"
    if not problem and reference:
        difference = max(abs(a - b) for a, b in zip(grid, reference, strict=True))
        if not difference <= TOLERANCE:
            problem = f"its alpha differs from the CPU's by up to {difference:.2f}"
    return result | {"problem": problem}


def _finding(name: str, result: dict[str, Any], needed: bool, unused: str) -> Finding:
    data = {key: value for key, value in result.items() if key != "grid"}
    if result["problem"]:
        return Finding(name, severity(needed), f"{name}: not used, {result['problem']}", data=data)
    text = f"{name}: runs, {result['milliseconds']:.1f} ms for the built-in network at 256x144"
    if unused:
        return Finding(name, "note", f"{text}; not used, {unused}", data=data)
    return Finding(name, "ok", text, data=data)


def _openvino(machine: Machine, settings: Settings, reference: list[float]) -> Finding:
    name, needed = "OpenVINO", settings.engine.runtime == "openvino"
    if find_spec("openvino") is None:
        fast = any("BF16" in feature for feature in features(machine))
        worth = (
            "this CPU supports bfloat16, with which OpenVINO halves the time"
            if fast
            else ("this CPU does not support bfloat16 and would gain nothing")
        )
        fix = pip("install openvino") if fast or needed else ""
        return Finding(name, severity(needed), f"{name}: not installed; {worth}", fix)
    result = _compared(run_isolated(machine, "openvino"), reference)
    unused = (
        ""
        if result.get("bfloat16") or needed
        else (
            "this CPU does not support bfloat16 and is faster without OpenVINO "
            "(engine.runtime: openvino selects it anyway)"
        )
    )
    if settings.engine.runtime == "onnxruntime":
        unused = "engine.runtime is onnxruntime"
    return _finding(name, result, needed, unused)


def _torch(machine: Machine, settings: Settings) -> Iterator[Finding]:
    needed = settings.engine.name == "rvm-torch"
    fix = add_extra("torch")
    if find_spec("torch") is None:
        yield Finding(
            "PyTorch",
            severity(needed),
            "PyTorch: not installed; only rvm-torch and .pth files need it",
            fix,
        )
        return
    outcome = run_isolated(machine, "torch")
    devices = [result for result in outcome.results if "device" in result]
    for result in devices:
        name = f"PyTorch {result['device']}"
        state: State = severity(needed) if result["problem"] else "ok"
        text = (
            result["problem"] or f"runs, {result['milliseconds']:.1f} ms for the first convolution"
        )
        yield Finding(name, state, f"{name}: {text}", data=result)
    begun = [result["begins"] for result in outcome.results if "begins" in result]
    if len(begun) > len(devices) or not devices:
        where = f"PyTorch {begun[-1]}" if begun else "PyTorch"
        yield Finding(where, severity(needed), f"{where}: {_problem(outcome) or 'no answer'}", fix)
    elif not any(result["device"].startswith(("cuda", "mps")) for result in devices):
        built = next((result["cuda"] for result in outcome.results if "cuda" in result), "")
        why = (
            f"it is built for CUDA {built} but finds no usable GPU"
            if built
            else ("it is built without CUDA")
        )
        yield Finding(
            "PyTorch CUDA",
            severity(needed and settings.engine.device.startswith("cuda")),
            f"PyTorch CUDA: not used, {why}",
        )
