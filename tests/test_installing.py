"""The commands that add packages fit the way in which the program was installed."""

import shutil
import sys
from importlib import metadata

import pytest

from realtime_bg import installing
from realtime_bg.registry import missing_package
from realtime_bg.runtimes import builds


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty environment in which the program seems to run, with a pip that is not on PATH."""
    (tmp_path / "bin").mkdir()
    for name in ("python", "pip"):
        (tmp_path / "bin" / name).write_text("")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    return tmp_path


def test_requirements_are_those_of_this_machine():
    base = {need.name for need in installing.requirements()}
    assert {"numpy", "onnxruntime"} <= base
    assert not base & {"torch", "fastapi", "onnxruntime-gpu"}
    web = [need.name for need in installing.requirements("web")]
    assert {"fastapi", "uvicorn"} <= set(web)
    assert "numpy" not in web
    assert installing.requirements("nothing of this name") == []


def test_pip_is_named_with_its_path_unless_it_is_the_usual_one(place, monkeypatch):
    own = place / "bin/pip"
    assert installing.pip("install av") == f"{own} install av"
    assert installing.add_extra("web") == f'{own} install "realtime-bg[web]"'
    monkeypatch.setenv("PATH", str(place / "bin"))
    assert installing.add_extra("web") == 'pip install "realtime-bg[web]"'


def test_an_environment_without_pip_is_one_of_uv(place):
    (place / "bin/pip").unlink()
    python = place / "bin/python"
    assert installing.pip("install av") == f"uv pip install --python {python} av"


def test_pipx_injects_the_packages_of_an_extra(place):
    (place / "pipx_metadata.json").write_text("{}")
    command = installing.add_extra("web")
    assert command.startswith("pipx inject realtime-bg ")
    assert "'fastapi>=0.115'" in command
    assert installing.pip("install av") == "pipx runpip realtime-bg install av"


def test_in_the_debian_package_what_is_added_goes_beside_the_program(tmp_path, monkeypatch):
    monkeypatch.setattr(installing, "PLACE", tmp_path)
    (tmp_path / installing.DEB_MARK).touch()
    command = installing.add_extra("safetensors")
    assert command == (f"sudo python3 -m pip install 'safetensors>=0.5' --target {tmp_path}")


def test_uv_installs_the_tool_with_the_packages_of_all_its_extras(place, monkeypatch):
    (place / "uv-receipt.toml").write_text("")
    monkeypatch.setattr(installing, "_origin", lambda: "/src/realtime-bg")
    monkeypatch.setattr(installing, "_is_complete", lambda extra: extra == "safetensors")
    command = installing.add_extra("web")
    assert command.startswith("uv tool install --with '")
    assert command.endswith("' /src/realtime-bg")
    assert "fastapi>=0.115" in command
    assert "safetensors>=0.5" in command, "what was added earlier has to stay"
    assert "torch" not in command
    assert "uv pip install --python " in installing.pip("install av")


def test_the_origin_is_the_folder_or_the_name(monkeypatch):
    class Installed:
        def __init__(self, text):
            self.text = text

        def read_text(self, _):
            return self.text

    for text, origin in (
        ('{"url": "file:///a/clone", "dir_info": {}}', "/a/clone"),
        ('{"url": "file:///a%20b", "dir_info": {}}', "'/a b'"),
        (None, "realtime-bg"),
        ("[broken", "realtime-bg"),
    ):
        monkeypatch.setattr(metadata, "distribution", lambda _, text=text: Installed(text))
        assert installing._origin() == origin


def test_a_program_that_is_not_installed_requires_nothing(monkeypatch):
    def absent(_):
        raise metadata.PackageNotFoundError

    for name in ("requires", "distribution", "metadata"):
        monkeypatch.setattr(metadata, name, absent)
    assert installing.requirements() == []
    assert installing._origin() == "realtime-bg"
    assert installing._extras() == []


def test_a_missing_package_names_the_command_for_this_place(place):
    own = place / "bin/pip"
    assert f'{own} install "realtime-bg[torch]"' in str(missing_package("engine", "x", "torch"))
    assert f"{own} install theirs" in str(missing_package("engine", "x", "theirs"))


@pytest.mark.parametrize(
    ("here", "providers", "mends"),
    [
        (["onnxruntime"], ["CPUExecutionProvider"], ""),
        (["onnxruntime-gpu"], ["CPUExecutionProvider"], ""),
        (["onnxruntime", "onnxruntime-gpu"], [builds.CUDA, "CPUExecutionProvider"], ""),
        (
            ["onnxruntime", "onnxruntime-gpu"],
            ["CPUExecutionProvider"],
            "install --force-reinstall --no-deps onnxruntime-gpu",
        ),
    ],
)
def test_a_build_that_was_overwritten_is_named(here, providers, mends, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(builds, "installed_version", lambda name: "1.0" if name in here else "")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    problem, fix = builds.conflict()
    assert bool(problem) is bool(mends)
    assert fix.endswith(mends)
    if builds.CUDA not in providers:
        assert (mends or "cuda") in builds.no_cuda()


def test_the_command_of_pip_is_one_that_exists():
    words = installing.pip("--version").split()
    assert shutil.which(words[0])
