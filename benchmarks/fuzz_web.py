"""Fuzz the web server with schemathesis over its OpenAPI schema, and with damaged images and
videos.

    pip install -e ".[web]" schemathesis
    python benchmarks/fuzz_web.py --seed 1 --files 2000 --examples 100

Starts `realtime-bg serve` on a free port with the built-in demo as its camera. The exit code is 1
if a response was a 5xx, a request timed out after --timeout seconds, or the server ended. The
tables show the responses, and the server's memory, threads and open files before and after. The
schema's calls come last, because they change settings. tests/fuzz is a short version, which runs
with the tests.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import requests
from _fuzzing import damaged, samples, served, state

WARM_UP = 100  # requests before memory is measured: caches, the engine, thread pools
BESIDE = Path(sys.executable).parent  # the folder of this environment's commands
ENDLESS = "/api/live/stream"


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
        found = samples(Path(folder))
        kinds = {
            "/api/image": found["picture"],
            "/api/backgrounds": found["picture"],
            "/api/jobs": found["video"],
        }
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
            counts = ", ".join(
                f"{n} x {code}" for (at, code), n in sorted(answers.items()) if at == where
            )
            print(f"| `POST {where}` | {counts} | {slowest.get(where, 0.0):.2f} s |")
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
