"""Keeps finished parts of a conversion beside the result, so that it can be resumed."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import av
import psutil

from realtime_bg.errors import SinkError, reason
from realtime_bg.system.files import whole
from realtime_bg.videos.codings import INDEX_CLOCK

JOB, OWNER = "job.json", "owner"
CLOCK_SECONDS = 2.0  # tolerance between the clocks of processes and of files


class Part(NamedTuple):
    """A finished part. ``files``: by track. ``pts``: the ticks of its frames. ``end``: the tick at
    which the last frame ends."""

    files: dict[str, Path]
    pts: list[int]
    end: int


def parts_folder(target: Path) -> Path:
    """Return the folder of the parts of ``target`` until it is finished."""
    return target.with_name(f".{target.name}.parts")


class Parts:
    """A folder of parts with one owner at a time. A part is valid once its list of times exists."""

    def __init__(self, target: Path, tracks: tuple[str, ...]) -> None:
        """Raises SinkError if the folder is not writable or another process uses it."""
        # Absolute: FFmpeg takes text before a colon in a bare name for a protocol.
        self._tracks, self.folder = tracks, parts_folder(target).absolute()
        self._target = target
        self.done: list[Part] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            owner = self._owner()
            if owner is None:
                (self.folder / OWNER).write_text(str(os.getpid()))
        except OSError as error:
            raise SinkError(
                f"{target}: cannot be written ({reason(error)}); choose another place"
            ) from None
        if owner is not None:
            raise SinkError(f"{target} is being written by process {owner}; wait for it")

    def _owner(self) -> int | None:
        with suppress(OSError, ValueError, psutil.Error):
            path = self.folder / OWNER
            owner = int(path.read_text())
            # After a reboot another process may have the number.
            began = psutil.Process(owner).create_time()
            if owner != os.getpid() and began < path.stat().st_mtime + CLOCK_SECONDS:
                return owner
        return None

    def resume(self, job: dict[str, Any]) -> bool:
        """Take over the parts of an earlier run with the same ``job``, or delete those of another
        job. Returns whether parts of another job were deleted."""
        written = json.loads(json.dumps(job))
        before = _read(self.folder / JOB)
        if before == written:
            while (part := self._part(len(self.done))) is not None:
                self.done.append(part)
        else:
            self._clear()
        self._write(self.folder / JOB, written)
        return before not in (None, written)

    def _clear(self) -> None:
        """Delete the parts of another job. Raises SinkError."""
        try:
            # first: without it the other files belong to no job
            (self.folder / JOB).unlink(missing_ok=True)
            for path in self.folder.iterdir():
                if path.name != OWNER and not path.is_dir():
                    path.unlink()
        except OSError as error:
            raise self._failed(f"its parts cannot be deleted: {reason(error)}") from None

    def _part(self, number: int) -> Part | None:
        files = self.files(number)
        listed = _read(self._list(number))
        try:
            if listed is None or _sizes(files) != listed.get("bytes"):
                return None
        except OSError:
            return None
        return Part(files, listed["pts"], listed["end"])

    def files(self, number: int) -> dict[str, Path]:
        """Return the files for the tracks of a part."""
        return {track: self.folder / f"{number:06d}.{track}" for track in self._tracks}

    def _list(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def seal(self, pts: list[int], end: int) -> None:
        """Record that the files of the next part are complete. Raises SinkError."""
        number = len(self.done)
        files = self.files(number)
        try:
            for path in files.values():
                # flushed before the list is written, in case of a power failure
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            sizes = _sizes(files)
        except OSError as error:
            raise self._failed(reason(error)) from None
        self._write(self._list(number), {"pts": pts, "end": end, "bytes": sizes})
        self.done.append(Part(files, pts, end))

    def _write(self, path: Path, values: Any) -> None:
        try:
            with whole(path) as partial:
                partial.write_text(json.dumps(values))
        except OSError as error:
            raise self._failed(reason(error)) from None

    def _failed(self, why: str) -> SinkError:
        return SinkError(f"{self._target}: cannot be written ({why})")

    def remove(self) -> None:
        """Delete the parts."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Release ownership; delete the folder if it contains no parts of any run."""
        with suppress(OSError):
            (self.folder / OWNER).unlink()
        if not self.done and self._part(0) is None:
            self.remove()


def _sizes(files: dict[str, Path]) -> dict[str, int]:
    return {track: path.stat().st_size for track, path in files.items()}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


class Stopped(Exception):  # noqa: N818 - not an error, as StopIteration is none
    """The user asked to stop; the unfinished result is removed."""


def packets(parts: list[Part], track: str) -> Iterator[tuple[Any, int, int]]:
    """Yield a track's packets with the ticks at which their frames begin and end."""
    for number, part in enumerate(parts):
        after = parts[number + 1].pts[0] if number + 1 < len(parts) else part.end
        ends = [*part.pts[1:], after]
        with av.open(str(part.files[track])) as container:
            for packet in container.demux(video=0):
                if packet.pts is not None:
                    place = round(packet.pts * packet.time_base / INDEX_CLOCK)
                    yield packet, part.pts[place], ends[place]
