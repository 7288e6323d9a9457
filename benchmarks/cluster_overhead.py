"""Measure what a cluster costs: photos and a video on one machine, once in a single process with
all cores, once on a cluster of two nodes that have the same cores.

    python benchmarks/cluster_overhead.py --photos photos/ --video talk.mp4 --turns 2

Both ways are complete commands, with the start of the program, in turns. Prints the seconds of each
turn and the ratio of the medians. The start of the cluster itself does not count.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="a folder")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--engine", default="embedded")
    parser.add_argument("--turns", type=int, default=1)
    options = parser.parse_args()
    from ray.cluster_utils import Cluster

    cores = (os.cpu_count() or 2) // 2
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    head = {"num_cpus": cores, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=cores)
        environment["RAY_ADDRESS"] = cluster.address
        jobs = {
            "photos": ("image", options.photos, ()),
            "video": ("video", options.video, ("--background", "office")),
        }
        for name, (command, source, more) in jobs.items():
            if source is None:
                continue
            seconds: dict[str, list[float]] = {"one process": [], "cluster": []}
            for turn in range(options.turns):
                for way in list(seconds)[:: 1 if turn % 2 == 0 else -1]:
                    on = ("--cluster", "auto") if way == "cluster" else ()
                    words = (command, source, "--engine", options.engine, "--offline", *more, *on)
                    taken = timed(words, environment)
                    seconds[way].append(taken)
                    print(f"{name}, {way}: {taken:.1f} s", flush=True)
            ratio = median(seconds["cluster"]) / median(seconds["one process"])
            print(f"{name}: the cluster takes {ratio:.2f} times as long")
    finally:
        cluster.shutdown()
    return 0


def timed(words: tuple[object, ...], environment: dict[str, str]) -> float:
    """Run the program with an empty output folder; the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "realtime_bg", *map(str, words), "-o", f"{folder}/"]
        start = time.monotonic()
        subprocess.run(line, env=environment, check=True, stderr=subprocess.DEVNULL)
        return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
