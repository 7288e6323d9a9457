"""What is installed: built twice the same, with icon, desktop entry, manual page and completion."""

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile

import pytest
import yaml
from helpers import ROOT
from helpers.scripts import module

from realtime_bg.cli.program import app
from realtime_bg.installing import APP_ID
from realtime_bg.version import __version__

PARTS = ("realtime_bg", "models", "packaging", "tests", "scripts", "benchmarks", "docs")
FILES = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "config.yaml",
    "constraints.txt",
    ".gitignore",
    "hatch_build.py",
)


def expected_wheel():
    """The name of the wheel, and the number of libraries in it."""
    pytest.importorskip("hatchling")
    build = module("../hatch_build")
    if build.compiler() is None:
        return f"realtime_bg-{__version__}-py3-none-any.whl", 0
    system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"realtime_bg-{__version__}-py3-none-{system}.whl", len(build.LEVELS)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist from two clones that differ in times, permissions, place and language."""
    pytest.importorskip("hatchling")
    folders = []
    for mode, moment, language in ((0o644, 1_600_000_000, "C"), (0o664, 1_700_000_000, "C.UTF-8")):
        clone = tmp_path_factory.mktemp(f"clone{mode:o}")
        skip = shutil.ignore_patterns("__pycache__", "*.pyc", "compiled")
        for part in PARTS:
            shutil.copytree(ROOT / part, clone / part, ignore=skip)
        for name in FILES:
            shutil.copy(ROOT / name, clone / name)
        for path in clone.rglob("*"):
            if path.is_file():
                path.chmod(mode)
            os.utime(path, (moment, moment))
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(clone / "dist")]
        variables = os.environ | {"SOURCE_DATE_EPOCH": "1750000000", "LC_ALL": language}
        done = subprocess.run(
            command,
            check=False,
            cwd=clone,
            env=variables,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        folders.append(clone / "dist")
    return folders


def hashes(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_two_builds_are_the_same_bytes(built):
    first, second = map(hashes, built)
    assert first == second
    assert set(first) == {expected_wheel()[0], f"realtime_bg-{__version__}.tar.gz"}


def test_the_wheel_has_what_the_program_and_the_desktop_read(built):
    with zipfile.ZipFile(next(built[0].glob("*.whl"))) as wheel:
        names = wheel.namelist()
        compiled = [name for name in names if "/imaging/compiled/kernels-" in name]
        assert len(compiled) == expected_wheel()[1]
        data = f"realtime_bg-{__version__}.data/data/share"
        for name in (
            "realtime_bg/models/embedded.onnx",
            "realtime_bg/models/models.yaml",
            "realtime_bg/web/page/index.html",
            "realtime_bg/doctor/probe.py",
            f"{data}/man/man1/realtime-bg.1",
            f"{data}/applications/{APP_ID}.desktop",
            f"{data}/icons/hicolor/scalable/apps/realtime-bg.svg",
        ):
            assert name in names
        assert not [name for name in names if name.startswith(("tests", "scripts", "packaging"))]
        entry = wheel.read(f"realtime_bg-{__version__}.dist-info/entry_points.txt").decode()
        assert "realtime-bg = realtime_bg.cli.main:main" in entry


def test_the_sdist_leaves_the_networks_of_tests_out(built):
    with tarfile.open(next(built[0].glob("*.tar.gz"))) as sdist:
        names = [name.partition("/")[2] for name in sdist.getnames()]
    assert [name for name in names if name.endswith(".onnx")] == ["models/embedded.onnx"]
    assert "tests/assets/README.md" in names


def test_a_wheel_can_be_built_from_the_sdist_alone(built, tmp_path):
    with tarfile.open(next(built[0].glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out"]
    variables = os.environ | {"SOURCE_DATE_EPOCH": "1750000000"}
    subprocess.run(command, check=True, cwd=source, env=variables, capture_output=True, timeout=100)
    again = hashes(source / "out")
    assert again.items() <= hashes(built[0]).items()


def test_the_icon_is_the_drawn_one():
    drawn = module("make_icon").drawn()
    assert (ROOT / "realtime_bg/web/page/icon.svg").read_text() == drawn, (
        "run: python scripts/make_icon.py realtime_bg/web/page/icon.svg"
    )


def test_the_manual_page_is_that_of_the_present_help():
    page = module("make_man_page").page()
    assert (ROOT / "packaging/realtime-bg.1").read_text() == page, (
        "run: python scripts/make_man_page.py packaging/realtime-bg.1"
    )
    assert f"realtime\\-bg {__version__}" in page
    for command in ("image", "video", "serve", "doctor", "models fetch"):
        assert re.search(rf"^\.SS {command}\b", page, re.M), command
    for option in ("metrics\\-token", "background", "alpha\\-only"):
        assert f"\\fB\\-\\-{option}\\fR" in page


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_page_is_good_roff():
    command = ["groff", "-man", "-Tascii", "-ww", "-z", str(ROOT / "packaging/realtime-bg.1")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""


def test_words_are_no_roff_commands():
    text = module("make_man_page").text
    assert text(".png or\n  'x'") == "\\&.png or 'x'"
    assert text("a\\b --c") == "a\\eb \\-\\-c"


def test_the_desktop_entry_names_what_there_is():
    path = ROOT / f"packaging/{APP_ID}.desktop"
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str
    entry.read(path)
    assert entry["Desktop Entry"]["Icon"] == "realtime-bg"
    import typer

    commands = typer.main.get_command(app).commands
    for section in entry.sections():
        program, command, *words = entry[section]["Exec"].split()
        assert program == "realtime-bg"
        options = {name for option in commands[command].params for name in option.opts}
        assert {word for word in words if word.startswith("-")} <= options
    if shutil.which("desktop-file-validate"):
        subprocess.run(["desktop-file-validate", str(path)], check=True, timeout=120)


def test_the_flatpak_draft_names_what_there_is():
    (path,) = (ROOT / "packaging/flatpak").glob("*.yml")
    text = path.read_text()
    manifest = yaml.safe_load(text)
    assert manifest["app-id"] == path.stem == APP_ID
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["command"] in project["scripts"]
    assert "--filesystem=xdg-run/pipewire-0" in manifest["finish-args"]
    (source,) = manifest["modules"][0]["sources"]
    assert (path.parent / source["path"]).resolve() == ROOT
    assert "NEITHER BUILT NOR RUN" in text
    explained = (ROOT / "docs/virtual-camera.md").read_text()
    assert path.name in explained
    for argument in manifest["finish-args"]:
        assert f"`{argument}`" in explained


# completion


def completed(line, shell="bash"):
    words = line.split(" ")
    variables = os.environ | {
        "_REALTIME_BG_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    call = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'realtime-bg'; from realtime_bg.cli.main import main; main()",
    ]
    done = subprocess.run(
        call, check=True, env=variables, capture_output=True, text=True, timeout=30
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("realtime-bg ser", ["serve"]),
        ("realtime-bg --backg", ["--background"]),
        ("realtime-bg --ver", ["--version", "--verbose"]),
        ("realtime-bg --background beach --siz", ["--size"]),
        ("realtime-bg run --mir", ["--mirror"]),
        ("realtime-bg models fe", ["fetch"]),
        ("realtime-bg serve --metr", ["--metrics-token"]),
    ],
)
def test_the_shell_completes_commands_and_options(line, expected):
    assert completed(line) == expected


def test_with_nothing_typed_there_are_the_commands():
    assert {"run", "image", "video", "serve", "doctor", "models"} <= set(completed("realtime-bg "))


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_completion_is_installed_for_bash(tmp_path):
    variables = os.environ | {"HOME": str(tmp_path)}
    program = (
        "import sys; sys.argv = ['realtime-bg', '--install-completion']; "
        "import realtime_bg.cli.main"
    )
    # It asks which shell it was started from: one that is still there while it runs.
    call = [
        "bash",
        "--norc",
        "-c",
        '"$0" -c "$1; realtime_bg.cli.main.main()"; exit $?',
        sys.executable,
        program,
    ]
    done = subprocess.run(call, check=False, env=variables, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".bash_completions/realtime-bg.sh"
    assert str(script) in (tmp_path / ".bashrc").read_text()
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source '{script}'; complete -p realtime-bg"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "realtime-bg" in done.stdout
