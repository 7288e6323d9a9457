"""Service files: whole, right for their system, and started with what the user asked for."""

import plistlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from realtime_bg import service as module
from realtime_bg.errors import SettingsError
from realtime_bg.service import KINDS, install, service

OPTIONS = ["--background", '/home/me/my 100% "nice" <room> & $HOME.jpg', "-o", "virtualcam"]
NS = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}


def command(tmp_path, *words):
    line = [sys.executable, "-m", "realtime_bg.cli", "install-service", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=60,
                          cwd=tmp_path)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_written_whole_and_says_how_to_go_on(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    made = service(kind, ["-b", "beach"])
    path = tmp_path / made.path.name
    made = module.Service(path, made.data, made.enable, made.remove)
    said = install(made, start=False)
    assert path.read_bytes() == made.data
    assert str(path) in said
    assert made.enable[0] in said
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_where_it_cannot_be_started_the_reason_is_said(tmp_path):
    code = "import sys; print('Failed to connect to bus', file=sys.stderr); sys.exit(1)"
    made = module.Service(tmp_path / "x", b"x", (sys.executable, "-c", code), "")
    assert "was not started (Failed to connect to bus); run: " in install(made, start=True)
    made = module.Service(tmp_path / "x", b"x", (sys.executable, "-c", "pass"), "undo me")
    assert "started; undo it with: undo me" in install(made, start=True)


def test_launchd_gets_the_words_as_they_are():
    values = plistlib.loads(service("launchd", OPTIONS).data)
    assert values["ProgramArguments"][-5:] == ["daemon", *OPTIONS]
    assert values["KeepAlive"] == {"SuccessfulExit": False}


def test_the_task_scheduler_gets_one_line():
    data = service("task-scheduler", OPTIONS).data
    task = ET.fromstring(data.decode("utf-16").partition("?>")[2])
    arguments = task.find(".//t:Arguments", NS).text
    assert arguments == subprocess.list2cmdline(["daemon", *OPTIONS]) or arguments.endswith(
        subprocess.list2cmdline(["daemon", *OPTIONS])
    )
    assert task.find(".//t:ExecutionTimeLimit", NS).text == "PT0S"  # else it ends after 3 days


def test_systemd_gets_quotes_and_no_specifiers():
    text = service("systemd", OPTIONS).data.decode()
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert r'"/home/me/my 100%% \"nice\" <room> & $$HOME.jpg"' in line
    for wanted in ("Type=notify", "WatchdogSec=", "Restart=on-failure", "NoNewPrivileges=yes",
                   "RestartPreventExitStatus=2"):  # fmt: skip
        assert wanted in text


def test_systemd_accepts_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / "realtime-bg.service"
    unit.write_bytes(service("systemd", OPTIONS).data)
    line = ["systemd-analyze", "--user", "--man=no", "verify", str(unit)]
    environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path)}
    result = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60,
                            env=environment)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "realtime-bg.service" not in result.stderr


def test_an_unknown_kind_is_refused():
    with pytest.raises(SettingsError, match="choose systemd, launchd, task-scheduler"):
        service("upstart", [])


def test_the_command_prints_it_with_full_paths(tmp_path):
    (tmp_path / "room.jpg").write_bytes(b"x")
    result = command(tmp_path, "--print", "--kind", "systemd", "--", "-b", "room.jpg", "--page")
    assert result.returncode == 0, result.stderr
    assert f"daemon -b {tmp_path / 'room.jpg'} --page\n" in result.stdout
    result = command(tmp_path, "--print", "--", "--windowed")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "--windowed" in result.stderr
