"""Compiles the C files of realtime_bg/imaging when the package is built or installed; or, run as a
script, in place.

A compiler of the system is used if there is one, and otherwise Zig's, which pip brings for the
build alone. Without either, the program works with NumPy and OpenCV instead, and is slower.
"""

import platform
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("realtime_bg/imaging")
FOLDER = SOURCES / "compiled"
SUFFIX = {"win32": "dll", "darwin": "dylib"}.get(sys.platform, "so")
OPTIONS = ["-O3", "-std=c11", "-shared", "-fvisibility=hidden"]
OPTIONS += ["-fno-math-errno", "-fno-trapping-math"]  # so that loops are vectorised
X86_64 = platform.machine().lower() in ("x86_64", "amd64")
LEVELS = (1, 3) if X86_64 else (1,)  # of x86-64; the program takes the best that runs
MACHINES = {3: ("x86-64-v3", "x86_64_v3")}  # as most compilers write it, and as Zig does


def compiler() -> list[str] | None:
    """The command of a C compiler, or None."""
    names = ("cc", "gcc", "clang") if sys.platform != "win32" else ("gcc", "clang")
    for name in names:
        path = shutil.which(name)
        # On macOS, `cc` exists before the developer tools do, and asks whether to install them.
        if path and _ran([path, "--version"]) == "":
            return [path]
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else None


def compile_kernels(root: Path) -> bool:
    """Compile the libraries below ``root``. Return whether that worked."""
    command = compiler()
    if command is None:
        return False
    (root / FOLDER).mkdir(exist_ok=True)
    zig = "ziglang" in command
    for level in LEVELS:
        target = root / FOLDER / f"kernels-{level}.{SUFFIX}"
        machine = [f"-march={MACHINES[level][zig]}"] if level in MACHINES else []
        code = [] if sys.platform == "win32" else ["-fPIC"]
        files = [str(path) for path in sorted((root / SOURCES).glob("*.c"))]
        build = [*command, *OPTIONS, *code, *machine, *files, "-o", str(target)]
        problem = _ran(build)
        if problem:
            print(f"{' '.join(build)}: {problem}", file=sys.stderr)
            return level > 1  # the first one serves every processor
    return True


def _ran(command: list[str]) -> str:
    """Run a command. Return an empty string, or what it says if it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return (result.stderr or "it failed") if result.returncode else ""


class Hook(BuildHookInterface[Any]):
    """Called by Hatchling for a wheel, also of an editable installation."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if compiler() else ["ziglang>=0.13"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not compile_kernels(Path(self.root)):
            self.app.display_warning("the kernels are not compiled: the program will be slower")
            return
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{tag}"
        build_data["artifacts"].append(f"/{FOLDER.as_posix()}/kernels-*.{SUFFIX}")


if __name__ == "__main__":
    sys.exit(0 if compile_kernels(Path(__file__).parent) else "no compiler was found, or it failed")
