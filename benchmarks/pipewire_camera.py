"""Measure the camera in PipeWire: its cost, its latency, what many readers leave behind, and how
soon a reader sees something.

    python benchmarks/pipewire_camera.py

Runs in a PipeWire session of its own, like the tests, with GStreamer and Chromium as readers; needs
the packages that .ci/run installs. Prints:

* the processor time of handing over 1280x720 at 30 frames a second, in percent of one core, without
  and with the conversion to I420, while GStreamer reads
* milliseconds from the hand-over to the moment at which a page in Chromium can draw the picture
* memory, threads and open files before and after --readers readers, one after the other, of which
  every fifth is killed
* of the daemon, on demand: seconds from the start of a reader to the first picture and to the first
  one that shows the person
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.desktop import CallPage, Desktop  # noqa: E402
from helpers.waiting import until  # noqa: E402

from realtime_bg.devices.pipewire import PublishedCamera  # noqa: E402
from realtime_bg.frames import Planes  # noqa: E402
from realtime_bg.sinks.cameras import to_planes  # noqa: E402

SIZE, FPS, NAME = (1280, 720), 30, "measured"
BLOCK, BITS = 16, 16  # the time is drawn as a row of blocks, black or white, one for each bit
SETTLE = 2.0  # seconds
DELAYS = """<!doctype html><video id=video muted playsinline></video><script>
const tell = what => fetch('/', {method: 'POST', body: JSON.stringify(what)});
(async () => {
  const size = {width: 1280, height: 720};
  video.srcObject = await navigator.mediaDevices.getUserMedia({video: size});
  await video.play();
  const pen = new OffscreenCanvas(256, 16).getContext('2d', {willReadFrequently: true});
  const delays = [];
  while (delays.length < 330) {
    await new Promise(done => video.requestVideoFrameCallback(done));
    pen.drawImage(video, 0, 0);
    const seen = pen.getImageData(0, 8, 256, 1).data;
    let code = 0;
    for (let bit = 0; bit < 16; bit++) code += (seen[4 * (16 * bit + 8)] > 128) << bit;
    delays.push((Date.now() - code) & 0xffff);
  }
  await tell({delays: delays.slice(30)});
})().catch(error => tell({error: String(error)}));
</script>"""


class Feeding:
    """Hands pictures over at a constant rate, on a thread; ``made`` makes each."""

    def __init__(self, camera: PublishedCamera, made: Callable[[], Planes]) -> None:
        self._camera, self._made = camera, made
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self._camera.hand_over(self._made())
            due += 1 / FPS

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


def stamped(planes: Planes) -> Planes:
    """The planes with the present time in them."""
    now = int(time.time() * 1000)
    for bit in range(BITS):
        planes[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 235 if now >> bit & 1 else 16
    return planes


def cost(desktop: Desktop, camera: PublishedCamera, made: Callable[[], Planes]) -> float:
    """Percent of one core while GStreamer reads."""
    feeding, reader = Feeding(camera, made), desktop.gstreamer(NAME)
    until(lambda: camera.has_readers)
    time.sleep(SETTLE)
    start, used = time.perf_counter(), time.process_time()
    time.sleep(10)
    percent = 100 * (time.process_time() - used) / (time.perf_counter() - start)
    desktop.stop(reader)
    feeding.stop()
    return percent


def delays(desktop: Desktop, camera: PublishedCamera, planes: Planes) -> list[float]:
    """Milliseconds from the hand-over to Chromium."""
    feeding = Feeding(camera, lambda: stamped(planes))
    with CallPage(DELAYS) as page:
        browser = desktop.chromium(page.url)
        until(lambda: page.told, desktop.logs, timeout=60)
        desktop.stop(browser)
    feeding.stop()
    return list(page.told["delays"])


def left_behind(desktop: Desktop, camera: PublishedCamera, planes: Planes, readers: int) -> None:
    feeding, own = Feeding(camera, lambda: planes), psutil.Process()

    def state() -> str:
        memory = own.memory_info().rss / 2**20
        return f"{memory:.1f} MB, {own.num_threads()} threads, {own.num_fds()} files"

    for count in range(readers + 1):
        if count in (5, readers):
            print(f"after {count} readers: {state()}", flush=True)
        killed = count % 5 == 4
        reader = desktop.gstreamer(NAME, frames=None if killed else 2)
        if killed:
            until(lambda: camera.has_readers, desktop.logs)
            desktop.stop(reader, signal.SIGKILL)
        else:
            until(lambda reader=reader: reader.poll() is not None, desktop.logs)
            desktop.stop(reader)
        until(lambda: not camera.has_readers, desktop.logs)
    feeding.stop()


def first_pictures(desktop: Desktop, rounds: int) -> list[tuple[float, float]]:
    """Seconds from the start of a reader to the daemon's first picture, and to the first one that
    is not a card or the background alone."""
    from realtime_bg.devices.pipewire_capture import CapturedCamera, Node

    options = ["--source", "demo", "--engine", "embedded", "--background", "#00ff00"]
    words = [sys.executable, "-m", "realtime_bg", "daemon", *options, "--output", "pipewire"]
    daemon = desktop.start(*words, log="daemon.log")
    until(lambda: desktop.node("realtime-bg"), desktop.logs)
    time.sleep(10)  # the engine is loaded, and the camera closed again
    found = []
    for _ in range(rounds):
        start, first, person = time.perf_counter(), 0.0, 0.0
        reader = CapturedCamera(Node("realtime-bg", ""), SIZE, FPS)
        while not person and time.perf_counter() - start < 20:
            image = reader.read(1.0)
            if image is None:
                continue
            first = first or time.perf_counter() - start
            # The demo's suit is orange; neither the card nor the background is.
            small = cv2.resize(image, (64, 36)).astype(int)
            orange = (small[..., 2] > 150) & (small[..., 1] < 130) & (small[..., 0] < 100)
            if orange.mean() > 0.02:
                person = time.perf_counter() - start
        reader.close()
        found.append((first, person))
        time.sleep(5)  # until the camera is closed again
    desktop.stop(daemon)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5, help="of the times of the first picture")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    image = np.random.default_rng(1).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    planes = to_planes(image, SIZE, np.empty((0, 0), np.uint8))
    with Desktop() as desktop:
        os.environ["PIPEWIRE_RUNTIME_DIR"] = str(desktop.folder)
        camera = PublishedCamera(NAME, SIZE, FPS)
        until(lambda: desktop.node(NAME), desktop.logs)
        print(f"hand-over: {cost(desktop, camera, lambda: planes):.1f} % of a core")
        both = cost(desktop, camera, lambda: to_planes(image, SIZE, planes))
        print(f"with the conversion: {both:.1f} %")
        p50, p95, p99 = np.percentile(delays(desktop, camera, planes), (50, 95, 99))
        print(f"seen by Chromium after: median {p50:.0f} ms, p95 {p95:.0f}, p99 {p99:.0f}")
        left_behind(desktop, camera, planes, options.readers)
        camera.close()
        for first, person in first_pictures(desktop, options.rounds):
            print(f"first picture after {first:.2f} s, the person after {person:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
