"""Asking another process: what may crash, hang or print on its own must not do so in ours."""

import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from realtime_bg.doctor.findings import Machine

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``said``: the JSON objects that came, in order. ``problem``: why no more came, or empty.
    ``words``: what was printed besides."""

    said: list[dict[str, Any]]
    problem: str
    words: str


def ask(machine: Machine, *words: str, text: str = "", seconds: float = SECONDS) -> Answer:
    """Run the probe with these words and ``text`` as its input, for ``seconds`` at most."""
    command = [*machine.probe, *words]
    own_group = os.name == "posix"  # so that its children end with it
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            encoding="utf-8",
            errors="replace",
            start_new_session=own_group,
        )
    except OSError as error:
        return Answer([], f"cannot be started ({error.strerror})", "")
    late = False
    with process:
        try:
            out, err = process.communicate(text, timeout=seconds)
        except subprocess.TimeoutExpired:
            late = True
            _kill(process, own_group)
            out, err = process.communicate()
        finally:
            _kill(process, own_group)
    said = []
    for line in out.splitlines():
        with suppress(ValueError):
            said.append(json.loads(line))
    return Answer(said, _ending(process.returncode, late, seconds), err)


def _kill(process: "subprocess.Popen[str]", group: bool) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def _ending(code: int, late: bool, seconds: float) -> str:
    if late:
        return f"no answer within {seconds:g} s"
    if code < 0:
        with suppress(ValueError):
            return f"it crashed ({signal.Signals(-code).name})"
    return f"it ended with code {code}" if code else ""
