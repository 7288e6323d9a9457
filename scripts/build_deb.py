"""Build a Debian package of this checkout: the program with all that it requires.

python scripts/build_deb.py dist/

It needs dpkg-deb, and a Python of the same minor version as the system's python3, with pip. The
package contains the extras web, heif, safetensors and tray, and depends on nothing from PyPI.
"""

import argparse
import compileall
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from realtime_bg.installing import APP_ID, DEB_MARK, NAME
from realtime_bg.version import __version__

ROOT = Path(__file__).parents[1]
EXTRAS = "web,heif,safetensors,tray"
PLACE = f"usr/lib/{NAME}"
# -P: a module in the current folder must not replace one of ours.
LAUNCHER = f"""\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export PYTHONPATH="$here/../lib/{NAME}"
exec /usr/bin/python3 -P -m realtime_bg "$@"
"""
CONTROL = """\
Package: {name}
Version: {version}
Architecture: {architecture}
Maintainer: The realtime-bg authors <{homepage}>
Installed-Size: {size}
Depends: python3 (>= {least}), python3 (<< {next}), libgl1, libglib2.0-0 | libglib2.0-0t64
Recommends: pipewire, wireplumber, xdg-desktop-portal
Suggests: v4l2loopback-dkms
Section: video
Priority: optional
Homepage: {homepage}
Description: {description}
 Replaces the background of a webcam in real time and shows the result in a
 window, a virtual camera or a web page. Also works on photos and videos.
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the package is written")
    folder = parser.parse_args(arguments).folder
    if shutil.which("dpkg-deb") is None:
        sys.exit("dpkg-deb is missing; it comes with Debian and Ubuntu")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        stage = Path(work) / "stage"
        _install(stage / PLACE)
        _add_files(stage)
        print(_pack(stage, folder))


def _install(place: Path) -> None:
    """Install the program and what it requires, compiled for where they will be."""
    place.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    quiet = ["--disable-pip-version-check", "--root-user-action=ignore"]
    subprocess.run([*command, *quiet, "--target", str(place), f"{ROOT}[{EXTRAS}]"], check=True)
    for unused in ("bin", "share"):
        shutil.rmtree(place / unused, ignore_errors=True)
    (place / DEB_MARK).touch()
    compileall.compile_dir(place, quiet=2, stripdir=str(place.parents[2]), prependdir="/")


def _add_files(stage: Path) -> None:
    """Add the command, its manual page, the desktop entry, the icon and the licences."""
    launcher = stage / "usr/bin" / NAME
    launcher.parent.mkdir()
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)
    manual = gzip.compress((ROOT / f"packaging/{NAME}.1").read_bytes(), mtime=0)
    licences = (ROOT / "LICENSE").read_text() + "\n" + (ROOT / "docs/packages.md").read_text()
    icon = (ROOT / "realtime_bg/web/page/icon.svg").read_bytes()
    entry = (ROOT / f"packaging/{APP_ID}.desktop").read_bytes()
    for path, data in {
        f"man/man1/{NAME}.1.gz": manual,
        f"doc/{NAME}/copyright": licences.encode(),
        f"applications/{APP_ID}.desktop": entry,
        f"icons/hicolor/scalable/apps/{NAME}.svg": icon,
    }.items():
        target = stage / "usr/share" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _pack(stage: Path, folder: Path) -> Path:
    """Write the package's description, and pack it. Returns its path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = [path for path in stage.rglob("*") if path.is_file()]
    major, minor = sys.version_info[:2]
    architecture = _said("dpkg", "--print-architecture")
    control = stage / "DEBIAN/control"
    control.parent.mkdir()
    control.write_text(
        CONTROL.format(
            name=NAME,
            version=__version__,
            architecture=architecture,
            homepage=project["urls"]["Homepage"],
            description=project["description"].rstrip("."),
            size=sum(path.stat().st_size for path in files) // 1024,
            least=f"{major}.{minor}",
            next=f"{major}.{minor + 1}",
        )
    )
    for path in stage.rglob("*"):  # whatever the umask is
        if path.is_dir() or not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    target = folder / f"{NAME}_{__version__}_{architecture}.deb"
    pack = ["dpkg-deb", "--root-owner-group", "-Zxz", "-z1", "--build", str(stage), str(target)]
    subprocess.run(pack, check=True, stdout=subprocess.DEVNULL)
    return target


def _said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
