"""Checks the system, Python, the processor, the memory and the display."""

import os
import platform
import re
import sys
from collections.abc import Iterator

from realtime_bg.doctor.findings import Finding, Machine, Needs, severity
from realtime_bg.settings import Settings

# Flags of /proc/cpuinfo that inference libraries use, and their common names.
FEATURES = {
    "sse4_2": "SSE4.2",
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_fp16": "AVX-512 FP16",
    "amx_int8": "AMX INT8",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "asimddp": "dot product",
    "bf16": "BF16",
    "i8mm": "INT8 matrix multiplication",
    "sve": "SVE",
}


def system(machine: Machine, _: Settings, __: Needs) -> Iterator[Finding]:
    """Report the system, Python, the processor and the memory."""
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', machine.read("/etc/os-release"), re.M)
    about = [name[1]] if name else []
    about += [f"{platform.system()} {platform.release()}", platform.machine()]
    if machine.in_container():
        about.append("in a container")
    yield Finding("system", "ok", ", ".join(about))
    version = platform.python_version()
    yield Finding("python", "ok", f"Python {version} ({sys.executable})", data={"version": version})
    yield _processor(machine)
    yield _memory()


def _processor(machine: Machine) -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = machine.read("/proc/cpuinfo")
    # On ARM, /proc/cpuinfo has no model name.
    model = re.search(r"^model name\s*: (.*)$", text, re.M)
    have = features(machine)
    parts = [
        model[1] if model else platform.processor() or platform.machine(),
        f"{cores} core{'' if cores == 1 else 's'}",
        *have,
    ]
    return Finding("cpu", "ok", ", ".join(parts), data={"cores": cores, "features": have})


def features(machine: Machine) -> list[str]:
    """Return the processor's instruction set extensions, as far as /proc/cpuinfo lists them
    (Linux)."""
    line = re.search(r"^(?:flags|Features)\s*: (.*)$", machine.read("/proc/cpuinfo"), re.M)
    flags = set(line[1].split()) if line else set()
    return [name for flag, name in FEATURES.items() if flag in flags]


def _memory() -> Finding:
    import psutil

    memory = psutil.virtual_memory()
    text = f"{memory.total / 2**30:.1f} GiB of memory, {memory.available / 2**30:.1f} available"
    return Finding("memory", "ok", text, data={"bytes": memory.total, "free": memory.available})


def display(machine: Machine, _: Settings, needs: Needs) -> Iterator[Finding]:
    """Check whether the preview window can be opened."""
    from realtime_bg.sinks.window import CHOICES, display_problem

    wayland = machine.environment.get("WAYLAND_DISPLAY", "")
    shown = machine.environment.get("DISPLAY", "")
    data = {"DISPLAY": shown, "WAYLAND_DISPLAY": wayland}
    problem = display_problem()
    if not problem:
        through = " through Xwayland" if wayland else ""
        where = f"{through} on X11 display {shown}" if machine.linux else ""
        yield Finding("display", "ok", f"a preview window can be opened{where}", data=data)
        return
    fix = f"{CHOICES}; in a browser: realtime-bg serve"
    if wayland:
        problem += f"; Wayland's {wayland} is available, but OpenCV's window needs Xwayland"
        fix = f"start Xwayland (most desktops do; in sway: xwayland enable)\n{fix}"
    yield Finding("display", severity(needs.window), f"no preview window: {problem}", fix, data)
