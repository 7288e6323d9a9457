"""Service files: whole, right for their system, and started with what the user asked for."""

import plistlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from realtime_bg.cli.daemon import _with_full_paths
from realtime_bg.daemon import service as module
from realtime_bg.daemon.service import KINDS, install, service, uninstall
from realtime_bg.errors import SettingsError, SinkError

OPTIONS = ["--background", '/home/me/my 100% "nice" <room> & $HOME.jpg', "-o", "virtualcam"]
NS = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}


def command(tmp_path, *words):
    line = [sys.executable, "-m", "realtime_bg", "install-service", *words]
    return subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_written_whole_and_says_how_to_go_on(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    made = service(kind, ["-b", "beach"])
    path = tmp_path / made.path.name
    made = module.Service(path, made.data, made.start, made.remove)
    said = install(made, start=False)
    assert path.read_bytes() == made.data
    assert str(path) in said
    assert all(" ".join(command) in said for command in made.start)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_where_it_cannot_be_started_the_reason_is_said(tmp_path):
    code = "import sys; print('Failed to connect to bus', file=sys.stderr); sys.exit(1)"
    made = module.Service(tmp_path / "x", b"x", ((sys.executable, "-c", code),), ())
    assert "was not started (Failed to connect to bus); run: " in install(made, start=True)
    made = module.Service(tmp_path / "x", b"x", ((sys.executable, "-c", "pass"),), ())
    assert "started; undo it with: realtime-bg install-service --remove" in install(
        made, start=True
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("systemd", ["systemctl --user disable --now realtime-bg"]),
        ("launchd", ["launchctl unload {path}", "launchctl unload -w {path}"]),
        (
            "task-scheduler",
            ["schtasks /End /TN realtime-bg", "schtasks /Delete /F /TN realtime-bg"],
        ),
    ],
)
def test_it_is_removed_with_its_file(kind, expected, tmp_path, monkeypatch):
    program, said = tmp_path / "bin" / expected[0].split()[0], tmp_path / "said"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    made = service(kind, [])
    assert "there is no service" in uninstall(made)
    install(made, start=False)
    program.write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(SettingsError, match=r"not removed \(no bus\); run: .* and delete "):
        uninstall(made)
    assert made.path.exists()
    program.write_text(f'#!/bin/sh\necho "$(basename $0) $*" >> {said}\n')
    assert "is deleted" in uninstall(made)
    assert not made.path.exists()
    assert said.read_text().splitlines() == [line.format(path=made.path) for line in expected]


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("systemd", ["systemctl --user enable {path}", "systemctl --user restart realtime-bg"]),
        ("launchd", ["launchctl unload {path}", "launchctl load -w {path}"]),
        (
            "task-scheduler",
            [
                "schtasks /End /TN realtime-bg",
                "schtasks /Create /F /TN realtime-bg /XML {path}",
                "schtasks /Run /TN realtime-bg",
            ],
        ),
    ],
)
def test_one_that_runs_gets_the_new_options(kind, expected, tmp_path, monkeypatch):
    program, said = tmp_path / "bin" / expected[0].split()[0], tmp_path / "said"
    program.parent.mkdir()
    # To end what does not run is an error.
    program.write_text(
        f'#!/bin/sh\necho "$(basename $0) $*" >> {said}\ncase "$1" in unload|/End) exit 3;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    made = service(kind, ["-b", "beach"])
    assert "is written and started" in install(made, start=True)
    assert said.read_text().splitlines() == [line.format(path=made.path) for line in expected]


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
    assert task.find(".//t:Priority", NS).text == "5"  # else it is below normal, as for backups


def test_systemd_gets_quotes_and_no_specifiers():
    text = service("systemd", OPTIONS).data.decode()
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert r'"/home/me/my 100%% \"nice\" <room> & $$HOME.jpg"' in line
    for wanted in (
        "Type=notify",
        "WatchdogSec=",
        "Restart=on-failure",
        "NoNewPrivileges=yes",
        "RestartPreventExitStatus=2",
    ):
        assert wanted in text


def test_systemd_starts_it_after_pipewire_but_does_not_demand_it():
    lines = service("systemd", OPTIONS).data.decode().splitlines()
    (after,) = (line for line in lines if line.startswith("After="))
    assert {"pipewire.service", "wireplumber.service"} < set(after.removeprefix("After=").split())
    assert not any(line.startswith(("Requires", "BindsTo", "PartOf", "Wants=")) for line in lines)


def test_systemd_accepts_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / "realtime-bg.service"
    unit.write_bytes(service("systemd", OPTIONS).data)
    line = ["systemd-analyze", "--user", "--man=no", "verify", str(unit)]
    environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path)}
    result = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert "realtime-bg.service" not in result.stderr


def test_an_unknown_kind_is_refused():
    with pytest.raises(SettingsError, match="choose systemd, launchd, task-scheduler"):
        service("upstart", [])


def test_the_command_prints_it_with_full_paths(tmp_path):
    (tmp_path / "room.jpg").write_bytes(b"x")
    result = command(tmp_path, "--print", "--kind", "systemd", "--", "-b", "room.jpg", "--page")
    assert result.returncode == 0, result.stderr
    assert f"daemon --background {tmp_path / 'room.jpg'} --page\n" in result.stdout
    result = command(tmp_path, "--print", "--", "--windowed")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "--windowed" in result.stderr


HERE = ("blue", "beach", "blur", "rvm", "auto", "demo", "8", "null")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        *((f"-b {name}", f"--background {name}") for name in ("blue", "beach", "blur", "blur:8")),
        ("-b ./blue -b room.jpg", "--background {0}/blue --background {0}/room.jpg"),
        ("-b #00b140 -b no.jpg", "--background #00b140 --background no.jpg"),
        ("--engine rvm --device auto", "--engine rvm --device auto"),
        ("--config=my.yaml", "--config {0}/my.yaml"),
        ("--config room.jpg --offline", "--config {0}/room.jpg --offline"),
        (
            "-o new.mp4 -o old.mp4 -o virtualcam -o null",
            "--output {0}/new.mp4 --output {0}/old.mp4 --output virtualcam --output null",
        ),
        ("--metrics-token token --page --port 0", "--page --port 0 --metrics-token {0}/token"),
        ("-s demo", "--source demo"),
        ("-s old.mp4", "--source {0}/old.mp4"),
        ("-s camera:1 -v", "--source camera:1 --verbose"),
        ("--model rvm", "--model rvm"),
        ("--model room.jpg", "--model {0}/room.jpg"),
        ("", ""),
    ],
)
def test_paths_are_full_and_names_stay(words, expected, tmp_path, monkeypatch):
    for name in HERE:
        (tmp_path / name).mkdir()
    for name in ("room.jpg", "old.mp4", "camera:1"):
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert _with_full_paths(words.split()) == expected.format(tmp_path).split()


def test_an_output_there_cannot_be_is_refused_at_once():
    with pytest.raises(SinkError, match="choose window, virtualcam"):
        _with_full_paths(["-o", "talk.txt"])
