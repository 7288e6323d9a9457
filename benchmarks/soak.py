"""Run the daemon for a long time while everything changes, and check its resources for growth.

    python benchmarks/soak.py --minutes 120 --every 5

Starts `realtime-bg daemon --page` with the demo as its camera. Every ``--every`` seconds a setting
changes (the engine, the background, the mirror, the feather, the source's size, the pause), and a
viewer of the page's stream or WebSocket connects or disconnects. Each time the process's memory,
threads and handles are recorded. One row is printed for each round of all changes.

The exit code is 1 if the straight line through the rounds after the warm-up rises faster than the
tolerance, with a confidence of two standard errors; if a frame failed or the pipeline was
restarted; or if a viewer received nothing.
"""

import argparse
import itertools
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import psutil
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from realtime_bg.daemon.control import ask_once
from realtime_bg.daemon.endpoint import UnixEndpoint
from realtime_bg.errors import DaemonError

CHANGES = (
    {"background.current": "beach"},
    {"output.mirror": "true"},
    {"engine.name": "grabcut"},
    {"background.current": "blur"},
    {"refine.feather": "4"},
    {"engine.name": "threshold"},
    {"background.current": "#00b140"},
    {"output.mirror": "false"},
    {"source.size": "640x360"},
    {"engine.name": "embedded"},
    {"background.current": "office"},
    {"paused": "true"},
    {"paused": "false"},
    {"refine.feather": "0"},
    {"source.size": "1280x720"},
    {"background.current": "erase"},
)
START = 60.0  # seconds for the daemon to start
FEWEST = 5  # rounds for a line
CONFIDENCE = 2.0  # standard errors


class Sample(NamedTuple):
    """What the process uses ``at`` hours after the start; ``memory`` in MB."""

    at: float
    memory: float
    threads: float
    handles: float


TOLERANCES = {"memory": 6.0, "threads": 1.0, "handles": 1.0}  # growth per hour


def line(times: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Return the slope of the least-squares line and its standard error. At least three values."""
    middle, level = fmean(times), fmean(values)
    spread = sum((time - middle) ** 2 for time in times)
    pairs = list(zip(times, values, strict=True))
    slope = sum((time - middle) * (value - level) for time, value in pairs) / spread
    rest = sum((value - level - slope * (time - middle)) ** 2 for time, value in pairs)
    return slope, math.sqrt(rest / (len(pairs) - 2) / spread)


def whole_rounds(samples: Sequence[Sample], length: int) -> list[Sample]:
    """Return one sample for each complete round of ``length``: the median of its memory, and the
    means of the others. Within a round, the settings determine how much is needed."""
    rounds = [samples[n : n + length] for n in range(0, len(samples) - length + 1, length)]
    return [
        Sample(
            part[-1].at,
            median(sample.memory for sample in part),
            fmean(sample.threads for sample in part),
            fmean(sample.handles for sample in part),
        )
        for part in rounds
    ]


def growing(rounds: Sequence[Sample], tolerances: dict[str, float]) -> dict[str, str]:
    """Return, for each quantity, its slope per hour in words; with "GROWS" if it exceeds its
    tolerance."""
    found = {}
    for name, limit in tolerances.items():
        values = [getattr(sample, name) for sample in rounds]
        slope, error = line([sample.at for sample in rounds], values)
        verdict = "GROWS" if slope - CONFIDENCE * error > limit else "holds"
        found[name] = f"{slope:+.2f} +- {error:.2f} per hour, at most {limit:g}: {verdict}"
    return found


class Viewer:
    """A browser that watches the stream, or listens to the events, until it is closed."""

    def __init__(self, address: str, token: str, kind: str) -> None:
        self.kind, self.received = kind, 0
        self._headers = {"Authorization": f"Bearer {token}"}
        self._address = address
        self._open: requests.Response | ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Closing a response in the middle of a read raises various errors.
        with suppress(ConnectionClosed, OSError, AttributeError, ValueError):
            if self.kind == "stream":
                url = f"{self._address}/api/live/stream"
                self._open = answer = requests.get(
                    url, headers=self._headers, stream=True, timeout=30
                )
                for part in answer.iter_content(65536):
                    self.received += len(part)
            else:
                url = f"{self._address.replace('http', 'ws', 1)}/api/events"
                with connect(url, additional_headers=self._headers, proxy=None) as own:
                    self._open = own
                    for message in own:
                        self.received += len(message)

    def close(self) -> None:
        """Disconnect without a farewell, as a browser that is closed."""
        if self._open is not None:
            with suppress(Exception):
                self._open.close()
        self._thread.join(10)


class Viewers:
    """At most one of each kind; each step changes one of them."""

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address, token
        self._present: dict[str, Viewer] = {}
        self.visits = self.in_vain = 0

    def step(self, number: int) -> None:
        """Open the stream, open the events, close the stream, close the events, and so on."""
        kind = ("stream", "events")[number % 2]
        viewer = self._present.pop(kind, None)
        if viewer is None:
            self._present[kind] = Viewer(self._address, self._token, kind)
        else:
            self._leave(viewer)

    def _leave(self, viewer: Viewer) -> None:
        viewer.close()
        self.visits += 1
        self.in_vain += not viewer.received

    def close(self) -> None:
        """Disconnect all."""
        for viewer in self._present.values():
            self._leave(viewer)
        self._present.clear()


@contextmanager
def daemon(engine: str) -> Iterator[tuple[psutil.Process, UnixEndpoint, Path]]:
    """Run a daemon; yield its process, its endpoint and its log."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o700)
        command = [sys.executable, "-m", "realtime_bg", "daemon", "--page", "--port", "0"]
        command += ["--source", "demo", "--size", "1280x720", "--engine", engine, "--offline"]
        command += ["--output", "null", "--background", "beach"]
        environment = {**os.environ, "XDG_RUNTIME_DIR": name, "XDG_CONFIG_HOME": name}
        log = folder / "log"
        with log.open("w") as stderr:
            process = psutil.Popen(command, stderr=stderr, env=environment)
        try:
            yield process, UnixEndpoint(folder / "realtime-bg"), log
        finally:
            process.terminate()
            process.wait(20)


def status(at: UnixEndpoint) -> dict[str, Any]:
    """Return the reply of `ctl status`, as soon as there is one. Raises DaemonError."""
    end = time.monotonic() + START
    while True:
        with suppress(DaemonError):
            answer: dict[str, Any] = ask_once({"command": "status"}, at)
            if answer["state"] == "running":
                return answer
        if time.monotonic() > end:
            raise DaemonError(f"the daemon does not run after {START:g} s")
        time.sleep(0.1)


def run(
    options: argparse.Namespace, process: psutil.Process, at: UnixEndpoint, viewers: Viewers
) -> list[Sample]:
    """Change and sample until the time is over; print the rounds as they end."""
    print("| after, min | memory, MB | threads | handles |\n|---|---|---|---|", flush=True)
    begin, samples, counts = time.monotonic(), [], itertools.count()
    while time.monotonic() - begin < options.minutes * 60:
        for changes in CHANGES:
            viewers.step(next(counts))
            time.sleep(options.every / 2)
            ask_once({"command": "set", "changes": changes}, at)
            time.sleep(options.every / 2)
            memory, hours = process.memory_info().rss / 1e6, (time.monotonic() - begin) / 3600
            samples.append(Sample(hours, memory, process.num_threads(), process.num_fds()))
        last = whole_rounds(samples, len(CHANGES))[-1]
        figures = f"{last.memory:.0f} | {last.threads:.1f} | {last.handles:.1f}"
        print(f"| {last.at * 60:.1f} | {figures} |", flush=True)
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between changes")
    parser.add_argument("--engine", default="embedded")
    parser.add_argument(
        "--warm-up", type=float, default=0.2, help="share of the time that is not judged"
    )
    parser.add_argument(
        "--memory-slope", type=float, default=TOLERANCES["memory"], help="MB per hour"
    )
    parser.add_argument("--samples", type=Path, help="file for all samples, as JSON")
    options = parser.parse_args()
    with daemon(options.engine) as (process, at, log):
        address, _, token = status(at)["page"].partition("/?token=")
        viewers = Viewers(address, token)
        try:
            samples = run(options, process, at, viewers)
            viewers.close()
            said = status(at)
        except DaemonError:
            print(log.read_text()[-4000:], file=sys.stderr)
            raise
    if options.samples is not None:
        options.samples.write_text(json.dumps([sample._asdict() for sample in samples]))
    rounds = whole_rounds(samples, len(CHANGES))
    judged = [one for one in rounds if one.at >= options.warm_up * options.minutes / 60]
    print(f"{viewers.visits} visits, {viewers.in_vain} of them in vain")
    print(", ".join(f"{said[name]} {name}" for name in ("dropped", "failures", "restarts")))
    if len(judged) < FEWEST:
        print(f"only {len(judged)} rounds after the warm-up: too few for a line")
        return 2
    found = growing(judged, TOLERANCES | {"memory": options.memory_slope})
    for name, text in found.items():
        print(f"{name}: {text}")
    grows = any("GROWS" in text for text in found.values())
    bad = grows or viewers.in_vain or said["failures"] or said["restarts"]
    print("FAILED" if bad else "passed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
