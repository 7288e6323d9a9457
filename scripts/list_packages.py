"""List the packages that an installation brings: their licences, their sizes, and what needs them.

python scripts/list_packages.py docs/packages.md

It describes the environment in which it runs, which needs the program with all the extras below.
"""

import argparse
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from realtime_bg.installing import requirements
from realtime_bg.system.files import write_whole

EXTRAS = {
    "web": "the page, `serve`, and the daemon's page",
    "heif": "HEIC photos",
    "safetensors": "checkpoints in that format",
    "tray": "the icon in the desktop's panel",
}
PURPOSES = {  # of the packages that the program itself requires
    "numpy": "arrays",
    "opencv-python": "cameras, the window, resizing, classical engines",
    "onnxruntime": "runs the networks",
    "openvino": "runs them in half the time on CPUs with bfloat16; x86-64 only",
    "onnx": "builds RVM's graph from the released weights",
    "pydantic": "checks settings",
    "pydantic-settings": "settings from the environment",
    "pyyaml": "config.yaml",
    "typer": "the command line",
    "rich": "tables and progress in the terminal",
    "pooch": "downloads weights and verifies them",
    "requests": "downloads over https",
    "platformdirs": "where configuration and caches belong",
    "packaging": "compares versions",
    "psutil": "processor time and memory",
    "watchfiles": "notices edits of config.yaml",
    "av": "video files and their sound",
    "pillow": "photos",
    "fastapi": "the page's server",
    "uvicorn": "the page's server",
    "websockets": "the live picture",
    "python-multipart": "uploads",
    "prometheus-client": "/metrics",
    "pi-heif": "reads HEIC",
    "safetensors": "reads checkpoints",
    "dbus-fast": "the session bus",
}
# Libraries under other terms inside wheels; the metadata does not name them.
CONTAINS = {
    "av": "FFmpeg with libx264 and libx265: GPL-2.0 or later as a whole",
    "opencv-python": "FFmpeg: LGPL-2.1; Qt: LGPL-3.0",
    "numpy": "OpenBLAS: BSD-3-Clause; libgfortran: GPL-3.0 with the runtime library exception",
    "pi-heif": "libheif, libde265: LGPL-3.0",
    "pillow": "image libraries under permissive licences",
}
SHORT = {  # as SPDX writes what older metadata says in words
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "ISC License (ISCL)": "ISC",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0",
}
HEAD = """\
# Packages and licences

realtime-bg itself is [MIT](../LICENSE). These are all the packages that `pip install .` brings on
Linux (x86-64), and what each extra adds, with the licence that each package's metadata states.
Sizes are megabytes on the disk.
Made by `python scripts/list_packages.py docs/packages.md`.

**Copyleft parts**, which stay under their own terms:

| part | licence | when |
|---|---|---|
| FFmpeg with libx264 and libx265, inside the wheel of `av` | GPL-2.0 or later | always |
| FFmpeg and Qt, inside the wheel of `opencv-python` | LGPL-2.1, LGPL-3.0 | always |
| `certifi`, the list of certificate authorities | MPL-2.0 | always |
| `pyvirtualcam` | GPL-2.0 | Windows and macOS; on Linux the driver is written to directly |
| libheif and libde265, inside the wheel of `pi-heif` | LGPL-3.0 | extra `heif` |
| RVM's weights, downloaded at first use | GPL-3.0 | `--engine rvm`, or `auto` |
| weights of YOLO-seg, exported by you | AGPL-3.0 | `--engine instance` with such a file |

The built-in network starts from EfficientNet-Lite0's ImageNet weights (Copyright Google,
Apache-2.0); see its [model card](../models/README.md). `realtime-bg models list` shows the licence
of every model. CUDA, which the extra `cuda` brings (`onnxruntime-gpu`, about 340 MB, and NVIDIA's
libraries, about 2 GB), is under NVIDIA's terms. The extra `torch` (BSD-3-Clause) is not listed: its
size depends on the build.
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    write_whole(parser.parse_args(arguments).output, listed().encode())


def listed() -> str:
    """Return the page, as Markdown."""
    base = packages("")
    parts = [HEAD, _table("Always", base)]
    for extra, purpose in EXTRAS.items():
        more = sorted(set(packages(extra)) - set(base))
        parts.append(_table(f"With the extra `{extra}`: {purpose}", more))
    return "".join(parts)


def packages(extra: str) -> list[str]:
    """Return the names of all packages that the program, or one of its extras, needs."""
    found: set[tuple[str, str]] = set()
    waiting = requirements(extra)
    while waiting:
        need = waiting.pop()
        for part in ("", *need.extras):
            if (one := (canonicalize_name(need.name), part)) not in found:
                found.add(one)
                waiting += requirements(part, need.name)
    return sorted({name for name, _ in found})


def licence(name: str) -> str:
    """Return what the metadata of a package states, as SPDX writes it where that is known."""
    known: Any = metadata.metadata(name)
    classifiers = known.get_all("Classifier") or []
    words = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    text = known.get("License-Expression") or "; ".join(words) or known.get("License") or "?"
    return SHORT.get(text, text.splitlines()[0])


def megabytes(name: str) -> float:
    paths = [Path(str(file.locate())) for file in metadata.files(name) or []]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def _table(title: str, names: list[str]) -> str:
    sizes = {name: megabytes(name) for name in names}
    head = f"\n## {title}\n\n{sum(sizes.values()):.0f} MB in all.\n\n"
    rows = ["| package | MB | licence | contains | for |", "|---|---|---|---|---|"]
    for name in sorted(names, key=lambda name: (-round(sizes[name]), name)):
        size = f"{sizes[name]:.0f}" if sizes[name] >= 1 else "<1"
        purpose = PURPOSES.get(name, "")
        rows.append(
            f"| `{name}` | {size} | {licence(name)} | {CONTAINS.get(name, '')} | {purpose} |"
        )
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
