"""A Ray cluster of two nodes on this machine, each with one processor and folders of its own."""

import os
import sys

import pytest
from helpers import ROOT

from realtime_bg.cli import main as cli


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """The cluster, to which ``--cluster auto`` connects."""
    pytest.importorskip("ray", reason='needs the extra "cluster"')
    from ray.cluster_utils import Cluster

    saved = dict(os.environ)
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # A worker that dies is noticed at once, a node within a second.
    settings = {"health_check_period_ms": 300, "health_check_timeout_ms": 300}
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": settings},
    )
    try:
        made.add_node(num_cpus=1)
        os.environ["RAY_ADDRESS"] = made.address
        yield made
    finally:
        made.shutdown()
        os.environ.clear()
        os.environ.update(saved)


@pytest.fixture
def command(monkeypatch, capfd):
    """Run `realtime-bg` in this process: (exit code, lines of standard error)."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["realtime-bg", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capfd.readouterr()
        assert "Traceback" not in printed.err
        return ended.value.code, printed.err.splitlines()

    return run
