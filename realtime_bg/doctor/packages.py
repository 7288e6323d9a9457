"""Checks the Python packages: which cannot be imported, are too old, or conflict."""

from collections.abc import Iterator

from realtime_bg.doctor.findings import Finding, Machine, Needs
from realtime_bg.doctor.isolation import run_isolated
from realtime_bg.installing import add_extra, installed_version, pip, requirements
from realtime_bg.runtimes.builds import ONNXRUNTIME, conflict
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
    "onnxruntime": ONNXRUNTIME,
    "onnx": ("onnx",),
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
    "safetensors": ("checkpoints in that format", ("safetensors",)),
    "heif": ("HEIC photos", ("pi-heif",)),
    "tray": ("the icon in the desktop's panel", ("dbus-fast",)),
    "cluster": ("photos and videos on several machines", ("ray", "fsspec")),
}


def packages(machine: Machine, _: Settings, __: Needs) -> Iterator[Finding]:
    """Import the required modules; check which extras are installed."""
    needed = NEEDED if machine.linux else NEEDED | {"pyvirtualcam": ("pyvirtualcam",)}
    problems = dict(_imported(machine, list(needed)))
    fine: dict[str, str] = {}
    for module, candidates in needed.items():
        here = {name: version for name in candidates if (version := installed_version(name))}
        problem, fix = problems.get(module) or _age(here), ""
        if module == "onnxruntime" and not problem:
            problem, fix = conflict()
        elif len(here) > 1:
            problem = problem or f"{' and '.join(here)} overwrite each other's files"
        if problem:
            fix = fix or _remedy(problem, candidates, here)
            yield Finding(module, "fault", f"{module}: {problem}", fix)
        elif any("headless" in name for name in here):
            yield Finding(
                module,
                "note",
                f"{module}: built without window support (headless)",
                f"for the preview window: {pip('uninstall -y ' + ' '.join(here))} "
                f"&& {pip('install opencv-python')}",
            )
        else:
            fine |= here
    if fine:
        text = ", ".join(f"{name} {version}" for name, version in fine.items())
        yield Finding("packages", "ok", text, data=fine)
    for extra, (purpose, names) in EXTRAS.items():
        versions = {name: version for name in names if (version := installed_version(name))}
        missing = [name for name in names if name not in versions]
        if not missing:
            text = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield Finding(extra, "ok", f"extra {extra}: {text}", data=versions)
        else:
            text = f"extra {extra}: not installed ({', '.join(missing)}); for {purpose}"
            yield Finding(extra, "note", text, add_extra(extra), versions)


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


def _age(here: dict[str, str]) -> str:
    """Return which package is older than this program requires, or an empty string."""
    wanted = {need.name.lower(): need.specifier for need in requirements()}
    for name, version in here.items():
        specifier = wanted.get(name.lower())
        if specifier and not specifier.contains(version, prereleases=True):
            return f"{name} {version} is not {specifier}"
    return ""


def _remedy(problem: str, candidates: tuple[str, ...], here: dict[str, str]) -> str:
    if "libGL" in problem:
        return "sudo apt install libgl1 (Fedora: sudo dnf install mesa-libGL)"
    if "libgthread" in problem or "libglib" in problem:
        return "sudo apt install libglib2.0-0"
    if len(here) > 1:
        return f"{pip('uninstall -y ' + ' '.join(here))} && {pip('install ' + next(iter(here)))}"
    again = "--force-reinstall" if here and " is not " not in problem else "-U"
    return pip(f"install {again} {next(iter(here), candidates[0])}")
