"""Runs checks that may crash, hang or print in a separate process."""

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
class Outcome:
    """What a check reported. ``results``: the JSON objects it printed, in order. ``problem``: why
    it failed, or empty. ``output``: its standard error."""

    results: list[dict[str, Any]]
    problem: str
    output: str


def run_isolated(
    machine: Machine, *arguments: str, stdin: str = "", seconds: float = SECONDS
) -> Outcome:
    """Run the probe with ``arguments`` and ``stdin`` as its input, for at most ``seconds``."""
    command = [*machine.probe, *arguments]
    new_group = os.name == "posix"  # so that its children can be killed too
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            encoding="utf-8",
            errors="replace",
            start_new_session=new_group,
        )
    except OSError as error:
        return Outcome([], f"cannot be started ({error.strerror})", "")
    late = False
    with process:
        try:
            out, err = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            late = True
            _kill(process, new_group)
            out, err = process.communicate()
        finally:
            _kill(process, new_group)
    results = []
    for line in out.splitlines():
        with suppress(ValueError):
            results.append(json.loads(line))
    return Outcome(results, _why_ended(process.returncode, late, seconds), err)


def _kill(process: "subprocess.Popen[str]", group: bool) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


def _why_ended(code: int, late: bool, seconds: float) -> str:
    if late:
        return f"no answer within {seconds:g} s"
    if code < 0:
        with suppress(ValueError):
            return f"it crashed ({signal.Signals(-code).name})"
    return f"it ended with code {code}" if code else ""
