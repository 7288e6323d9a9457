"""Damaged files to the commands `image` and `video`, many in one process: a result or one line, no
traceback, no crash, and bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.fuzzing import bounded, files, samples
from helpers.waiting import PATIENCE
from hypothesis import given

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the worker measures with getrusage"
)

PEAK = 400_000  # kB above what the intact files need
LINE = 500  # bytes; a message may contain a path or two


class Worker:
    """Runs commands in a process of their own, see worker.py."""

    def __init__(self, folder):
        self.log = folder / "log"
        with self.log.open("w") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("worker.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=folder,
            )

    def run(self, *words):
        """Return the exit code, what was printed, and the peak memory in kB."""
        before = self.log.stat().st_size
        self.process.stdin.write(json.dumps([str(word) for word in words]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        with self.log.open("rb") as log:
            log.seek(before)
            said = log.read()
        assert answer, (self.process.wait(60), said)
        return *json.loads(answer), said


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    return samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture
def worker(tmp_path):
    worker = Worker(tmp_path)
    yield worker
    worker.process.stdin.close()
    assert worker.process.wait(PATIENCE) == 0
    worker.process.stdout.close()


def judge(worker, peak, *words):
    code, used, said = worker.run(*words, "--overwrite", "-e", "threshold", "--offline")
    assert code in (0, 1, 2), said
    assert b"Traceback" not in said
    assert b"(details: --verbose)" not in said, said  # a defect of the program
    if code:  # one line at the end; before it, libjpeg and libtiff may have written lines of theirs
        assert said.count(b"realtime-bg: ") == 1, said
        line = said.splitlines()[-1]
        assert line.startswith(b"realtime-bg: "), said
        assert len(line) < LINE, said
    assert used < peak + PEAK


@pytest.mark.parametrize("kind", ["picture", "video"])
def test_a_damaged_file(worker, kinds, kind, tmp_path):
    command, result = {"picture": ("image", "out.png"), "video": ("video", "out.mp4")}[kind]
    source = tmp_path / "source"
    peak = 0
    for data in kinds[kind]:
        source.write_bytes(data)
        code, peak, said = worker.run(command, source, "-o", result, "--overwrite", "-b", "red")
        assert code == 0, said

    @bounded({"picture": 60, "video": 25}[kind])
    @given(files(kinds[kind]))
    def process(data):
        source.write_bytes(data)
        judge(worker, peak, command, source, "-o", result, "-b", "red")

    process()


@pytest.mark.parametrize("kind", ["picture", "video"])
def test_a_damaged_background(worker, kinds, kind, tmp_path):
    photo, behind = tmp_path / "photo.png", tmp_path / "behind"
    photo.write_bytes(kinds["picture"][1])
    behind.write_bytes(kinds[kind][0])
    code, peak, said = worker.run("image", photo, "-o", "out.png", "-b", behind)
    assert code == 0, said

    @bounded(25)
    @given(files(kinds[kind]))
    def process(data):
        behind.write_bytes(data)
        judge(worker, peak, "image", photo, "-o", "out.png", "-b", behind)

    process()
