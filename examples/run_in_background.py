"""Run the live pipeline in the background of your program, and change settings while it runs.

python examples/run_in_background.py demo out.mp4 3
"""

import sys
import time

import realtime_bg


def main(source: str = "camera", output: str = "virtualcam", *, seconds: float = 10.0) -> None:
    """Feed ``output`` from ``source``, and change the background every second."""
    with realtime_bg.open(source=source, background="blur", outputs=[output]) as running:
        for number in range(int(seconds)):
            running.set(background=("beach", "office", "blur")[number % 3])
            time.sleep(1)
            stats = running.stats
            print(f"{stats['fps']:.1f} fps, {stats['engine']} on {stats['provider']}")


if __name__ == "__main__":
    main(*sys.argv[1:3], seconds=float(sys.argv[3]) if len(sys.argv) > 3 else 10.0)
