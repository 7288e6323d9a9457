"""Fuzz the web server with schemathesis over its OpenAPI schema, and with damaged images and
videos.

    pip install -e ".[web]" schemathesis
    python benchmarks/fuzz_web.py --seed 1 --files 2000 --examples 100

Starts `realtime-bg serve` on a free port with the built-in demo as its camera. The exit code is 1
if a response was a 5xx, a request timed out after --timeout seconds, or the server ended. The
tables show the responses, and the server's memory, threads and open files before and after. The
schema's calls come last, because they change settings.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import requests

from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource

WARM_UP = 100  # requests before memory is measured: caches, the engine, thread pools
BESIDE = Path(sys.executable).parent  # the folder of this environment's commands
ENDLESS = "/api/live/stream"


@contextmanager
def served() -> Iterator[tuple[str, str, psutil.Process]]:
    """Run a server; yield its address, token and process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            BESIDE / "realtime-bg",
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
        environment = {**psutil.Process().environ(), "XDG_DATA_HOME": folder, "TMPDIR": folder}
        process = psutil.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        try:
            address, _, token = process.stdout.readline().strip().partition("/?token=")
            while True:
                try:
                    requests.get(address, timeout=5)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield address, token, process
        finally:
            process.terminate()
            process.wait(20)


def samples(folder: Path) -> dict[str, list[bytes]]:
    """Return intact files to damage: images in several formats, and videos."""
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
    return {"/api/image": pictures, "/api/backgrounds": pictures, "/api/jobs": videos}


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


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=1000, help="damaged uploads")
    parser.add_argument(
        "--examples", type=int, default=50, help="examples for each operation of the schema"
    )
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    answers: Counter[tuple[str, int]] = Counter()
    slowest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, served() as (address, token, process):
        kinds = samples(Path(folder))
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {token}"
            before = {}
            for count in range(WARM_UP + options.files):
                if count == WARM_UP:
                    before = state(process)
                where = rng.choice(list(kinds))
                field = {"/api/jobs": "video"}.get(where, "image")
                upload = {field: ("../a/\x00b.png", damaged(rng.choice(kinds[where]), rng))}
                start = time.monotonic()
                answer = session.post(address + where, files=upload, timeout=options.timeout)
                slowest[where] = max(slowest.get(where, 0.0), time.monotonic() - start)
                answers[where, answer.status_code] += 1
                if answer.status_code >= 500:
                    print(where, answer.text)
                if answer.status_code == 201:  # make room for the next upload
                    made = answer.json()
                    session.delete(f"{address}{where}/{made.get('id') or made['name']}", timeout=30)
            while session.get(f"{address}/api/jobs", timeout=30).json():
                time.sleep(0.1)
            after = state(process)
        print("| upload | answers | slowest |\n|---|---|---|")
        for where in kinds:
            found = ", ".join(
                f"{n} x {code}" for (at, code), n in sorted(answers.items()) if at == where
            )
            print(f"| `POST {where}` | {found} | {slowest.get(where, 0.0):.2f} s |")
        print("\n| the server | before | after |\n|---|---|---|")
        for name, value in before.items():
            print(f"| {name} | {value:.0f} | {after[name]:.0f} |")
        schema = subprocess.run(
            [
                BESIDE / "schemathesis",
                "run",
                f"{address}/api/openapi.json",
                "--header",
                f"Authorization: Bearer {token}",
                "--exclude-path",
                ENDLESS,
                "--checks",
                "not_a_server_error,content_type_conformance,response_schema_conformance",
                "--max-examples",
                str(options.examples),
                "--seed",
                str(options.seed),
                "--request-timeout",
                str(options.timeout),
                "--generation-database",
                "none",
                "--continue-on-failure",
                "--no-color",
            ],
            cwd=folder,
            check=False,
        )
        print(f"\nafter the schema's calls: {state(process)}")
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    broken = any(code >= 500 for _, code in answers)
    return 1 if broken or schema.returncode or not alive else 0


if __name__ == "__main__":
    sys.exit(main())
