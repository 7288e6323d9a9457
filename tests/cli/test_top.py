"""The view of a running instance: what it shows, and what it says of one that is not there."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from helpers.waiting import PATIENCE
from rich.console import Console

from realtime_bg.cli import main as cli
from realtime_bg.cli import top_screen as top
from realtime_bg.errors import SettingsError

REPORT = {
    "running": True,
    "problem": "",
    "shows_camera": False,
    "engine": "embedded",
    "provider": "CPU",
    "work_size": [256, 144],
    "fps": 29.5,
    "latency_ms": 14.2,
    "dropped": 7,
    "failures": 1,
    "stages_ms": {"capture": 33.3, "network": 6.0},
    "recording": False,
    "notice": "",
}
DAEMON = {
    "state": "idle",
    "pid": 77,
    "source": "camera",
    "background": "beach",
    "dropped": 0,
    "outputs": ["virtualcam"],
    "fps": 0.0,
    "latency_ms": 0.0,
    "engine": "rvm",
    "provider": "CPU",
}


def text_of(*reports, seconds=1.0):
    console = Console(width=100, force_terminal=False, record=True, file=io.StringIO())
    view = top.View()
    for index, report in enumerate(reports):
        picture = view.drawn(report, index * seconds)
    console.print(picture)
    return console.export_text()


def test_the_figures_are_shown():
    text = text_of(REPORT)
    for words in ("running", "embedded on CPU at 256x144", "29.5", "14.2 ms", "network"):
        assert words in text
    assert text.count("━") == 40 + 7  # a whole frame of waiting for the camera, 6 of 33 ms


def test_what_was_before_becomes_curves_and_rates():
    reports = [
        REPORT | {"fps": fps, "dropped": dropped} for fps, dropped in ((0, 0), (15, 4), (30, 8))
    ]
    text = text_of(*reports, seconds=2.0)
    assert "▁▅█" in text
    assert "2.0 a second" in text
    assert "0.0 a second" in text_of(REPORT, REPORT | {"dropped": 0})  # it was started again


def test_a_daemons_status_is_enough():
    text = text_of(DAEMON)
    for words in ("idle", "77", "camera", "beach", "virtualcam", "rvm on CPU"):
        assert words in text
    assert "━" not in text


def test_problems_and_dangers_are_told():
    changes = {
        "problem": "camera [/red] gone",
        "notice": "saved",
        "recording": True,
        "shows_camera": True,
        "running": False,
    }
    text = text_of(REPORT | changes)
    for words in ("camera off", "camera [/red] gone", "saved", "REC", "the room is shown"):
        assert words in text
    assert text_of({}).count("\n") > 4


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "nonsense",
        "http://localhost:5003",
        "http://localhost:x/?token=t",
        "ftp://localhost/?token=t",
        "http:///?token=t",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(SettingsError, match="realtime-bg serve"):
        top.reporter(address)()


def answering(status, body):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.send_header("Location", "http://example.invalid/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    asked = []
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, asked


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"no", "rejects this token"),
        (302, b"", "is not a realtime-bg server"),
        (200, b"<html>", "is not a realtime-bg server"),
        (200, b"[]", "is not a realtime-bg server"),
        (500, b"{}", "is not a realtime-bg server"),
        (200, b'{"fps": 3}', None),
    ],
)
def test_answers_of_whoever_is_there(status, body, words, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # nobody else gets the token
    server, asked = answering(status, body)
    try:
        ask = top.reporter(f"http://127.0.0.1:{server.server_port}/?token=abc")
        if words is None:
            assert ask()["fps"] == 3
        else:
            with pytest.raises(SettingsError, match=words):
                ask()
        assert asked == [("/api/stats", "Bearer abc")]
    finally:
        server.shutdown()
        server.server_close()


def test_nobody_there_is_one_line(monkeypatch, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/?token=abc"
    monkeypatch.setattr(sys, "argv", ["realtime-bg", "top", address])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    err = capsys.readouterr().err
    assert (ended.value.code, err.count("\n")) == (2, 1)
    assert "nobody answers" in err
    assert "abc" not in err


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_name_that_no_computer_can_have_is_one_line(host, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["realtime-bg", "top", f"http://{host}:5003/?token=abc"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    err = capsys.readouterr().err
    assert (ended.value.code, err.count("\n")) == (2, 1)
    assert f"{host}:5003 is not a realtime-bg server" in err
    assert "abc" not in err


@pytest.fixture
def served(tmp_path):
    """A real server with its camera on, and its address."""
    pytest.importorskip("fastapi")
    import requests

    command = [
        sys.executable,
        "-u",
        "-m",
        "realtime_bg",
        "serve",
        "--port",
        "0",
        "-s",
        "demo",
        "--size",
        "320x180",
        "-e",
        "embedded",
        "-b",
        "#00ff00",
        "--offline",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(100, process.kill)
        guard.start()
        address = process.stdout.readline().strip()
        base, _, token = address.partition("/?token=")
        headers = {"Authorization": f"Bearer {token}"}
        try:
            with requests.Session() as session:
                patient = requests.adapters.Retry(connect=8, backoff_factor=0.1)
                session.mount("http://", requests.adapters.HTTPAdapter(max_retries=patient))
                session.post(f"{base}/api/live", json={"on": True}, headers=headers, timeout=120)
            yield address
        finally:
            process.terminate()
            process.wait(PATIENCE)
            guard.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_running_server_is_watched_until_ctrl_c(served):
    import pty

    variables = os.environ | {"REALTIME_BG_ADDRESS": served, "TERM": "xterm", "COLUMNS": "100"}
    once = subprocess.run(
        [sys.executable, "-m", "realtime_bg", "top"],
        env=variables,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "failures" in once.stdout
    outside, inside = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime_bg", "top"],
        env=variables,
        stdout=inside,
        stderr=inside,
        stdin=inside,
    )
    os.close(inside)
    said, end = b"", time.monotonic() + PATIENCE
    while said.count(b"embedded on CPU") < 3:
        assert time.monotonic() < end, said[-2000:]
        said += os.read(outside, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    os.close(outside)
    assert b"running" in said
    assert served.partition("token=")[2].encode() not in said
