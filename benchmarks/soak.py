"""Run the daemon for a long time with changing settings, and check its resources for growth.

    python benchmarks/soak.py --minutes 60

One process with the demo as the camera; every ten seconds (``--every``) a setting changes: the
background, the mirror, the feather, the source's size or the pause. Each time memory, threads and
open files are recorded; at the end they are printed, one row for each round of all changes. The
exit code is 1 if threads or files exceed those of the second round, or memory does by more than 5
%.
"""

import argparse
import itertools
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import psutil

from realtime_bg.daemon.control import ask
from realtime_bg.daemon.daemon import Daemon
from realtime_bg.daemon.endpoint import UnixEndpoint
from realtime_bg.settings import load

CHANGES = (
    {"background.current": "beach"},
    {"output.mirror": "true"},
    {"background.current": "blur"},
    {"refine.feather": "4"},
    {"background.current": "#00b140"},
    {"output.mirror": "false"},
    {"source.size": "640x360"},
    {"background.current": "office"},
    {"paused": "true"},
    {"paused": "false"},
    {"refine.feather": "0"},
    {"source.size": "1280x720"},
)


def sample(process: psutil.Process) -> tuple[float, int, int]:
    """Return memory in MB, threads and open files."""
    return process.memory_info().rss / 1e6, process.num_threads(), process.num_fds()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between changes")
    parser.add_argument("--engine", default="embedded")
    options = parser.parse_args()
    flags = {
        "source.spec": "demo",
        "source.size": "1280x720",
        "engine.name": options.engine,
        "engine.offline": True,
        "output.sinks": ("null",),
    }
    process, samples = psutil.Process(), []
    with tempfile.TemporaryDirectory() as folder:
        at = UnixEndpoint(Path(folder))
        daemon = Daemon(load(flags=flags), Path(folder) / "config.yaml", at=at)
        runner = threading.Thread(target=daemon.run)
        runner.start()
        begin = time.monotonic()
        try:
            for changes in itertools.cycle(CHANGES):
                time.sleep(options.every / 2)
                next(ask({"command": "set", "changes": changes}, at))
                time.sleep(options.every / 2)
                samples.append((time.monotonic() - begin, *sample(process)))
                if samples[-1][0] >= options.minutes * 60:
                    break
            status = next(ask({"command": "status"}, at))
        finally:
            daemon.stop()
            runner.join()
    # By rounds of all changes, because the settings determine how much is needed.
    whole = range(0, len(samples) - len(CHANGES) + 1, len(CHANGES))
    rounds = [samples[first : first + len(CHANGES)] for first in whole] or [samples]
    print(
        "| after, min | memory, MB: median | most | threads | open files |\n|---|---|---|---|---|"
    )
    rows = [
        (
            part[-1][0] / 60,
            median(s[1] for s in part),
            max(s[1] for s in part),
            max(s[2] for s in part),
            max(s[3] for s in part),
        )
        for part in rounds
    ]
    for minutes, middle, most, threads, files in rows:
        print(f"| {minutes:.0f} | {middle:.0f} | {most:.0f} | {threads} | {files} |")
    settled, last = rows[min(1, len(rows) - 1)], rows[-1]  # the first round fills caches
    grown = last[1] > settled[1] * 1.05
    more = last[3] > settled[3] or last[4] > settled[4]
    verdict = "GROWS" if grown or more else "holds still"
    counts = (f"{status[name]} {name}" for name in ("dropped", "failures", "restarts"))
    print(f"{', '.join(counts)}; it {verdict}")
    return 1 if grown or more else 0


if __name__ == "__main__":
    sys.exit(main())
