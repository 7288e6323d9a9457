"""What networks can run on: one inference on each provider, and why the others are not used."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from realtime_bg.doctor.asking import Answer, ask
from realtime_bg.doctor.computer import features
from realtime_bg.doctor.findings import Finding, Machine, Needs, State, bad
from realtime_bg.settings import Settings

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
ALIKE = 0.05  # how far two runtimes' alphas may lie apart, each averaged over a 32nd of the picture
USED = (CPU, CUDA)  # what the engines ask ONNX Runtime for


def runtimes(machine: Machine, settings: Settings, _: Needs) -> Iterator[Finding]:
    """Try each of them out, in a process of its own."""
    answer = ask(machine, "providers")
    have = answer.said[0].get("providers") if answer.said else None
    if not have:
        problem = _problem(answer) or "it has no provider at all"
        yield Finding(
            "onnxruntime",
            "fault",
            f"ONNX Runtime: {problem}",
            "pip install --force-reinstall onnxruntime",
        )
        return
    asks_cuda = settings.engine.device.startswith("cuda")
    reference: list[float] = []
    for provider in sorted(have, key=lambda name: (name != CPU, name != CUDA)):
        said = _tried(ask(machine, "onnxruntime", provider), reference)
        reference = reference or said.get("grid", [])
        needed = provider == CPU or (provider == CUDA and asks_cuda)
        name = f"ONNX Runtime {provider.removesuffix('ExecutionProvider')}"
        yield _finding(name, said, needed, "" if provider in USED else "no engine asks for it")
    if asks_cuda and CUDA not in have:
        yield Finding(
            "ONNX Runtime CUDA",
            "fault",
            "ONNX Runtime CUDA: built without it",
            'pip install "realtime-bg[cuda]"',
        )
    yield _openvino(machine, settings, reference)
    yield from _torch(machine, settings)


def _problem(answer: Answer) -> str:
    """Why there is no result: the last answer's word, or how the process ended."""
    own = [said["problem"] for said in answer.said if said.get("problem")]
    return own[-1] if own else answer.problem


def _tried(answer: Answer, reference: list[float]) -> dict[str, Any]:
    said = dict(answer.said[-1]) if answer.said else {}
    problem = _problem(answer)
    grid = said.get("grid", [])
    if not problem and not grid:
        problem = "it gave no answer"
    if not problem and reference:
        apart = max(abs(a - b) for a, b in zip(grid, reference, strict=True))
        if not apart <= ALIKE:
            problem = f"its alpha is another than that of the CPU, by up to {apart:.2f}"
    return said | {"problem": problem}


def _finding(name: str, said: dict[str, Any], needed: bool, unused: str) -> Finding:
    data = {key: value for key, value in said.items() if key != "grid"}
    if said["problem"]:
        return Finding(name, bad(needed), f"{name}: not used, {said['problem']}", data=data)
    text = f"{name}: runs, {said['milliseconds']:.1f} ms for the built-in network at 256x144"
    if unused:
        return Finding(name, "note", f"{text}; not used, {unused}", data=data)
    return Finding(name, "ok", text, data=data)


def _openvino(machine: Machine, settings: Settings, reference: list[float]) -> Finding:
    name, needed = "OpenVINO", settings.engine.runtime == "openvino"
    if find_spec("openvino") is None:
        fast = any("BF16" in feature for feature in features(machine))
        worth = (
            "this CPU computes in bfloat16, where it halves the time"
            if fast
            else ("this CPU does not compute in bfloat16, and gains nothing from it")
        )
        fix = 'pip install "realtime-bg[openvino]"' if fast or needed else ""
        return Finding(name, bad(needed), f"{name}: not installed; {worth}", fix)
    said = _tried(ask(machine, "openvino"), reference)
    unused = (
        ""
        if said.get("bfloat16") or needed
        else (
            "this CPU does not compute in bfloat16, and is faster without "
            "(engine.runtime: openvino takes it all the same)"
        )
    )
    if settings.engine.runtime == "onnxruntime":
        unused = "engine.runtime says onnxruntime"
    return _finding(name, said, needed, unused)


def _torch(machine: Machine, settings: Settings) -> Iterator[Finding]:
    needed = settings.engine.name == "rvm-torch"
    fix = 'pip install "realtime-bg[torch]"'
    if find_spec("torch") is None:
        yield Finding(
            "PyTorch",
            bad(needed),
            "PyTorch: not installed; only rvm-torch and .pth files need it",
            fix,
        )
        return
    answer = ask(machine, "torch")
    devices = [said for said in answer.said if "device" in said]
    for said in devices:
        name = f"PyTorch {said['device']}"
        state: State = bad(needed) if said["problem"] else "ok"
        text = said["problem"] or f"runs, {said['milliseconds']:.1f} ms for a first convolution"
        yield Finding(name, state, f"{name}: {text}", data=said)
    begun = [said["begins"] for said in answer.said if "begins" in said]
    if len(begun) > len(devices) or not devices:
        where = f"PyTorch {begun[-1]}" if begun else "PyTorch"
        yield Finding(where, bad(needed), f"{where}: {_problem(answer) or 'no answer'}", fix)
    elif not any(said["device"].startswith(("cuda", "mps")) for said in devices):
        built = next((said["cuda"] for said in answer.said if "cuda" in said), "")
        why = (
            f"it is built for CUDA {built} and finds no usable GPU"
            if built
            else ("it is built without CUDA")
        )
        yield Finding(
            "PyTorch CUDA",
            bad(needed and settings.engine.device.startswith("cuda")),
            f"PyTorch CUDA: not used, {why}",
        )
