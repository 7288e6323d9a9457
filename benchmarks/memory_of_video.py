"""Measure the memory of `realtime-bg video`, minute by minute of a long clip with sound.

    python benchmarks/memory_of_video.py --minutes 10 -- --engine threshold --background blue

Arguments after the two dashes are passed to the command. FFmpeg (the program) makes the clip from
its test pattern; clip and result go to a temporary folder, which needs about 100 MB per minute. The
process is sampled once per second, and its progress is derived from the finished parts.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from realtime_bg.videos.encoding import PART
from realtime_bg.videos.parts import parts_folder

RATE = 30


def make_clip(path: Path, minutes: float, size: str) -> None:
    """Make a clip of FFmpeg's test pattern with a tone."""
    seconds = minutes * 60
    subprocess.run(
        [
            "ffmpeg",
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            f"testsrc2=size={size}:rate={RATE}:duration={seconds}",
            "-f",
            "lavfi",
            "-i",
            f"sine=440:duration={seconds}",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-crf",
            "30",
            "-c:a",
            "aac",
            str(path),
        ],
        check=True,
    )


def measure(clip: Path, target: Path, options: list[str]) -> list[tuple[int, float]]:
    """Convert and return (frames done, resident MB) for every second."""
    words = [sys.executable, "-m", "realtime_bg", "video", str(clip), "-o", str(target)]
    samples = []
    with subprocess.Popen([*words, *options]) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            done = PART * len(list(parts_folder(target).glob("[0-9]*.json")))
            try:
                samples.append((done, process.memory_info().rss / 1e6))
            except psutil.Error:
                break
            time.sleep(1)
    if child.returncode:
        sys.exit(f"realtime-bg video ended with code {child.returncode}")
    return [(done, resident) for done, resident in samples if resident]


def show(samples: list[tuple[int, float]]) -> None:
    """Print the largest and the mean resident memory in each minute of the clip."""
    print(f"{'minute':>6} {'largest MB':>11} {'mean MB':>8} {'seconds':>8}")
    last = max(done for done, _ in samples) // (60 * RATE)
    for minute in range(last + 1):
        seen = [resident for done, resident in samples if done // (60 * RATE) == minute]
        if seen:
            print(f"{minute + 1:6} {max(seen):11.0f} {sum(seen) / len(seen):8.0f} {len(seen):8}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--clip", type=Path, help="use this clip with 30 frames per second instead")
    parser.add_argument("options", nargs="*", help="options for realtime-bg video")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = given.clip or Path(folder) / "clip.mp4"
        if given.clip is None:
            make_clip(clip, given.minutes, given.size)
        show(measure(clip, Path(folder) / "result.mp4", given.options))


if __name__ == "__main__":
    main()
