"""Files by name, which is a path on this machine or a URL that fsspec opens (s3://, gs://, sftp://
...); results appear whole or not at all."""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from realtime_bg.errors import MissingPackageError, RealtimeBgError, SinkError, SourceError, reason
from realtime_bg.installing import add_extra, pip
from realtime_bg.system.files import whole, write_whole
from realtime_bg.system.urls import without_password

# Two letters at least: one is a drive of Windows. "::" joins filesystems, as in simplecache::s3://x
URL = re.compile(r"[A-Za-z][\w+.-]+(::[A-Za-z][\w+.-]*)*://")
# Stores in which an upload appears when it is complete, and renaming is another upload.
STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss"}
MAGIC = re.compile(r"[*?\[]")


class Found(NamedTuple):
    """A file: its name, and its path relative to the folder or pattern that was given."""

    name: str
    place: str


def is_url(name: str) -> bool:
    """Whether ``name`` is a URL rather than a path."""
    return URL.match(name) is not None


def shown(name: str) -> str:
    """``name`` for messages and records: without a password."""
    return without_password(name)


def within(folder: str, place: str) -> str:
    """The name of the file at ``place``, which is relative, in ``folder``."""
    return f"{folder.rstrip('/')}/{place}" if is_url(folder) else str(Path(folder) / place)


def _opened(url: str) -> tuple[Any, str]:
    """The filesystem of a URL and the path on it. Raises MissingPackageError and OSError."""
    try:
        import fsspec
    except ModuleNotFoundError:
        raise MissingPackageError(
            f"{shown(url)} needs the package 'fsspec'; run: {add_extra('cluster')}"
        ) from None
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except ImportError as error:  # it says which package the protocol needs
        package = re.search(r"[Ii]nstall (?:the )?([\w-]+)", str(error))
        how = f"; run: {pip(f'install {package[1]}')}" if package else ""
        raise MissingPackageError(f"{shown(url)}: {reason(error)}{how}") from None
    except ValueError as error:
        raise OSError(f"{reason(error)}; give a path, s3://, gs:// or sftp://") from None
    return filesystem, path


def _kinds(filesystem: Any) -> set[str]:
    named = filesystem.protocol
    return {named} if isinstance(named, str) else set(named)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except RealtimeBgError:
        raise
    except Exception as error:  # filesystems of other packages raise anything
        raise SourceError(f"{shown(name)}: cannot be read ({reason(error)})") from None


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except RealtimeBgError:
        raise
    except Exception as error:
        raise SinkError(f"{shown(name)}: cannot be written ({reason(error)})") from None


def version(name: str) -> str:
    """What changes when the file changes: size and time, or what its filesystem uses for that.
    Raises SourceError."""
    with _reading(name):
        if is_url(name):
            filesystem, path = _opened(name)
            return str(filesystem.ukey(path))
        status = os.stat(name)
        return f"{status.st_size}-{status.st_mtime_ns}"


def size(name: str) -> int:
    """The file's size in bytes. Raises SourceError."""
    with _reading(name):
        if is_url(name):
            filesystem, path = _opened(name)
            return int(filesystem.size(path) or 0)
        return os.stat(name).st_size


def exists(name: str) -> bool:
    """Whether there is such a file or folder. Raises SourceError if that cannot be told."""
    with _reading(name):
        if is_url(name):
            filesystem, path = _opened(name)
            return bool(filesystem.exists(path))
        return os.path.exists(name)


def names(folder: str) -> list[str]:
    """The names of the files in a folder, sorted; none if there is no such folder. Raises
    SourceError."""
    with _reading(folder):
        if not exists(folder):
            return []
        if is_url(folder):
            filesystem, path = _opened(folder)
            filesystem.invalidate_cache()
            listed = filesystem.ls(path, detail=False)
            return sorted(PurePosixPath(str(each)).name for each in listed)
        return sorted(os.listdir(folder))


def read(name: str) -> bytes:
    """The file's content. Raises SourceError."""
    with _reading(name):
        if is_url(name):
            filesystem, path = _opened(name)
            return bytes(filesystem.cat_file(path))
        return Path(name).read_bytes()


def fetch(name: str, path: Path) -> None:
    """Copy the file to ``path`` on this machine, piece by piece. Raises SourceError."""
    with _reading(name):
        if is_url(name):
            filesystem, there = _opened(name)
            filesystem.get_file(there, str(path))
        else:
            shutil.copyfile(name, path)


def write(name: str, data: bytes) -> None:
    """Write a file whole. Raises SinkError."""
    if not is_url(name):
        write_whole(Path(name), data)
        return
    with _writing(name), _uploading(name) as (filesystem, path):
        filesystem.pipe_file(path, data)


def deliver(path: Path, name: str) -> None:
    """Copy the file at ``path`` to ``name``, piece by piece and whole. Raises SinkError."""
    with _writing(name):
        if not is_url(name):
            with whole(Path(name)) as partial:
                shutil.copyfile(path, partial)
            return
        with _uploading(name) as (filesystem, there):
            filesystem.put_file(str(path), there)


def remove(name: str) -> None:
    """Delete a file, or a folder with all that is in it, if it is there. Raises SinkError."""
    with _writing(name):
        if is_url(name):
            filesystem, path = _opened(name)
            with suppress(FileNotFoundError):
                filesystem.rm(path, recursive=True)
        elif os.path.isdir(name):
            shutil.rmtree(name)
        else:
            Path(name).unlink(missing_ok=True)


@contextmanager
def _uploading(url: str) -> Iterator[tuple[Any, str]]:
    """Yield a filesystem and the path to upload to; afterwards the file has the path of ``url``."""
    filesystem, path = _opened(url)
    if _kinds(filesystem) & STORES:
        yield filesystem, path
        return
    folder, _, name = path.rpartition("/")
    if folder:
        filesystem.makedirs(folder, exist_ok=True)
    partial = f"{folder}/.{name}.{uuid.uuid4().hex[:12]}.part"
    try:
        yield filesystem, partial
        filesystem.mv(partial, path)
    except BaseException:
        with suppress(Exception):
            filesystem.rm_file(partial)
        raise


def found(name: str, suffixes: tuple[str, ...]) -> list[Found]:
    """The files that a URL means: itself, all in a folder, or what a pattern matches; of the last
    two those with one of ``suffixes`` that are not hidden. Raises SourceError."""
    with _reading(name):
        filesystem, path = _opened(name)
        if MAGIC.search(path):
            root = path[: MAGIC.search(path).start()].rpartition("/")[0]  # type: ignore[union-attr]
            paths = filesystem.glob(path)
        elif filesystem.isdir(path):
            root, paths = path.rstrip("/"), filesystem.find(path)
        else:
            filesystem.info(path)  # raises FileNotFoundError
            return [Found(name, PurePosixPath(path).name)]
        places = {str(each): str(each)[len(root) :].lstrip("/") for each in sorted(paths)}
    # What stands before the path, such as s3:// or sftp://me@host
    before = name[: name.rindex(path.rstrip("/"))] if path.rstrip("/") in name else ""
    chosen = [
        Found(before + each if before else filesystem.unstrip_protocol(each), place)
        for each, place in places.items()
        if place.lower().endswith(suffixes) and not _is_hidden(place)
    ]
    if not chosen:
        raise SourceError(f"{shown(name)}: no such files in it ({', '.join(suffixes)})")
    return chosen


def _is_hidden(place: str) -> bool:
    return any(part.startswith(".") for part in place.split("/"))
