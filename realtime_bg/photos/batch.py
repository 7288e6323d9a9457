"""Processes batches of photos: selects the files, names the results, and collects failures."""

import glob
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from realtime_bg.errors import (
    BackgroundError,
    DataError,
    EngineError,
    ModelError,
    RealtimeBgError,
    SinkError,
    SourceError,
    reason,
)
from realtime_bg.media.photos import (
    FORMATS,
    NOBODY,
    Format,
    Photo,
    encode,
    encode_rgba,
    is_animated,
    person_colours,
    read_photo,
)
from realtime_bg.media.suffixes import PHOTOS
from realtime_bg.photos.erasing import Eraser
from realtime_bg.photos.photo_matting import Cutout, PhotoMatting
from realtime_bg.settings import Settings, at_home
from realtime_bg.steering.checks import check
from realtime_bg.system.console import say
from realtime_bg.system.file_names import names_folder
from realtime_bg.system.files import write_whole

PIPE = "-"


class PhotoOptions(BaseModel):
    """What to make of a photo. ``background``: the new background (None: transparent). ``only``:
    output just the alpha or the foreground. ``erase``: COCO classes to remove from the photo, which
    is otherwise unchanged. ``format``: None to take it from the output's name or the source.
    ``depth``: bits of the alpha in a PNG. ``quality``: of JPEG and WebP. ``trim``: crop to the
    person. ``exif``: keep the camera's EXIF data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    background: str | None = None
    only: Literal["alpha", "foreground"] | None = None
    erase: tuple[str, ...] = ()
    format: Format | None = None
    depth: Literal[8, 16] = 8
    quality: Annotated[int, Field(ge=1, le=100)] = 95
    trim: bool = False
    exif: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.only and self.background is not None:
            raise ValueError(f"--{self.only}-only has no background; leave --background out")
        if self.erase and (self.only or self.trim or self.background is not None):
            raise ValueError(
                "--erase keeps the photo; it excludes --background, --trim and ...-only"
            )
        if self.depth == 16 and (self.only == "foreground" or self.is_whole):
            raise ValueError("--depth 16 is for an alpha, and this result has none")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether the result is a photo without transparency."""
        return bool(self.erase) or self.background is not None

    @property
    def name(self) -> str:
        """The part of the result's name that follows the photo's name."""
        if self.erase:
            return "erased"
        return self.only or ("cutout" if self.background is None else "background")


class Job(NamedTuple):
    """A photo and the target of its result; None: standard input, standard output."""

    source: Path | None
    target: Path | None
    format: Format


class Found(NamedTuple):
    """A photo, and its path relative to the given folder or pattern."""

    path: Path
    place: Path


def jobs(
    inputs: list[str], output: str | None, folder: Path | None, options: PhotoOptions
) -> list[Job]:
    """Return the jobs. An ``output`` that is a folder means the same as ``folder``. Raises
    SourceError or SinkError for every problem that can be found in advance."""
    if output is not None and folder is None and names_folder(output):
        folder, output = at_home(output), None
    if output is not None and folder is not None:
        raise SinkError("--output names one file, --directory a folder; give one of them")
    if PIPE in inputs:
        return [_piped(inputs, output, folder, options)]
    found = [photo for name in inputs for photo in find(name, folder)]
    if output is not None or folder is None:
        if len(found) != 1 or Path(inputs[0]).is_dir():
            count = f"{len(found)} photos" if len(found) != 1 else "a folder"
            raise SinkError(f"{count} need a folder for the results; give --directory")
        return [_single(found[0].path, output, options)]
    return _mirrored(found, folder, options)


def _piped(
    inputs: list[str], output: str | None, folder: Path | None, options: PhotoOptions
) -> Job:
    if len(inputs) > 1 or folder is not None:
        raise SinkError(
            "- reads one photo from standard input; give no other photos, and --output "
            "instead of --directory"
        )
    if output in (None, PIPE):
        return Job(None, None, _format(None, None, options))
    target = at_home(output)
    return Job(None, target, _format(target, None, options))


def _single(source: Path, output: str | None, options: PhotoOptions) -> Job:
    if output == PIPE:
        return Job(source, None, _format(None, source, options))
    if output is None:
        format = _format(None, source, options)
        target = source.with_name(f"{source.stem}.{options.name}.{format}")
    else:
        target = at_home(output)
        format = _format(target, source, options)
    return _checked(Job(source, target, format))


def _mirrored(found: list[Found], folder: Path, options: PhotoOptions) -> list[Job]:
    """Mirror the photos' folder structure."""
    named = mirrored([photo.place for photo in found], options)
    return [
        _checked(Job(photo.path, folder / place, format))
        for photo, (place, format) in zip(found, named, strict=True)
    ]


def mirrored(given: list[Path], options: PhotoOptions) -> list[tuple[Path, Format]]:
    """The places and formats of results for photos at these places, both relative; where two
    results would collide, names keep their suffix. Raises SinkError."""
    formats = [_format(None, place, options) for place in given]
    plain = [place.with_suffix(f".{fmt}") for place, fmt in zip(given, formats, strict=True)]
    often = Counter(plain)
    result = [
        (place if often[place] == 1 else before.with_name(f"{before.name}.{format}"), format)
        for place, before, format in zip(plain, given, formats, strict=True)
    ]
    twice = [place for place, n in Counter(place for place, _ in result).items() if n > 1]
    if twice:
        raise SinkError(f"two photos would become {twice[0]}; convert them in two calls")
    return result


def _checked(job: Job) -> Job:
    if job.source is not None and job.target is not None:
        if job.target.exists() and job.target.samefile(job.source):
            raise SinkError(f"{job.target} is the photo itself; give another name or folder")
        if job.target.is_dir():
            raise SinkError(f"{job.target} is a folder; give --directory instead of --output")
    return job


def _format(target: Path | None, source: Path | None, options: PhotoOptions) -> Format:
    """Return the result's format. Raises SinkError if that format cannot store the result."""
    format: Format | None = options.format
    if target is not None:
        named = FORMATS.get(target.suffix.lower())
        if named is None or format not in (None, named):
            raise SinkError(
                f"{target}: a result{f' in {format}' if format else ''} is called .png, .webp, "
                ".jpg or .tiff"
            )
        format = named
    if format is None:
        same = FORMATS.get(source.suffix.lower()) if source is not None else None
        format = (same or "jpg") if options.is_whole and source is not None else "png"
    if format == "jpg" and not options.is_whole and options.only is None:
        raise SinkError("JPEG has no transparency; choose PNG or WebP, or give --background")
    if options.depth == 16 and format != "png":
        raise SinkError(f"--depth 16 is for PNG, not for {format}")
    return format


def find(name: str, out: Path | None) -> Iterator[Found]:
    """Yield the photos that a name, folder or pattern matches. Raises SourceError."""
    path = at_home(name)
    if path.is_dir():
        photos = [
            Found(file, file.relative_to(path))
            for file in sorted(path.rglob("*"))
            if _is_photo(file, path, out)
        ]
        if not photos:
            raise SourceError(f"{name}: no photos in this folder ({', '.join(PHOTOS)})")
        yield from photos
    elif path.is_file():
        yield Found(path, Path(path.name))
    elif glob.has_magic(name):
        fixed = Path(*_before_magic(path))
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
        photos = [
            Found(file, file.relative_to(fixed)) for file in matches if _is_photo(file, fixed, out)
        ]
        if not photos:
            raise SourceError(f"{name}: matches no photo ({', '.join(PHOTOS)})")
        yield from photos
    else:
        raise SourceError(f"{name}: no such file; give photos, folders, patterns or -")


def _before_magic(path: Path) -> Iterator[str]:
    for part in path.parts:
        if glob.has_magic(part):
            return
        yield part


def _is_photo(file: Path, root: Path, out: Path | None) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    # Results in a folder inside the photos' folder are not photos to process.
    inside = out is not None and root.resolve() in out.resolve().parents
    ours = inside and out.resolve() in file.resolve().parents  # type: ignore[union-attr]
    return file.suffix.lower() in PHOTOS and not hidden and not ours and file.is_file()


class Outcome(NamedTuple):
    """How a batch ended. ``failed``: one line for each photo that failed."""

    done: int
    skipped: int
    failed: list[str]


def run(
    settings: Settings,
    work: Iterable[Job],
    options: PhotoOptions,
    overwrite: bool,
    stop: threading.Event,
    advance: Callable[[Job], None] = lambda job: None,
) -> Outcome:
    """Do the jobs one after the other; existing results are kept unless ``overwrite``.

    A photo that fails is recorded and skipped. Raises RealtimeBgError for problems that affect all
    of them: no weights, no background, an engine or an output that has never worked.
    """
    check(settings)
    done, skipped, failed = 0, 0, []
    with closing(Studio(settings, options)) as studio:
        for job in work:
            if stop.is_set():
                break
            if job.target is not None and job.target.exists() and not overwrite:
                skipped += 1
            else:
                try:
                    _do(job, studio)
                    done += 1
                except (ModelError, BackgroundError):
                    raise
                except (RealtimeBgError, cv2.error, MemoryError) as error:
                    if isinstance(error, EngineError | SinkError) and not done:
                        raise
                    name = str(job.source or "standard input")
                    text = str(error) or type(error).__name__
                    failed.append(text if text.startswith(name) else f"{name}: {text}")
            advance(job)
    return Outcome(done, skipped, failed)


def _do(job: Job, studio: "Studio") -> None:
    name = str(job.source or "standard input")
    data = sys.stdin.buffer.read() if job.source is None else _bytes(job.source)
    result = developed(data, job.format, name, studio)
    if job.target is not None:
        write_whole(job.target, result)
        return
    sys.stdout.buffer.write(result)
    sys.stdout.buffer.flush()


def developed(data: bytes, format: Format, name: str, studio: "Studio") -> bytes:
    """The result for the photo file ``data``; ``name`` identifies it in messages. Raises
    RealtimeBgError."""
    if is_animated(data):
        say(f"{name}: animated; only its first picture is used (all: realtime-bg video)", "yellow")
    return studio.develop(read_photo(data, name=name), format, name)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({reason(error)})") from None


class Studio:
    """Turns photos into encoded results, according to `PhotoOptions`."""

    def __init__(self, settings: Settings, options: PhotoOptions) -> None:
        """Raises EngineError for an unknown class to erase."""
        self.options = options
        self._eraser = Eraser(settings, options.erase) if options.erase else None
        self._matting = PhotoMatting(settings)

    def develop(self, still: Photo, format: Format, name: str) -> bytes:
        """Return the result as an encoded file; ``name`` identifies the photo in messages. Raises
        RealtimeBgError."""
        options = self.options
        if options.background is not None:
            still = self._matting.coloured_as(still, options.background)
        kept: dict[str, Any] = {"icc": still.icc, "exif": still.exif if options.exif else None}
        if self._eraser is not None:
            image = self._eraser.erase(still.image)
            if image is still.image:
                say(f"{name}: contains no {' and no '.join(options.erase)}", "yellow")
            if still.alpha is not None and format != "jpg":
                image = np.dstack([image, np.rint(still.alpha * 255).astype(np.uint8)])
            return encode(image, format, quality=options.quality, **kept)
        cutout = still.limit(self._matting.matte(still.image))
        if cutout.alpha.max() < NOBODY:
            if options.trim:
                raise DataError(f"{name}: no person was found, so there is nothing to trim to")
            say(f"{name}: no person was found", "yellow")
        box = _box(cutout) if options.trim else (slice(None), slice(None))
        part = Cutout(cutout.image[box], cutout.alpha[box], cutout.foreground[box])
        if options.background is not None:
            image = np.ascontiguousarray(self._matting.over(cutout, options.background)[box])
            return encode(image, format, quality=options.quality, **kept)
        if options.only == "alpha":
            top, kind = (65535, np.uint16) if options.depth == 16 else (255, np.uint8)
            grey = np.rint(part.alpha * top).astype(kind)
            return encode(grey, format, quality=options.quality, exif=kept["exif"])
        if options.only == "foreground":
            return encode(person_colours(part), format, quality=options.quality, **kept)
        return encode_rgba(part, format, depth=options.depth, quality=options.quality, **kept)

    def close(self) -> None:
        """Release engines and backgrounds. Idempotent."""
        self._matting.close()
        if self._eraser is not None:
            self._eraser.close()


def _box(cutout: Cutout) -> tuple[slice, slice]:
    """Return the rows and columns of the person's bounding box."""
    seen = cutout.alpha >= NOBODY
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
