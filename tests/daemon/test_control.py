"""The line between `ctl` and the daemon, over each of its transports; its lock and its logs."""

import errno
import json
import logging
import os
import socket
import stat
import subprocess
import sys
import threading

import pytest
from helpers.waiting import until

from realtime_bg.daemon import control, endpoint
from realtime_bg.daemon.control import ControlServer, ask, ask_once
from realtime_bg.daemon.endpoint import Lock, LoopbackEndpoint, UnixEndpoint
from realtime_bg.daemon.logs import Ring, as_json, daemon_logs
from realtime_bg.errors import DaemonError, SettingsError
from realtime_bg.system.log_limits import BURST, PERIOD, RateLimit


def answer(question):
    if question["command"] == "refuse":
        raise SettingsError("engine.name: no")
    if question["command"] == "break":
        raise ZeroDivisionError("oh")
    yield question
    yield "end"


@pytest.fixture(params=[UnixEndpoint, LoopbackEndpoint])
def at(request, tmp_path):
    return request.param(tmp_path)


@pytest.fixture
def server(at):
    before = threading.active_count()
    server = ControlServer(at, answer)
    yield at
    server.close()
    server.close()
    until(lambda: threading.active_count() <= before)  # one of another test may end meanwhile
    with pytest.raises(DaemonError, match="no daemon is running; start it with: realtime-bg"):
        list(ask({"command": "x"}, at))


def test_a_question_and_its_answers(server):
    assert list(ask({"command": "x", "n": 1}, server)) == [{"command": "x", "n": 1}, "end"]


def test_a_refusal_arrives_as_it_was_said(server):
    with pytest.raises(DaemonError, match=r"^engine.name: no$"):
        list(ask({"command": "refuse"}, server))


def test_a_daemon_that_ends_without_an_answer_is_said(at):
    server = ControlServer(at, lambda _: iter(()))
    with pytest.raises(DaemonError, match="ended before it replied"):
        ask_once({"command": "status"}, at)
    server.close()


def test_it_is_heard_again_after_it_had_no_handle_left(at, monkeypatch, caplog):
    """EMFILE in accept: it waits, and never leaves its loop."""
    monkeypatch.setattr(control, "ACCEPT_PAUSES", (0.01,))
    real, left = at.listen, [3]

    class Exhausted:
        def __init__(self):
            self._own = real()

        def accept(self):
            if left[0]:
                left[0] -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return self._own.accept()

        def __getattr__(self, name):
            return getattr(self._own, name)

    monkeypatch.setattr(type(at), "listen", lambda self: Exhausted())
    server = ControlServer(at, answer)
    try:
        assert list(ask({"command": "x"}, at))[-1] == "end"
        assert "Too many open files" in caplog.text
    finally:
        server.close()


def test_a_defect_is_an_answer_too(server, caplog):
    with pytest.raises(DaemonError, match="ZeroDivisionError: oh"):
        list(ask({"command": "break"}, server))
    assert list(ask({"command": "x"}, server))[-1] == "end"


@pytest.mark.parametrize("line", [b"junk\n", b"[1]\n", b"\xff\xfe\n", b"{}", b"7\n"])
def test_what_is_no_question_is_refused(server, line):
    with server.connect() as own:
        own.sendall(line)
        own.shutdown(socket.SHUT_WR)
        said = own.makefile("rb").read()
    assert b"error" in said
    assert list(ask({"command": "x"}, server))[-1] == "end"


def test_many_ask_at_once(server):
    answers = []

    def one(number):
        answers.append(next(ask({"command": "x", "n": number}, server))["n"])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == list(range(30))


def test_what_lies_on_the_disk_is_for_its_owner_alone(server, tmp_path):
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_the_token_nothing_is_answered(tmp_path):
    at = LoopbackEndpoint(tmp_path)
    server = ControlServer(at, answer)
    try:
        for token in ("", "x" * 43, 7, None):
            with at.connect() as own, own.makefile("rwb") as lines:
                lines.write(json.dumps({"command": "x", "token": token}).encode() + b"\n")
                lines.flush()
                assert json.loads(lines.readline()) == {"error": "no valid token"}
    finally:
        server.close()


def test_nobody_listens_behind_what_a_killed_daemon_left(at):
    own = at.listen()
    own.close()
    with pytest.raises(DaemonError, match="no daemon is running"):
        list(ask({"command": "x"}, at))
    server = ControlServer(at, answer)  # and the next one is not kept from starting
    assert list(ask({"command": "x"}, at))[-1] == "end"
    server.close()


def test_a_folder_of_somebody_else_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(endpoint.platformdirs, "user_runtime_dir", lambda *_, **__: tmp_path / "r")
    assert endpoint.runtime_folder() == tmp_path / "r"
    (tmp_path / "r").chmod(0o755)
    endpoint.runtime_folder()
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o700
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(DaemonError, match="belongs to somebody else"):
        endpoint.runtime_folder()


def test_one_holds_the_lock_until_it_ends(tmp_path):
    lock = Lock(tmp_path)
    with pytest.raises(
        DaemonError, match=rf"a daemon is already running \(pid {os.getpid()}\).*ctl stop"
    ):
        Lock(tmp_path)
    lock.close()
    code = (
        "import sys, time; from pathlib import Path; from realtime_bg.daemon.endpoint import Lock;"
        "lock = Lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(9)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=-1)
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(DaemonError, match=f"pid {other.pid}"):
            Lock(tmp_path)
    finally:
        other.kill()
        other.communicate()
    Lock(tmp_path).close()


# logs


def record(text, *values, level=logging.WARNING, line=1):
    return logging.LogRecord("realtime_bg.x", level, __file__, line, text, values, None)


def test_a_kind_of_line_is_shown_a_few_times_and_then_counted():
    now = [0.0]
    limit = RateLimit(lambda: now[0])
    shown = [r.getMessage() for r in (record("bad %d", n) for n in range(100)) if limit.filter(r)]
    assert shown[:-1] == [f"bad {n}" for n in range(BURST - 1)]
    assert shown[-1] == f"bad {BURST - 1} (further ones are only counted)"
    assert limit.filter(record("another"))
    now[0] = PERIOD + 1
    late = record("bad %d", 7)
    assert limit.filter(late)
    assert late.getMessage() == f"bad 7 ({100 - BURST} similar lines were not shown)"


def test_lines_of_json_can_be_read_back():
    values = json.loads(as_json(record("100%% %s", "ä\n", level=logging.ERROR)))
    assert values["message"] == "100% ä\n"
    assert values["level"] == "error"
    assert values["module"] == "realtime_bg.x"
    assert values["time"].endswith("Z")


def test_the_ring_gives_the_last_lines_and_those_to_come():
    ring = Ring()
    for number in range(10):
        ring.emit(record("line %d", number))
    assert [line[-1] for line in ring.last(3)] == ["7", "8", "9"]
    lines = ring.follow(2)
    assert [next(lines)[-1] for _ in range(2)] == ["8", "9"]
    ring.emit(record("line %d", 10))
    assert next(lines).endswith("line 10")
    ring.close()
    assert not [line for line in lines if line]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("flag", ["True", "False"])
def test_logs_that_cannot_be_written_stop_nobody(flag):
    """A full disk, then a pipe whose reader is gone."""
    script = (
        f"from realtime_bg.daemon.logs import daemon_logs; ring = daemon_logs(False, {flag})\n"
        "import logging; log = logging.getLogger('realtime_bg.x')\n"
        "log.warning('one'); log.error('two'); print(len(ring.last(9)))"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script],
            stderr=full,
            check=False,
            stdout=subprocess.PIPE,
            text=True,
        )
    assert done.stdout == "2\n"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", script],
        stderr=writer,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert done.stdout == "2\n"


def test_the_daemons_logs_are_limited_and_remembered(capsys):
    root, own = logging.getLogger(), logging.getLogger("realtime_bg")
    before = root.handlers[:], root.level, own.level
    try:
        ring = daemon_logs(False, True)
        for number in range(50):
            logging.getLogger("realtime_bg.test").warning("camera %d", number)
        said = capsys.readouterr().err.splitlines()
    finally:
        root.handlers[:], root.level = before[:2]
        own.setLevel(before[2])
    assert len(said) == len(ring.last(99)) == BURST
    assert json.loads(said[0])["message"] == "camera 0"
