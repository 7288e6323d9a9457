"""Nothing is sent to anybody: not by the libraries either."""

import os
import subprocess
import sys

RUN = """
import numpy as np
from realtime_bg.runtimes.onnx import open_session
from realtime_bg.zoo import packaged

session, _ = open_session(packaged() / "embedded.onnx", "cpu")
feed = {"src": np.zeros((1, 3, 64, 64), "f4"), "last": np.zeros((1, 1, 64, 64), "f4")}
session.run(None, feed)
"""
SILENCED_BY = (
    "ORT_DISABLE_TELEMETRY",
    "ORT_RUNNING_UNIT_TESTS",
    "CI",
    "GITHUB_ACTIONS",
    "TF_BUILD",
)


def test_onnx_runtime_keeps_no_diary_to_send(tmp_path):
    """Its telemetry begins with a device's number in the cache folder and a session's in /tmp."""
    variables = {name: value for name, value in os.environ.items() if name not in SILENCED_BY}
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "TEMP", "TMP"):
        variables[name] = str(tmp_path)
    subprocess.run([sys.executable, "-c", RUN], check=True, env=variables, timeout=120)
    assert list(tmp_path.rglob("*")) == []
