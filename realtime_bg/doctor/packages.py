"""Checks the Python packages: which cannot be imported, are too old, or conflict."""

import re
from collections.abc import Iterator
from importlib import metadata

from realtime_bg.doctor.findings import Finding, Machine, Needs
from realtime_bg.doctor.isolation import run_isolated
from realtime_bg.settings import Settings

# Modules that the program requires, and the packages that can provide them.
NEEDED = {
    "numpy": ("numpy",),
    "cv2": (
        "opencv-python",
        "opencv-contrib-python",
        "opencv-python-headless",
        "opencv-contrib-python-headless",
    ),
    "onnxruntime": (
        "onnxruntime-gpu",
        "onnxruntime",
        "onnxruntime-directml",
        "onnxruntime-openvino",
    ),
    "onnx": ("onnx",),
    "safetensors": ("safetensors",),
    "pyvirtualcam": ("pyvirtualcam",),
    "pydantic": ("pydantic",),
    "pydantic_settings": ("pydantic-settings",),
    "yaml": ("PyYAML",),
    "typer": ("typer",),
    "rich": ("rich",),
    "pooch": ("pooch",),
    "requests": ("requests",),
    "platformdirs": ("platformdirs",),
    "psutil": ("psutil",),
    "av": ("av",),
    "PIL": ("pillow",),
    "watchfiles": ("watchfiles",),
}
# Extras: what they are for, and their packages.
EXTRAS = {
    "web": (
        "the web page",
        ("fastapi", "uvicorn", "websockets", "python-multipart", "prometheus-client"),
    ),
    "torch": ("the engine rvm-torch and .pth files", ("torch",)),
    "openvino": ("twice the speed on CPUs with bfloat16", ("openvino",)),
    "heif": ("HEIC photos", ("pillow-heif",)),
}


def packages(machine: Machine, _: Settings, __: Needs) -> Iterator[Finding]:
    """Import the required modules; check which extras are installed."""
    problems = dict(_imported(machine, list(NEEDED)))
    fine: dict[str, str] = {}
    for module, candidates in NEEDED.items():
        here = {name: version for name in candidates if (version := _version(name))}
        problem = problems.get(module) or _age(here)
        if len(here) > 1:
            problem = problem or f"{' and '.join(here)} overwrite each other's files"
        if problem:
            yield Finding(
                module, "fault", f"{module}: {problem}", _remedy(problem, candidates, here)
            )
        elif any("headless" in name for name in here):
            yield Finding(
                module,
                "note",
                f"{module}: built without window support (headless)",
                "for the preview window: pip uninstall -y "
                f"{' '.join(here)} && pip install opencv-python",
            )
        else:
            fine |= here
    if fine:
        text = ", ".join(f"{name} {version}" for name, version in fine.items())
        yield Finding("packages", "ok", text, data=fine)
    for extra, (purpose, names) in EXTRAS.items():
        versions = {name: version for name in names if (version := _version(name))}
        missing = [name for name in names if name not in versions]
        if not missing:
            text = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield Finding(extra, "ok", f"extra {extra}: {text}", data=versions)
        else:
            text = f"extra {extra}: not installed ({', '.join(missing)}); for {purpose}"
            yield Finding(extra, "note", text, f'pip install "realtime-bg[{extra}]"', versions)


def _imported(machine: Machine, modules: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each module and why it cannot be imported, or an empty string; a crash does not hide
    the modules after it."""
    while modules:
        outcome = run_isolated(machine, "imports", *modules)
        for result in outcome.results:
            if "module" in result:
                yield result["module"], result["problem"]
                modules.remove(result["module"])
        if not outcome.problem:
            return
        yield modules.pop(0), f"cannot be imported: {outcome.problem}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _age(here: dict[str, str]) -> str:
    """Return which package is older than this program requires, or an empty string."""
    for name, version in here.items():
        least = _least().get(name.lower())
        if least and _numbers(version) < _numbers(least):
            return f"{name} {version} is older than {least}"
    return ""


def _least() -> dict[str, str]:
    """Return the minimum version of each package, from this package's metadata."""
    try:
        lines = metadata.requires("realtime-bg") or []
    except metadata.PackageNotFoundError:  # run from a clone
        return {}
    found = (re.match(r"([\w.-]+)(?:\[[^]]*\])?>=([\d.]+)", line) for line in lines)
    return {match[1].lower(): match[2] for match in found if match}


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3]]


def _remedy(problem: str, candidates: tuple[str, ...], here: dict[str, str]) -> str:
    if "libGL" in problem:
        return "sudo apt install libgl1 (Fedora: sudo dnf install mesa-libGL)"
    if "libgthread" in problem or "libglib" in problem:
        return "sudo apt install libglib2.0-0"
    if len(here) > 1:
        return f"pip uninstall -y {' '.join(here)} && pip install {next(iter(here))}"
    again = "--force-reinstall" if here and "older" not in problem else "-U"
    return f"pip install {again} {next(iter(here), candidates[0])}"
