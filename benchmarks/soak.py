"""Runs the daemon for long, changes what users change, and watches what it holds.

    python benchmarks/soak.py --minutes 60

One process with the demo as the camera; every few seconds the background, the mirror or the
source's size changes, or it is paused for a moment. Every ten seconds memory, threads and open
files are taken down; in the end they are printed as a table. Exit code 1 when threads or files
grew, or memory by more than 5 % of what it was after the first minute.
"""

import argparse
import itertools
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from realtime_bg.control import UnixEndpoint, ask
from realtime_bg.daemon import Daemon
from realtime_bg.settings import load

EVERY = 10.0  # seconds between samples
CHANGES = (
    {"background.current": "beach"}, {"output.mirror": "true"}, {"background.current": "blur"},
    {"refine.feather": "4"}, {"background.current": "#00b140"}, {"output.mirror": "false"},
    {"source.size": "640x360"}, {"background.current": "office"}, {"paused": "true"},
    {"paused": "false"}, {"refine.feather": "0"}, {"source.size": "1280x720"},
)  # fmt: skip


def sample(process):
    """Megabytes, threads and open files."""
    return process.memory_info().rss / 1e6, process.num_threads(), process.num_fds()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--engine", default="embedded")
    options = parser.parse_args()
    flags = {"source.spec": "demo", "source.size": "1280x720", "engine.name": options.engine,
             "engine.offline": True, "output.sinks": ("null",)}  # fmt: skip
    process, samples = psutil.Process(), []
    with tempfile.TemporaryDirectory() as folder:
        at = UnixEndpoint(Path(folder))
        daemon = Daemon(load(flags=flags), Path(folder) / "config.yaml", at=at)
        runner = threading.Thread(target=daemon.run)
        runner.start()
        begin = time.monotonic()
        try:
            for changes in itertools.cycle(CHANGES):
                time.sleep(EVERY / 2)
                next(ask({"command": "set", "changes": changes}, at))
                time.sleep(EVERY / 2)
                samples.append((time.monotonic() - begin, *sample(process)))
                if samples[-1][0] >= options.minutes * 60:
                    break
            status = next(ask({"command": "status"}, at))
        finally:
            daemon.stop()
            runner.join()
    settled = next((s for s in samples if s[0] >= 60), samples[0])
    print("| after, min | memory, MB | threads | open files |\n|---|---|---|---|")
    shown = {round(index * (len(samples) - 1) / 7) for index in range(8)}
    for index in sorted(shown):
        at_, memory, threads, files = samples[index]
        print(f"| {at_ / 60:.1f} | {memory:.0f} | {threads} | {files} |")
    tail = samples[len(samples) // 2 :]
    memory = sorted(s[1] for s in tail)[len(tail) // 2]
    grown = memory > settled[1] * 1.05
    more = min(s[2] for s in tail) > settled[2] or min(s[3] for s in tail) > settled[3]
    verdict = "GROWS" if grown or more else "holds still"
    counts = (f"{status[name]} {name}" for name in ("dropped", "failures", "restarts"))
    print(f"{', '.join(counts)}; it {verdict}")
    return 1 if grown or more else 0


if __name__ == "__main__":
    sys.exit(main())
