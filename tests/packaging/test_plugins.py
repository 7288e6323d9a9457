"""Another package adds one plug-in of each kind, and the program uses all of them."""

import subprocess
import sys

import pytest

PLUGINS = """
import numpy as np
from realtime_bg.backgrounds.base import Background
from realtime_bg.engines.base import Engine
from realtime_bg.frames import Frame, Matte
from realtime_bg.sinks.base import Sink
from realtime_bg.sources.base import Source


class Ramp(Source):
    size, fps, description, takes_target = (8, 4), 10.0, "a ramp, 8x4", True

    def __iter__(self):
        for index in range(int(self.target)):
            yield Frame(np.full((4, 8, 3), 200, np.uint8), index, index / self.fps)

    def close(self):
        pass


class Left(Engine):
    description = "the left half is a person"

    def __init__(self, settings, size, stats):
        super().__init__(settings, size, stats)
        self.work_size = size

    def matte(self, frame):
        alpha = np.zeros(frame.image.shape[:2], np.float32)
        alpha[:, : alpha.shape[1] // 2] = 1
        return Matte(frame, alpha)


class Grey(Background):
    takes_target = True

    def render(self, size, time, frame=None, alpha=None):
        return np.full((size[1], size[0], 3), int(self.target), np.uint8)


class Plain(Background):
    def render(self, size, time, frame=None, alpha=None):
        return np.full((size[1], size[0], 3), 7, np.uint8)


class Print(Sink):
    takes_target = True

    def send(self, composite):
        print(self.target, composite.index, composite.image[0, 0, 0], composite.image[0, 7, 0])

    def close(self, complete=True):
        pass
"""

ENTRY_POINTS = """
[realtime_bg.sources]
ramp = outside:Ramp
[realtime_bg.engines]
left = outside:Left
broken = outside:NotThere
rvm = outside:Left
[realtime_bg.backgrounds]
grey = outside:Grey
plain = outside:Plain
gone = not_installed:Gone
[realtime_bg.sinks]
print = outside:Print
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Runs the program where the package `outside` is installed."""
    (tmp_path / "outside.py").write_text(PLUGINS)
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(*words):
        command = [sys.executable, "-m", "realtime_bg", *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)

    return run


def test_all_four_kinds_are_used_by_name(program):
    done = program("-s", "ramp:3", "-e", "left", "-b", "grey:50", "-o", "print:x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == ["x 0 200 50", "x 1 200 50", "x 2 200 50"]


def test_they_are_listed_and_own_names_win(program):
    listed = program("models", "list", "--engines").stdout
    assert "the left half is a person" in listed
    assert listed.count("left half") == 1  # `rvm` is ours
    assert "broken" in listed
    assert "cannot be loaded" in listed


def test_mistakes_name_them_as_well(program):
    done = program("-s", "ramp:3", "-b", "gray:50", "-o", "null")
    assert done.returncode == 2
    assert "grey" in done.stderr
    done = program("-s", "ramp:3", "-e", "broken", "-b", "grey:1", "-o", "null")
    assert done.returncode == 2
    assert "engine 'broken' cannot be loaded (AttributeError" in done.stderr


def test_a_scene_is_offered_wherever_built_in_ones_are(program, tmp_path):
    code = "from realtime_bg.backgrounds import scenes; print(scenes())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "('beach', 'office', 'studio', 'gradient', 'plain')\n"
