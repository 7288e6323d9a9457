"""The export scripts: what each says of itself, and where its tool is not installed."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

SCRIPTS = ROOT / "scripts"
# script -> (arguments, the packages it cannot do without, its install command)
TOOLS = {
    "export_detectron2": (
        ("x.yaml", "out.onnx", "--photo", "x.jpg"),
        ("detectron2", "torchvision"),
        "pip install",
    ),
    "export_torchvision": (
        ("lraspp_mobilenet_v3_large", "out.onnx"),
        ("torchvision",),
        "pip install torch torchvision",
    ),
    "export_yolo_seg": (("x.pt", "out.onnx"), ("ultralytics",), "pip install ultralytics"),
}
OWN = ("export_rvm", "export_triton")  # tested elsewhere: they need no tool of others
WITHOUT = """
import os, runpy, sys
sys.path.insert(0, os.path.dirname(sys.argv[2]))  # as Python does for a script
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))
sys.argv[:] = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(name, *arguments, folder, without="-", path=None):
    """A script in a process of its own in which the packages ``without`` are not installed, and
    those in the folder ``path`` are."""
    command = [sys.executable, "-c", WITHOUT, without, str(SCRIPTS / f"{name}.py"), *arguments]
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=environment
    )


def test_every_export_script_is_tested():
    assert {path.stem for path in SCRIPTS.glob("export_*.py")} == {*TOOLS, *OWN}


@pytest.mark.parametrize("name", sorted([*TOOLS, *OWN]))
def test_help_shows_how_it_is_run_and_what_it_needs(name, tmp_path):
    if name == "export_rvm":
        pytest.importorskip("torch", reason='needs the extra "torch"')
    said = run(name, "--help", folder=tmp_path)
    assert said.returncode == 0, said.stderr
    text = " ".join(said.stdout.split())
    assert f"python scripts/{name}.py" in text
    assert "Needs" in text or "Needs:" in text
    assert "pip install" in text


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_a_missing_package_is_one_line_with_its_command(name, tmp_path):
    arguments, packages, install = TOOLS[name]
    for package in packages:
        said = run(name, *arguments, folder=tmp_path, without=package)
        assert said.returncode == 2
        assert said.stdout == ""
        (line,) = said.stderr.strip().splitlines()
        assert install in line
        assert not list(tmp_path.iterdir())


def package(folder, name, source=""):
    """A package that holds nothing but ``source``."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(source)


@pytest.mark.parametrize(
    ("without", "command"),
    [
        ("torch", "pip install torch torchvision"),
        ("torchvision", "pip install torch torchvision"),
        ("pkg_resources", 'pip install "setuptools<81"'),
        ("detectron2", 'pip install --no-build-isolation "git+https://github.com/facebook'),
    ],
)
def test_what_detectron2_lacks_is_named_with_its_command(without, command, tmp_path):
    for name in ("torch", "torchvision", "pkg_resources", "detectron2"):
        package(tmp_path / "fakes", name)
    (tmp_path / "fakes/detectron2/model_zoo.py").write_text("import pkg_resources")
    (tmp_path / "work").mkdir()
    arguments = TOOLS["export_detectron2"][0]
    said = run(
        "export_detectron2",
        *arguments,
        folder=tmp_path / "work",
        without=without,
        path=tmp_path / "fakes",
    )
    assert said.returncode == 2
    (line,) = said.stderr.strip().splitlines()
    assert command in line
    assert line.startswith(without)


@pytest.mark.parametrize("name", ["export_detectron2", "export_torchvision"])
def test_a_torchvision_that_does_not_fit_is_one_line(name, tmp_path):
    package(tmp_path / "fakes", "torch")
    reason = "operator torchvision::nms\\ndoes not exist"
    package(tmp_path / "fakes", "torchvision", f'raise RuntimeError("{reason}")')
    (tmp_path / "work").mkdir()
    said = run(name, *TOOLS[name][0], folder=tmp_path / "work", path=tmp_path / "fakes")
    assert said.returncode == 2
    (line,) = said.stderr.strip().splitlines()
    assert "operator torchvision::nms does not exist" in line
    assert "pip install torch torchvision" in line


def test_detectron2_is_not_traced_without_a_photo(tmp_path):
    said = run("export_detectron2", "x.yaml", "out.onnx", folder=tmp_path)
    assert said.returncode == 2
    assert "--photo" in said.stderr
    assert "Traceback" not in said.stderr


def test_detectron2_parts_that_are_not_there_are_refused(tmp_path):
    arguments = ("x.yaml", "out.onnx", "--photo", "p.jpg", "--parts", "gone.py")
    said = run("export_detectron2", *arguments, folder=tmp_path)
    assert said.returncode == 2
    assert said.stderr.strip().endswith("gone.py: no such file")


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_a_bad_size_is_refused(name, tmp_path):
    said = run(name, *TOOLS[name][0], "--size", "640x", folder=tmp_path)
    assert said.returncode == 2
    assert "invalid size value" in said.stderr
    assert "Traceback" not in said.stderr


def test_yolo_needs_multiples_of_its_stride(tmp_path):
    said = run("export_yolo_seg", "x.pt", "out.onnx", "--size", "641x384", folder=tmp_path)
    assert said.returncode == 2
    assert "641x384: both sides must be multiples of 32" in said.stderr
