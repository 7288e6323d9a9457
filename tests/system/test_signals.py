"""What each signal does, in programs of their own: a terminal that is closed, nohup, kill."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from helpers.waiting import PATIENCE, until

from realtime_bg.system.signals import stop_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PROGRAM = textwrap.dedent("""\
    import sys, threading
    from realtime_bg.system.signals import stop_signals

    stop, asked = threading.Event(), threading.Event()
    log = open(sys.argv[1], "a", buffering=1)
    with stop_signals(stop.set, asked.set if "reload" in sys.argv else None):
        log.write("ready\\n")
        while not stop.wait(0.01):
            if asked.is_set():
                asked.clear()
                log.write("reloaded\\n")
    log.write("stopped\\n")
    """)


@pytest.fixture
def program(tmp_path):
    """Starts the program above; ``log`` is what it has written so far."""
    started = []

    def start(*words, before=(), **options):
        path = tmp_path / f"log{len(started)}"
        path.touch()
        command = [*before, sys.executable, "-c", PROGRAM, str(path), *words]
        streams = {name: subprocess.PIPE for name in ("stdout", "stderr")} | options
        process = subprocess.Popen(command, **streams)
        process.log = path.read_text
        started.append(process)
        until(lambda: "ready" in process.log() or process.poll() is not None)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_sighup_reloads_what_can_be_reloaded(program):
    process = program("reload", start_new_session=True)
    for count in (1, 2):
        process.send_signal(signal.SIGHUP)
        until(lambda count=count: process.log().count("reloaded") == count)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert process.log().endswith("stopped\n")


def test_sighup_stops_what_cannot_be_reloaded(program):
    process = program(start_new_session=True)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE) == 0
    assert process.log().endswith("stopped\n")


@pytest.mark.parametrize("closes", [True, False])
def test_a_closed_terminal_is_no_request_to_reload(program, closes):
    import fcntl
    import termios

    ours, theirs = os.openpty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = program("reload", preexec_fn=own_terminal, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    if closes:
        os.close(ours)
        assert process.wait(PATIENCE) == 0
        assert process.log() == "ready\nstopped\n"
    else:
        process.send_signal(signal.SIGHUP)
        until(lambda: "reloaded" in process.log())
        os.close(ours)


def test_what_is_called_may_need_a_lock_that_the_interrupted_code_holds():
    lock, stopped = threading.Lock(), threading.Event()

    def stop():
        with lock:
            stopped.set()

    with stop_signals(stop):
        with lock:
            signal.raise_signal(signal.SIGTERM)
        assert stopped.wait(PATIENCE)


def test_nohup_ignores_sighup(program):
    process = program("reload", before=["nohup"], start_new_session=True)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert process.log() == "ready\nstopped\n"


def test_sigusr1_prints_the_stacks_and_sigusr2_does_nothing(program):
    process = program()
    process.send_signal(signal.SIGUSR2)
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"most recent call first" in stderr
    assert b"wait" in stderr


def test_sigusr1_does_not_end_a_program_without_stderr(program):
    process = program(before=["sh", "-c", 'exec "$@" 2>&-', "sh"])
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def test_the_server_outlives_sigusr1_and_ends_cleanly_with_its_terminal(tmp_path):
    pytest.importorskip("fastapi")
    words = ["-m", "realtime_bg", "serve", "--port", "0", "-s", "demo", "-e", "threshold"]
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert "?token=" in process.stdout.readline()
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGHUP)
        try:
            _, stderr = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "most recent call first" in stderr
    assert "Traceback" not in stderr
