"""Converts a video file: replaces or removes the background, keeping timestamps and sound.

Frames go through the same `Processor` as everywhere and are encoded in parts beside the result; at
the end these are joined by stream copy, together with the source's audio packets. A run that was
stopped continues after its last complete part.
"""

import logging
import os
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Self

import av
from pydantic import BaseModel, ConfigDict, Field, model_validator

from realtime_bg.errors import SettingsError, SinkError, SourceError, reason
from realtime_bg.media.pictures import first_bytes, is_animated_webp
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import Settings, at_home
from realtime_bg.settings.live import Live
from realtime_bg.sources import classify
from realtime_bg.stats import Stats
from realtime_bg.steering.checks import check
from realtime_bg.system.file_names import names_folder
from realtime_bg.videos import joining
from realtime_bg.videos.clips import Clip, Span
from realtime_bg.videos.codings import (
    SUFFIXES,
    AlphaKind,
    codings,
    keeps_depth,
    says_aspect,
)
from realtime_bg.videos.encoding import Encoding, Progress
from realtime_bg.videos.parts import Parts, Stopped, parts_folder
from realtime_bg.videos.pixels import PixelMaker, Watch
from realtime_bg.videos.reporting import announce, report_losses, warn_of_short
from realtime_bg.videos.resuming import job
from realtime_bg.videos.sequences import not_of_a_sequence, write_gif, write_sequence
from realtime_bg.videos.sound import Plan, plan_sound

__all__ = ["VideoOptions", "convert", "outputs", "parts_folder"]

log = logging.getLogger(__name__)


class VideoOptions(BaseModel):
    """What to make of a video. ``alpha``: a format with transparency (None: over the background).
    ``start``, ``end``: seconds from its start. ``sound``: whether its sound is copied. ``sdr``:
    whether HDR and wide-gamut colours are converted to BT.709."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alpha: AlphaKind | None = None
    start: Annotated[float, Field(ge=0)] | None = None
    end: Annotated[float, Field(gt=0)] | None = None
    sound: bool = True
    sdr: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end is not None and self.end <= (self.start or 0):
            raise ValueError("the end must come after the start")
        return self


def named(output: str, source: Path, options: VideoOptions) -> Path:
    """Return the target that ``output`` means: in a folder, the result keeps the name of
    ``source``."""
    target = at_home(output)
    suffixes = SUFFIXES[options.alpha]
    if "" in suffixes or not names_folder(output):
        return target
    suffix = source.suffix if source.suffix.lower() in suffixes else suffixes[0]
    return target / f"{source.stem}{suffix}"


def outputs(target: Path, options: VideoOptions) -> dict[str, Path]:
    """Return the resulting files by track: ``target``, or foreground and matte beside it."""
    if options.alpha != "matte":
        return {"video": target}
    return {
        name: target.with_name(f"{target.stem}.{name}{target.suffix}")
        for name in ("foreground", "matte")
    }


def convert(
    settings: Settings,
    source: Path,
    target: Path,
    options: VideoOptions,
    progress: Progress,
    stop: threading.Event,
    watch: Watch | None = None,
) -> bool:
    """Convert the video ``source`` to ``target``; see `outputs` for the resulting files. Returns
    False if it was stopped.

    ``progress(done, total, fps)`` is called for every frame; the total is an estimate, or None.
    ``watch`` is called with every finished picture, see `Watch`. The complete result replaces
    ``target`` at the end. After ``stop`` there is no result: the finished parts stay in
    `parts_folder`, and the same call continues there.

    Raises RealtimeBgError.
    """
    settings = run_settings(settings, options)
    if target.name in ("", ".."):  # such a path has no name beside which the parts could be put
        target = Path(os.path.abspath(target))
    check_files(settings, source, target, options)
    suffix = target.suffix.lower()
    span = span_of(source, suffix, options)
    clip, stats = span.clip, Stats()
    with ExitStack() as stack:
        parts = Parts(target, tuple(outputs(target, options)))
        stack.callback(parts.close)
        sound = None
        if options.sound and suffix not in ("", ".gif"):
            sound = plan_sound(target, clip, parts.folder, SUFFIXES[options.alpha])
        announce(target, span, options.sdr, sound, parts.folder)
        processor = Processor(Live(settings), stats, wait=True)
        stack.enter_context(closing(processor))
        maker = PixelMaker(processor, clip, options.alpha, watch)
        tracks = codings(options.alpha, suffix, clip.grade is not None)
        encoding = Encoding(processor, maker, span, tracks, parts, target)
        if not encoding.encode(job(settings, source, options), progress, stop):
            return False
        report_losses(clip, encoding.notes)
        warn_of_short(span, parts)
        return finish(parts, outputs(target, options), options, span, sound, stop)


def span_of(source: Path, suffix: str, options: VideoOptions) -> Span:
    """The part of a clip that is converted, for a result with this suffix. Raises SourceError."""
    clip = Clip(
        source,
        sdr=options.sdr or not keeps_depth(options.alpha, suffix),
        square=not says_aspect(options.alpha, suffix),
    )
    return Span(clip, options.start, options.end)


def run_settings(settings: Settings, options: VideoOptions) -> Settings:
    """Return the settings of this run: quality "fine", the whole picture, and a black background
    for a cutout."""
    settings = settings.at_quality("fine").as_it_is()
    if options.alpha is None:
        return settings
    background = settings.background.model_copy(update={"current": "black"})
    # A cutout's colours are estimated at full size.
    refine = settings.refine.model_copy(update={"decontaminate": False})
    return settings.model_copy(update={"background": background, "refine": refine})


def check_files(settings: Settings, source: Path, target: Path, options: VideoOptions) -> None:
    """Check what can be checked before anything is opened. Raises RealtimeBgError."""
    suffixes = SUFFIXES[options.alpha]
    if target.suffix.lower() not in suffixes:
        how = f"with --alpha {options.alpha}" if options.alpha else "of a video"
        form = (
            "is a folder's, without suffix" if "" in suffixes else f"ends in {', '.join(suffixes)}"
        )
        raise SinkError(f"output {str(target)!r}: the name of the result {how} {form}")
    spec = settings.source.model_copy(update={"spec": str(source.absolute())})
    output = settings.output.model_copy(update={"sinks": ()})
    # there are no keys to select them
    background = settings.background.model_copy(update={"items": ()})
    parts = {"source": spec, "output": output, "background": background}
    check(settings.model_copy(update=parts))
    if is_animated_webp(first_bytes(source)):
        raise SourceError(
            f"{source}: animated WebP cannot be read as video; save it as GIF or APNG"
        )
    if classify(spec.spec)[0] == "image":
        raise SourceError(f"{source} is a still picture; use: realtime-bg image")
    taken = {
        os.path.realpath(os.path.expanduser(name)): name
        for name in (settings.background.current, *settings.background.items)
    }
    for path in outputs(target, options).values():
        real = os.path.realpath(path)
        if real == os.path.realpath(source):
            raise SettingsError(f"{path} is the source itself; give --output another name")
        if real in taken:
            raise SettingsError(f"{path} is one of the backgrounds; give --output another name")
        if path.is_dir() and options.alpha != "png-sequence":
            raise SinkError(f"{path}: cannot be written (it is a folder); give a file name in it")
        # the whole folder will be replaced
        if path.is_dir() and (other := not_of_a_sequence(path)):
            raise SinkError(
                f"{path}: contains {other}, which is not part of an image sequence; "
                "choose a new folder"
            )


def finish(
    parts: Parts,
    targets: dict[str, Path],
    options: VideoOptions,
    span: Span,
    sound: list[Plan] | None,
    stop: threading.Event,
) -> bool:
    """Join the parts under temporary names, then rename the results; return False if it was
    stopped. Raises SinkError."""
    made = {track: parts.folder / f"joined.{track}{path.suffix}" for track, path in targets.items()}
    for track, path in targets.items():
        try:
            if options.alpha == "png-sequence":
                write_sequence(made[track], parts.done, span, stop)
            elif path.suffix.lower() == ".gif":
                write_gif(made[track], parts.done, span, stop)
            else:
                beside = sound if track != "matte" else None
                joining.join_video(made[track], parts.done, track, span, beside, stop)
        except Stopped:
            return False
        except (OSError, av.FFmpegError, ValueError) as error:
            raise _failed(path, error) from None
    for track, path in targets.items():
        try:
            _replace(made[track], path)
        except OSError as error:
            raise _failed(path, error) from None
    parts.remove()
    return True


def _failed(path: Path, error: Exception) -> SinkError:
    return SinkError(f"{path}: cannot be written ({reason(error)})")


def _replace(made: Path, path: Path) -> None:
    if made.is_dir() and path.is_dir():  # a folder cannot replace another one
        old = made.with_name("old")
        path.rename(old)
    made.replace(path)
