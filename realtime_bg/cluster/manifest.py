"""The record of a bulk run beside its results, from which the same command goes on.

One line of JSON for each event: a run that begins or ends, and a unit that is done or failed. The
last line of a unit counts. When a run begins, the file is written anew with one line for each unit.
"""

import json
import os
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from realtime_bg.cluster import places
from realtime_bg.cluster.tasks import SEGMENT
from realtime_bg.errors import SinkError, reason
from realtime_bg.system.locking import lock
from realtime_bg.videos.segments import Segment

NAME = "realtime-bg.jsonl"


class Manifest:
    """Used by several threads. ``run``: identifies the run, across interruptions."""

    def __init__(self, folder: str) -> None:
        """``folder``: a path or URL; it is created. Raises SinkError, also if another process of
        this machine uses it."""
        self.name = places.within(folder, NAME)
        self.run = self._settings = ""
        self._lock, self._count = threading.Lock(), 0
        self._lines: dict[str, dict[str, Any]] = {}
        self._file: IO[bytes] | None = None
        self._guard: IO[bytes] | None = None
        if not places.is_url(folder):
            self._guard = _guard(Path(self.name))
        self._last: dict[str, Any] = {}
        for line in self._read():
            if "unit" in line:
                self._lines[line["unit"]] = line
            elif "run" in line:
                self._last = line

    def begin(self, settings: str, overwrite: bool) -> None:
        """Begin a run with settings of this digest, or go on with the last one if that has not
        ended and had the same. With ``overwrite``, what earlier runs have done counts no more.
        Raises SinkError."""
        last = self._last
        goes_on = last.get("state") == "begun" and last.get("settings") == settings
        self.run = last["run"] if goes_on else uuid.uuid4().hex[:12]
        if overwrite:
            kept = {key: line for key, line in self._lines.items() if line.get("run") == self.run}
            self._lines = kept
        self._settings = settings
        first = {"run": self.run, "settings": settings, "state": "begun"}
        text = "".join(json.dumps(line) + "\n" for line in (first, *self._lines.values()))
        places.write(self.name, text.encode())
        for name in self._pieces():
            places.remove(places.within(self.name + ".d", name))
        if self._guard is not None:
            try:
                self._file = open(self.name, "ab")  # noqa: SIM115 - until `close`
            except OSError as error:
                raise self._failed(error) from None

    def state(self, key: str, version: str) -> str:
        """What is known of a unit, whose input now has this version: ``done`` with the same
        settings and input; ``changed`` if it was done with others; otherwise an empty string."""
        line = self._lines.get(key)
        if line is None or line["state"] != "done":
            return ""
        same = line["settings"] == self._settings and line["version"] == version
        return "done" if same else "changed"

    def note(self, key: str, **values: Any) -> None:
        """Record a unit durably, with its ``state``, ``input``, ``version`` and so on. Raises
        SinkError."""
        line = {"unit": key, "run": self.run, "settings": self._settings, **values}
        with self._lock:
            self._lines[key] = line
            self._append(line)

    def segments(self, key: str, version: str) -> list[Segment]:
        """Those into which a video of this version was divided; none if it was not."""
        line = self._lines.get(key, {})
        same = line.get("settings") == self._settings and line.get("version") == version
        if not same or line.get("state") != "divided":
            return []
        return [Segment(*ends) for ends in line["segments"]]

    def forget_segments(self, key: str) -> None:
        """Drop the records of a video's segments."""
        with self._lock:
            number = re.compile(re.escape(key + SEGMENT) + r"\d{4}")
            for name in [name for name in self._lines if number.fullmatch(name)]:
                del self._lines[name]

    def end(self) -> None:
        """Record that everything was tried. Raises SinkError."""
        with self._lock:
            self._append({"run": self.run, "settings": self._settings, "state": "ended"})

    def close(self) -> None:
        """Let others use the file. Idempotent."""
        for file in (self._file, self._guard):
            if file is not None:
                with suppress(OSError):
                    file.close()
        if self._guard is not None:
            Path(self._guard.name).unlink(missing_ok=True)
        self._file = self._guard = None

    def _append(self, line: dict[str, Any]) -> None:
        data = (json.dumps(line) + "\n").encode()
        if self._guard is None:  # most stores cannot append to a file: each line is one
            self._count += 1
            places.write(f"{self.name}.d/{self.run}-{self._count:08d}.jsonl", data)
            return
        try:
            assert self._file is not None
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._failed(error) from None

    def _pieces(self) -> list[str]:
        return places.names(self.name + ".d") if places.is_url(self.name) else []

    def _read(self) -> Iterator[dict[str, Any]]:
        if places.exists(self.name):
            yield from _parsed(places.read(self.name))
        pieces = self._pieces()
        for name in pieces:
            yield from _parsed(places.read(places.within(self.name + ".d", name)))

    def _failed(self, error: OSError) -> SinkError:
        return SinkError(f"{places.shown(self.name)}: cannot be written ({reason(error)})")


def _guard(path: Path) -> IO[bytes]:
    """A locked file beside the manifest."""
    guard = path.with_name(f".{path.name}.lock")
    try:
        guard.parent.mkdir(parents=True, exist_ok=True)
        file = open(guard, "ab")  # noqa: SIM115 - until `close`
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({reason(error)})") from None
    try:
        lock(file)
    except OSError:
        file.close()
        raise SinkError(f"{path.parent} is being filled by another process; wait for it") from None
    return file


def _parsed(data: bytes) -> Iterator[dict[str, Any]]:
    """The lines of a manifest; one that was torn by a power failure is left out."""
    for line in data.splitlines():
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value
