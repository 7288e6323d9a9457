"""What the fuzzing in fuzz_web.py and in tests/fuzz shares: a server, files, and damage to them."""

import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import av
import cv2
import numpy as np
import psutil

from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource


@contextmanager
def served(stderr: IO[str] | None = None) -> Iterator[tuple[str, str, psutil.Process]]:
    """Run a server with the demo as its camera; yield its address, token and process. ``stderr``:
    a file for its log."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "realtime_bg",
            "serve",
            "--port",
            "0",
            "--source",
            "demo",
            "--size",
            "320x180",
            "--engine",
            "embedded",
            "--offline",
        ]
        environment = {**os.environ, "XDG_DATA_HOME": folder, "TMPDIR": folder}
        process = psutil.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True
        )
        try:
            # It listens before it prints the address.
            address, _, token = process.stdout.readline().strip().partition("/?token=")
            yield address, token, process
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()


def samples(folder: Path) -> dict[str, list[bytes]]:
    """Return intact files to damage: ``picture`` in several formats, and ``video``."""
    demo = DemoSource("", SourceSettings(spec="demo", size=(160, 90)), False)
    image = demo.image(45)
    cut_out = np.dstack([image, np.rint(demo.alpha(45) * 255).astype(np.uint8)])
    suffixes = {".jpg": image, ".png": cut_out, ".webp": image, ".tiff": image, ".bmp": image}
    pictures = [cv2.imencode(suffix, picture)[1].tobytes() for suffix, picture in suffixes.items()]
    videos = []
    for suffix, codec in ((".mp4", "h264"), (".webm", "libvpx-vp9"), (".avi", "mpeg4")):
        path = folder / f"clip{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=10, width=160, height=90)
            stream.pix_fmt = "yuv420p"
            for index in range(8):
                frame = av.VideoFrame.from_ndarray(demo.image(index * 4), format="bgr24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        videos.append(path.read_bytes())
    return {"picture": pictures, "video": videos}


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return ``data`` with bytes changed, deleted, duplicated or truncated; sometimes unchanged."""
    changed = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 8))):
        at, length = rng.randrange(len(changed) + 1), rng.choice((1, 2, 4, 64, 512))
        match rng.randrange(6):
            case 0 | 1:
                piece = rng.choice((rng.randbytes(length), b"\xff" * length, bytes(length)))
                changed[at : at + length] = piece
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[max(0, at - length) : at]
            case 4:
                del changed[at:]
            case 5:  # sizes are in the first bytes
                changed[rng.randrange(min(64, len(changed) + 1)) :][:4] = rng.randbytes(4)
                place = rng.randrange(64)
                changed[place : place + 4] = rng.randbytes(4)
    return bytes(changed)


def state(process: psutil.Process) -> dict[str, float]:
    """Return the resources that must not grow."""
    return {
        "memory, MB": process.memory_info().rss / 1e6,
        "threads": process.num_threads(),
        "open files": process.num_fds(),
    }
