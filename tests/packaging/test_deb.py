"""The Debian package, built and installed in a folder of its own."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest
from helpers import ROOT

from realtime_bg.installing import APP_ID
from realtime_bg.version import __version__

SYSTEM = Path("/usr/bin/python3")


def same_python():
    """Whether the system's Python can run what is installed for the present one."""
    if not SYSTEM.exists():
        return False
    code = "import sys; print(*sys.version_info[:2])"
    said = subprocess.run([SYSTEM, "-c", code], capture_output=True, text=True, check=True).stdout
    return said.split() == [str(part) for part in sys.version_info[:2]]


pytestmark = [
    pytest.mark.deb,
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb"),
    pytest.mark.skipif(not same_python(), reason="the system's python3 is another version"),
    pytest.mark.timeout(600),  # it fetches and packs 700 MB
]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deb")
    build = [sys.executable, ROOT / "scripts/build_deb.py", folder]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.iterdir()
    assert done.stdout.strip() == str(made)
    yield made
    made.unlink()


@pytest.fixture(scope="module")
def installed(package, tmp_path_factory):
    """The root folder of a system in which nothing but the package is installed."""
    root = tmp_path_factory.mktemp("root")
    for name in ("updates", "info"):
        (root / "var/lib/dpkg" / name).mkdir(parents=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    place = [
        f"--root={root}",
        "--force-depends",
        "--force-not-root",
        "--force-bad-path",
        "--force-unsafe-io",
    ]
    subprocess.run(["dpkg", *place, "--install", package], check=True, capture_output=True)
    yield root
    subprocess.run(["dpkg", *place, "--remove", "realtime-bg"], check=True, capture_output=True)
    left = [path for path in (root / "usr").rglob("*") if path.is_file()]
    assert left == [], "removing it removes all of it"


def test_its_description_fits_the_system(package):
    fields = subprocess.run(
        ["dpkg-deb", "--field", package], capture_output=True, text=True, check=True
    ).stdout
    assert f"Version: {__version__}\n" in fields
    major, minor = sys.version_info[:2]
    assert f"python3 (>= {major}.{minor}), python3 (<< {major}.{minor + 1})" in fields


def test_what_it_installs_runs(installed, tmp_path):
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    program = installed / "usr/bin/realtime-bg"
    said = subprocess.run(
        [program, "--version"], env=home, capture_output=True, text=True, check=True
    )
    assert said.stdout == f"realtime-bg {__version__}\n"
    words = ["--source", "demo", "--background", "beach", "--offline", "--duration", "0.2"]
    done = subprocess.run(
        [program, *words, "--output", tmp_path / "demo.mp4"],
        env=home,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "demo.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 6
    words = [program, "models", "path", "x"]
    done = subprocess.run(words, env=home, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_it_has_manual_desktop_entry_icon_and_licences(installed):
    share = installed / "usr/share"
    manual = gzip.decompress((share / "man/man1/realtime-bg.1.gz").read_bytes())
    assert manual == (ROOT / "packaging/realtime-bg.1").read_bytes()
    assert (share / f"applications/{APP_ID}.desktop").is_file()
    assert (share / "icons/hicolor/scalable/apps/realtime-bg.svg").is_file()
    assert "GPL-2.0" in (share / "doc/realtime-bg/copyright").read_text()


def test_nobody_but_root_may_change_it(installed):
    for path in installed.joinpath("usr").rglob("*"):
        assert not path.stat().st_mode & 0o022, path
    assert os.access(installed / "usr/bin/realtime-bg", os.X_OK)
