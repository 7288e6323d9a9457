"""Measure whether the tests notice faults: change one place of the code and run them, again and
again.

python scripts/mutate.py --room processing --sample 50

Works in temporary copies of the tree. A fault that no test notices is printed with its place and
the change, and each room gets a figure. The sample is the same for the same seed and code.

This is an own script because the known tools do not fit: mutmut 3 changes functions only, and so
misses constants such as the security headers, and it has to run all tests first to learn which ones
to use. Cosmic Ray changes the files of the working tree in place, and draws no sample.
"""

import argparse
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from _mutants import Mutant, mutants

ROOT = Path(__file__).parents[1]
MARGIN = 30.0  # seconds beyond three times the usual duration after which a run counts as hanging
TEST_SECONDS = 20  # longest duration of one test; with a fault it often waits in vain


class Room(NamedTuple):
    """Which code is changed, and which tests are to notice it. ``files``: patterns. ``tests``: the
    quickest first; ``{name}`` is that of the module, and files that do not exist are left out."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


ROOMS = {
    "processing": Room(
        ("realtime_bg/processing/*.py",),
        (
            "tests/processing",
            "tests/photos/test_photo_matting.py",
            "tests/backgrounds/test_erase.py",
        ),
    ),
    "live": Room(
        ("realtime_bg/live/*.py",),
        (
            "tests/live/test_{name}.py",
            "tests/live/test_{name}_steps.py",
            "tests/live/test_standstill.py",
            "tests/live/test_watchdog.py",
            "tests/live/test_pipeline_state.py",
            "tests/live/test_pipeline.py",
        ),
    ),
    "web": Room(
        tuple(
            f"realtime_bg/web/{name}.py"
            for name in ("security", "limits", "connections", "pixel_gate", "remote", "form_checks")
        ),
        (
            "tests/web/test_{name}.py",
            "tests/web/test_guards.py",
            "tests/web/test_guard_requests.py",
            "tests/web/test_security.py",
            "tests/web/test_metrics_page.py",
            "tests/web/test_attacks.py",
            "tests/web/test_api.py",
        ),
    ),
    "videos": Room(
        ("realtime_bg/videos/joining.py", "realtime_bg/videos/sequences.py"),
        (
            "tests/videos/test_joining.py",
            "tests/videos/test_video_pictures.py",
            "tests/videos/test_video_sound.py",
            "tests/videos/test_videos.py",
        ),
    ),
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--room", choices=ROOMS, action="append", help="default: all of them")
    parser.add_argument("--sample", type=int, default=50, help="faults in each room; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="test runs side by side")
    chosen = parser.parse_args(arguments)
    for name in chosen.room or ROOMS:
        sample = drawn(ROOT, ROOMS[name], chosen.sample, f"{chosen.seed} {name}")
        left = survivors(ROOT, ROOMS[name], sample, chosen.jobs)
        noticed = len(sample) - len(left)
        print(f"{name}: {noticed} of {len(sample)} noticed ({noticed / len(sample):.0%})")
    return 0


def drawn(root: Path, room: Room, count: int, seed: str) -> list[Mutant]:
    """A sample of the faults of a room, the same for the same ``seed``; all if ``count`` is 0."""
    files = sorted(path for pattern in room.files for path in root.glob(pattern))
    found = [one for path in files for one in mutants(path, path.relative_to(root).as_posix())]
    if not count or count >= len(found):
        return found
    return sorted(random.Random(seed).sample(found, count))


def survivors(root: Path, room: Room, sample: Sequence[Mutant], jobs: int = 1) -> list[Mutant]:
    """The faults that no test notices; each is printed when it is found."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for number in range(jobs):
            trees.put(copied(root, Path(folder) / str(number)))
        usual = {}
        for file in sorted({one.file for one in sample}):
            for test in chosen_tests(root, room, file):
                if test not in usual:
                    tree, start = trees.get(), time.monotonic()
                    if (code := run_tests(tree, [test], 3600)) != 0:
                        raise SystemExit(f"{test}: fails without any fault ({code})")
                    usual[test] = time.monotonic() - start
                    trees.put(tree)

        def survives(one: Mutant) -> bool:
            tree, tests = trees.get(), chosen_tests(root, room, one.file)
            longest = 3 * sum(usual[test] for test in tests) + MARGIN
            place = tree / one.file
            before = place.read_bytes()
            try:
                place.write_bytes(one.applied(before))
                survived = run_tests(tree, tests, longest) == 0
            finally:
                place.write_bytes(before)
                trees.put(tree)
            if survived:
                print(f"not noticed: {one}", flush=True)
            return survived

        with ThreadPoolExecutor(jobs) as pool:
            kept = list(pool.map(survives, sample))
    return [one for one, survived in zip(sample, kept, strict=True) if survived]


def chosen_tests(root: Path, room: Room, file: str) -> list[str]:
    """The tests that are to notice a fault in ``file``, in order."""
    named = dict.fromkeys(pattern.format(name=Path(file).stem) for pattern in room.tests)
    return [name for name in named if (root / name).exists()]


def run_tests(tree: Path, tests: Sequence[str], seconds: float) -> int | None:
    """Run tests until the first failure and return pytest's exit code; None if they hang."""
    environment = os.environ | {
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",  # a file changes twice within its time stamp's resolution
        "REALTIME_BG_SHARED": os.devnull,
    }
    words = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", f"--timeout={TEST_SECONDS}", *tests]
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *words],
        cwd=tree,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        try:
            return run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.kill()
            return None


def copied(root: Path, target: Path) -> Path:
    """Copy the tree without hidden files, caches and virtual environments."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [
            name
            for name in names
            if name.startswith((".", "__pycache__"))
            or (Path(folder) / name / "pyvenv.cfg").exists()
        ]

    shutil.copytree(root, target, ignore=left_out)
    return target


if __name__ == "__main__":
    sys.exit(main())
