"""The export scripts: what each says of itself, and where its tool is not installed."""

import subprocess
import sys

import pytest
from helpers import ROOT

SCRIPTS = ROOT / "scripts"
# script -> (arguments, the packages it cannot do without, its install command)
TOOLS = {
    "export_detectron2": (("x.yaml", "out.onnx"), ("detectron2",), "pip install"),
    "export_mmdet": (("x.py", "x.pth", "out.onnx", "x.jpg"), ("mmdet", "mmdeploy"), "mim install"),
    "export_torchvision": (
        ("lraspp_mobilenet_v3_large", "out.onnx"),
        ("torchvision",),
        "pip install torch torchvision",
    ),
    "export_yolo_seg": (("x.pt", "out.onnx"), ("ultralytics",), "pip install ultralytics"),
}
WITHOUT = """
import runpy, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))
sys.argv[:] = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(name, *arguments, folder, without="-"):
    """A script in a process of its own in which the packages ``without`` are not installed."""
    command = [sys.executable, "-c", WITHOUT, without, str(SCRIPTS / f"{name}.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_export_script_is_tested():
    assert {path.stem for path in SCRIPTS.glob("export_*.py")} == {*TOOLS, "export_rvm"}


@pytest.mark.parametrize("name", sorted([*TOOLS, "export_rvm"]))
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
