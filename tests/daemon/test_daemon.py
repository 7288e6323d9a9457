"""The daemon as its user meets it: started, steered from all sides at once, restarted, stopped."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
import yaml
from helpers.daemons import FLAGS, Running
from helpers.waiting import PATIENCE, PROMPT, until

from realtime_bg.daemon import daemon as daemon_module
from realtime_bg.daemon import supervisor
from realtime_bg.daemon.endpoint import LoopbackEndpoint, UnixEndpoint
from realtime_bg.daemon.supervisor import RestartsExhausted, Sleeping
from realtime_bg.errors import DaemonError, EngineError, SettingsError
from realtime_bg.settings import load
from realtime_bg.stats import STAGES
from realtime_bg.steering.checks import prepare


@pytest.fixture
def start(tmp_path):
    runs = []

    def start(**options):
        folder = tmp_path / f"run{len(runs)}"
        folder.mkdir()
        running = Running(UnixEndpoint(folder), **options)
        runs.append(running)
        return running.start()

    yield start
    for running in runs:
        running.stop()


def test_it_runs_is_steered_and_stops_in_time(start):
    d = start().running()
    status = d.ask("status")
    assert status["source"] == "demo"
    assert status["camera_open"]
    assert status["outputs"] == ["null"]
    assert status["pid"] == os.getpid()
    assert d.set(refine__feather="3", output__mirror="true") == {
        "refine.feather": 3,
        "output.mirror": True,
    }
    assert d.live.now.refine.feather == 3
    assert d.ask("toggle", key="mirror") == {"output.mirror": False}
    assert d.set(background__current="beach") == {"background.current": "beach"}
    assert d.daemon.processor.compositor.background.spec == "beach"
    assert d.ask("settings")["background"]["current"] == "beach"
    assert d.stop() < PROMPT
    assert d.raised is None


def test_presets_and_layers_are_steered_by_name(start):
    d = start().running()
    d.live.update(presets=[{"name": "Talk", "values": {"background.current": "beach"}}])
    assert d.ask("preset", name="Talk") == "preset Talk"
    assert d.live.now.background.current == "beach"
    with pytest.raises(DaemonError, match="there is no preset 'Walk'"):
        d.ask("preset", name="Walk")
    d.ask("layer", name="Me", changes={"text": "Ada", "opacity": "0.5"})
    assert d.live.now.layers.items[0].opacity == 0.5
    with pytest.raises(DaemonError, match="a layer has no size"):
        d.ask("layer", name="Me", changes={"size": "1"})
    d.ask("layer", name="Me", remove=True)
    assert d.live.now.layers.items == ()


def test_pause_closes_the_camera_and_resume_opens_it(start):
    d = start().running()
    d.ask("pause")
    until(lambda: not d.ask("status")["camera_open"])
    assert d.ask("status")["state"] == "paused"
    with pytest.raises(DaemonError, match="no picture to save now"):
        d.ask("snapshot")
    d.ask("resume")
    d.running()


def test_a_snapshot_says_where_it_is(start, tmp_path):
    d = start(flags={"output.folder": str(tmp_path / "media")}).running()
    path = d.ask("snapshot")
    assert path.startswith(str(tmp_path / "media"))
    assert os.path.getsize(path) > 100


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"refine.feather": "x"}, "refine.feather"),
        ({"refine.feather": "2", "refine.nope": "1"}, "refine.nope: no such setting"),
        ({"background.current": "beech"}, "did you mean 'beach'"),
        ({"engine.name": "rwm"}, "did you mean 'rvm'"),
        ({"engine.model": "/nope.onnx"}, "nope.onnx"),
        ({"source.spec": "/nope.mp4"}, "no such file"),
        ({"output.sinks": "window"}, "cannot open a window"),
        ({"engine": "rvm"}, "engine"),
        ({}, "give key=value"),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(start, changes, reason):
    d = start().running()
    before = d.live.now
    with pytest.raises(DaemonError, match=reason):
        d.ask("set", changes=changes)
    assert d.live.now == before


def test_a_damaged_background_is_refused_where_it_is_asked_for(start, tmp_path):
    d = start().running()
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff" + b"junk" * 100)
    with pytest.raises(DaemonError, match=r"bad\.jpg': damaged or not a.*; #00ff00 stays"):
        d.set(background__current=str(bad))
    assert d.live.now.background.current == "#00ff00"


def test_hot_keys_that_the_desktop_cannot_give_are_refused(start, monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    d = start().running()
    why = "no session bus" if sys.platform.startswith("linux") else "for Linux desktops"
    with pytest.raises(DaemonError, match=f"no hot keys: .*{why}.*; False stays"):
        d.set(hotkeys__active="true")
    assert not d.live.now.hotkeys.active
    assert d.set(hotkeys__active="false") == {"hotkeys.active": False}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("#ff0000", "#ff0000"),
        ("none", "none"),
        ("red", "red"),
    ],
)
def test_what_yaml_reads_otherwise_is_still_a_background(start, text, value):
    d = start().running()
    d.set(background__current=text)
    assert d.live.now.background.current == value


def test_lists_and_nothing_can_be_set(start):
    d = start().running()
    d.set(background__items="[beach, blur]", source__fps="null", engine__work_size="160x90")
    assert d.live.now.background.items == ("beach", "blur")
    assert d.live.now.engine.work_size == (160, 90)


def test_what_it_cannot_do_is_said_before_it_starts(caplog):
    with pytest.raises(SettingsError, match="the daemon has no window"):
        prepare(load(flags=FLAGS | {"output.sinks": ("window",)}), "daemon")
    with pytest.raises(EngineError, match="unknown engine"):
        prepare(load(flags=FLAGS | {"engine.name": "rwm"}), "daemon")
    settings = prepare(load(flags={"background.current": "/gone.jpg"}), "daemon")
    assert settings.output.virtualcam
    assert settings.background.current == "blur"  # a service must start without it
    assert "/gone.jpg" in caplog.text


def test_a_pipeline_that_fails_is_started_again_until_the_budget_is_used_up(
    start, monkeypatch, caplog
):
    pauses = [0.05, 0.1] + [0.2] * (supervisor.RESTARTS - 2)  # the last one repeats
    monkeypatch.setattr(supervisor, "PAUSES", (0.05, 0.1, 0.2))
    failures = []

    def fail(*_, **__):
        failures.append(time.monotonic())
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(daemon_module.Pipeline, "run", fail)
    d = start()
    d.thread.join(PATIENCE)
    assert isinstance(d.raised, RestartsExhausted)
    assert "the sky fell; it has failed too often" in str(d.raised)
    between = np.diff(failures)
    assert len(between) == supervisor.RESTARTS
    assert (between >= pauses).all()  # it waited longer each time
    said = [line for line in caplog.messages if "restarting in" in line]
    assert said == [f"the sky fell; restarting in {pause:g} s" for pause in pauses]


@pytest.fixture
def hasty(monkeypatch):
    """What failed is started again at once."""
    monkeypatch.setattr(supervisor, "PAUSES", (0.01,))


@pytest.fixture
def manager(monkeypatch, tmp_path):
    """systemd's end of the socket, which wants to hear of it five times a second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        yield manager


def test_systemd_is_told_during_the_pause_before_a_restart(start, monkeypatch, manager):
    def fail(*_, **__):
        raise RuntimeError("the sky fell")

    monkeypatch.setattr(daemon_module.Pipeline, "run", fail)
    monkeypatch.setattr(daemon_module.Budget, "spend", lambda _: 30.0)
    d = start()
    assert [manager.recv(500) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert d.stop() < PROMPT


def test_the_pause_before_a_restart_is_not_taken_for_sleep(start, hasty, monkeypatch, caplog):
    clock, spend, run = [0.0], daemon_module.Budget.spend, daemon_module.Pipeline.run
    tell = lambda: clock[0]  # noqa: E731
    monkeypatch.setattr(daemon_module, "Sleeping", lambda: Sleeping(tell, tell))
    failures = []

    def fail_once(self, tick):
        if not failures:
            failures.append(1)
            raise RuntimeError("the sky fell")
        return run(self, tick=tick)

    def spend_long(self):
        clock[0] += 8.0
        return spend(self)

    monkeypatch.setattr(daemon_module.Pipeline, "run", fail_once)
    monkeypatch.setattr(daemon_module.Budget, "spend", spend_long)
    caplog.set_level("INFO", "realtime_bg.daemon.daemon")
    d = start().running()
    until(d.daemon.pipeline.outlets.specs)
    assert d.ask("status")["restarts"] == 1
    assert "the computer slept" not in caplog.text


def running(name):
    """How many threads of that name there are."""
    return sum(thread.name == name for thread in threading.enumerate())


def test_a_pipeline_that_makes_no_pictures_is_built_anew(start, monkeypatch):
    from realtime_bg.backgrounds.still import ColourBackground

    monkeypatch.setattr(daemon_module, "HUNG", 0.5)
    release, hang = threading.Event(), threading.Event()
    render = ColourBackground.render

    def hanging(self, *arguments):
        if hang.is_set():
            release.wait(20)
        return render(self, *arguments)

    monkeypatch.setattr(ColourBackground, "render", hanging)
    d = start().running()
    first = d.daemon.pipeline
    hang.set()
    until(lambda: d.daemon.pipeline is not first)
    hang.clear()
    d.running()
    assert d.ask("status")["restarts"] == 1
    d.set(refine__feather="2")
    release.set()  # the compositor that hung comes back: it must not open the outputs again
    until(lambda: running("compositor") == 1)
    assert running("sink-null") == 1
    d.stop()
    until(lambda: not running("sink-null") and not running("compositor"))


def test_systemd_is_told(start, manager):
    d = start()
    missing = {b"READY=1", b"STATUS=running", b"WATCHDOG=1"}
    while missing:  # how many of one kind come before another depends on the machine
        missing.discard(manager.recv(500))
    d.stop()
    while manager.recv(500) != b"STOPPING=1":
        pass


def test_a_recording_of_a_pipeline_before_is_not_replaced(start, hasty, tmp_path, caplog):
    talk = tmp_path / "talk.mp4"
    d = start(flags={"output.sinks": (str(talk),)}).running()

    def another():
        before = d.daemon.pipeline
        before.stop(RuntimeError("the sky fell"))
        until(lambda: d.daemon.pipeline is not before)
        d.running()
        until(d.daemon.pipeline.outlets.specs)

    another()
    first = talk.read_bytes()
    another()
    d.stop()
    assert talk.read_bytes() == first
    assert sorted(path.name for path in tmp_path.glob("talk*")) == [
        "talk-2.mp4",
        "talk-3.mp4",
        "talk.mp4",
    ]
    said = [line for line in caplog.messages if "already exists" in line]
    assert said == [
        f"{talk} already exists and is kept; writing {tmp_path / f'talk-{n}.mp4'}" for n in (2, 3)
    ]


# the command, in processes of their own


def environment(tmp_path):
    # A socket's path may have about a hundred characters, and a test's name takes many of them.
    run = tmp_path.parent / f"run{zlib.crc32(tmp_path.name.encode())}"
    run.mkdir(mode=0o700, exist_ok=True)
    changes = {"XDG_RUNTIME_DIR": str(run), "XDG_CONFIG_HOME": str(tmp_path / "cfg")}
    return {**os.environ, **changes}


def command(tmp_path, *words):
    return subprocess.run(
        [sys.executable, "-m", "realtime_bg", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
        env=environment(tmp_path),
    )


@pytest.fixture
def spawn(tmp_path):
    processes = []

    def spawn(*words):
        log = (tmp_path / f"log{len(processes)}").open("w+")
        arguments = [sys.executable, "-m", "realtime_bg", "daemon", *map(str, words)]
        process = subprocess.Popen(arguments, stderr=log, cwd=tmp_path, env=environment(tmp_path))
        process.file = log
        process.log = lambda: (log.seek(0), log.read())[1]
        processes.append(process)
        until(lambda: "is running as a daemon" in process.log() or process.poll() is not None)
        return process

    yield spawn
    for process in processes:
        process.kill()
        process.wait()
        process.file.close()


def test_ctl_daemon_and_a_second_daemon(tmp_path, spawn):
    result = command(tmp_path, "ctl", "status")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "no daemon is running; start it with: realtime-bg daemon" in result.stderr
    options = ("-s", "demo", "--size", "160x90", "-e", "threshold", "-b", "red", "-o", "null")
    process = spawn(*options, "--log-json")
    second = command(tmp_path, "daemon", *options)
    assert second.returncode == 2
    assert f"a daemon is already running (pid {process.pid})" in second.stderr
    status = json.loads(command(tmp_path, "ctl", "status", "--json").stdout)
    assert status["pid"] == process.pid
    assert status["background"] == "red"
    (tmp_path / "green.png").write_bytes(picture())
    assert str(tmp_path / "green.png") in command(tmp_path, "ctl", "background", "green.png").stdout
    bad = command(tmp_path, "ctl", "set", "refine.feather=x")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    bad = command(tmp_path, "ctl", "set", "output.folder=~nosuchuser/clips")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert "there is no user nosuchuser" in bad.stderr
    assert command(tmp_path, "ctl", "set", "refine.feather=2").stdout == "refine.feather: 2\n"
    assert "threshold on CPU" in command(tmp_path, "ctl", "logs").stdout
    assert command(tmp_path, "ctl", "stop").returncode == 0
    assert process.wait(60) == 0
    assert [json.loads(line) for line in process.log().splitlines()][-1]["message"] == "stopped"


def picture():
    import cv2
    import numpy as np

    return cv2.imencode(".png", np.full((90, 160, 3), (0, 200, 0), np.uint8))[1].tobytes()


def test_a_killed_daemon_leaves_nothing_in_the_way(tmp_path, spawn):
    options = ("-s", "demo", "--size", "160x90", "-e", "threshold", "-o", "null")
    process = spawn(*options)
    process.kill()
    process.wait()
    assert "no daemon is running" in command(tmp_path, "ctl", "status").stderr
    process = spawn(*options)
    assert command(tmp_path, "ctl", "status").returncode == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_daemon_reloads_its_configuration_on_sighup_and_outlives_the_others(tmp_path, spawn):
    config = tmp_path / "config.yaml"
    config.write_text("refine: {feather: 1}\n")
    options = ("-s", "demo", "--size", "160x90", "-e", "threshold", "-o", "null")
    process = spawn(*options, "--config", config)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
        process.send_signal(number)
    until(lambda: "config.yaml is read again, as requested" in process.log())
    assert "most recent call first" in process.log()
    assert command(tmp_path, "ctl", "status").returncode == 0
    config.unlink()
    process.send_signal(signal.SIGHUP)
    until(lambda: "the settings stay" in process.log())
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


# everything at once


def test_all_who_steer_it_agree(start, tmp_path):
    """ctl, edits of config.yaml, the page's REST, its WebSocket and a key, at the same time."""
    pytest.importorskip("fastapi")
    import requests
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    from realtime_bg.daemon.page import Page
    from realtime_bg.steering.keys import press

    config = tmp_path / "config.yaml"
    config.write_text("refine:\n  feather: 1\n")
    d = Running(UnixEndpoint(tmp_path), config=config)
    d.daemon.page = Page(d.live.now, 0)
    d.start().running()
    address, _, token = d.ask("status")["page"].partition("/?token=")
    web = requests.Session()
    web.trust_env = False
    bearer = {"Authorization": f"Bearer {token}"}
    web.headers.update(bearer)
    events = {}

    def listen():
        url = f"{address.replace('http', 'ws')}/api/events"
        with (
            contextlib.suppress(ConnectionClosed),
            connect(url, additional_headers=bearer, proxy=None) as own,
        ):
            while not done.is_set():
                event = json.loads(own.recv(10))
                events[event["type"]] = event["value"]

    done = threading.Event()
    listener = threading.Thread(target=listen)
    listener.start()

    def by_ctl():
        for number in range(10):
            d.set(refine__threshold=f"{0.3 + number / 100:.2f}")

    def by_file():
        for number in range(2, 5):
            config.write_text(yaml.safe_dump({"refine": {"feather": number}}))
            until(lambda number=number: d.live.now.refine.feather == number)

    def by_page():
        for number in range(10):
            change = {"refine": {"hysteresis": number / 10}}
            assert web.patch(f"{address}/api/settings", json=change).status_code == 200

    def by_key():
        for _ in range(11):
            press(d.live, "m")

    threads = [threading.Thread(target=target) for target in (by_ctl, by_file, by_page, by_key)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    try:
        until(lambda: d.live.now.refine.feather == 4)
        changed = {"threshold": 0.39, "feather": 4, "hysteresis": 0.9}
        refine = load().refine.model_copy(update=changed).model_dump(mode="json")
        assert d.live.now.refine.model_dump(mode="json") == refine
        assert d.live.now.output.mirror
        assert d.ask("settings")["refine"] == refine
        metrics = web.get(f"{address}/metrics").text
        assert "realtime_bg_starts_total 1.0" in metrics
        assert d.ask("status")["stages_ms"].keys() == set(STAGES)
        assert web.get(f"{address}/api/settings").json()["refine"] == refine
        until(lambda: events.get("settings", {}).get("refine") == refine)
        assert events["settings"]["output"]["mirror"]
        # A key press survives an edit of another line of the file.
        config.write_text("refine: {feather: 5}\n")
        until(lambda: d.live.now.refine.feather == 5)
        assert d.live.now.output.mirror
        # A bad edit is refused, and the good one after it is not.
        config.write_text("refine:\n  feather: 5\n  threshold: soft\n")
        until(lambda: "line 3" in d.ask("status")["config_problem"])
        assert d.live.now.refine.threshold == 0.39
        config.write_text("refine:\n  feather: 5\n  threshold: 0.5\n")
        until(lambda: d.live.now.refine.threshold == 0.5)
        assert d.ask("status")["config_problem"] == ""
        # The page shows the daemon's own picture, and its switch is ctl's pause.
        first = next(web.get(f"{address}/api/live/stream", stream=True).iter_content(2000))
        assert b"image/jpeg" in first
        web.post(f"{address}/api/live", json={"on": False})
        until(lambda: d.ask("status")["state"] == "paused")
        d.ask("resume")
        until(lambda: web.get(f"{address}/api/stats").json()["running"])
    finally:
        done.set()
        web.close()
        d.stop()
        listener.join(60)
    assert d.raised is None


@pytest.mark.parametrize("endpoint", [UnixEndpoint, LoopbackEndpoint])
def test_either_transport_steers_it(endpoint, tmp_path):
    d = Running(endpoint(tmp_path)).start().running()
    assert d.set(refine__feather="7") == {"refine.feather": 7}
    d.stop()


def test_the_users_own_config_is_used_and_followed_by_a_run_too(tmp_path):
    """No --config: the one in the configuration folder; `run` follows its edits as well."""
    own = tmp_path / "cfg/realtime-bg/config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("refine:\n  feather: soft\n")
    bad = command(tmp_path, "daemon", "-s", "demo", "-o", "null")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert f"{own}, line 2: refine.feather" in bad.stderr
    own.write_text(
        "source: {spec: demo, size: 160x90, loop: true}\nengine: {name: threshold}\n"
        "output: {sinks: ['null', 'x.mp4']}\nbackground: {current: red}\n"
    )
    result = command(tmp_path, "--duration", "0.5")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "x.mp4").stat().st_size > 1000
