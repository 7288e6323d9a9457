"""Running `realtime-bg video` on made clips."""

import sys

import pytest
from helpers import graphs
from helpers.clips import clip

from realtime_bg.cli import main as cli


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return graphs.person_map(tmp_path_factory.mktemp("network") / "bright.onnx")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """20 pictures a second, AAC."""
    return clip(tmp_path_factory.mktemp("plain") / "plain.mp4")


@pytest.fixture
def video(monkeypatch, capfd, network):
    """Run `realtime-bg video` in this process: (exit code, lines of standard error)."""

    def run(*words, bright=True):
        words = ["realtime-bg", "video", *map(str, words)]
        words += ["--engine", "semantic", "--model", str(network)] if bright else []
        monkeypatch.setattr(sys, "argv", words)
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capfd.readouterr()
        assert printed.out == ""
        assert "Traceback" not in printed.err
        lines = printed.err.splitlines()
        return ended.value.code, [line for line in lines if "bright.onnx" not in line]

    return run
