"""What the user is told about a conversion: what will differ from the source, and what was lost."""

import logging
from pathlib import Path

from realtime_bg.media.reading import Notes
from realtime_bg.videos.clips import Clip, Span
from realtime_bg.videos.joining import what_is_left_out
from realtime_bg.videos.parts import Parts
from realtime_bg.videos.sound import Plan

log = logging.getLogger(__name__)

SHORT = 1.0  # seconds that may be missing at the end without a warning
GAP = 0.5  # seconds between damaged pictures that are reported as one place
PLACES = 10  # damaged places that are listed
NAMES = {"libopus": "Opus", "libvorbis": "Vorbis", "flac": "FLAC", "aac": "AAC"}


def announce(
    target: Path,
    span: Span,
    sdr: bool,
    sound: list[Plan] | None,
    folder: Path,
) -> None:
    """Warn, before the work is done, of everything in the source that the result will not keep as
    it is. ``sdr``: whether the user asked for BT.709. ``folder``: a writable folder."""
    clip, suffix = span.clip, target.suffix.lower()
    for plan in sound or ():
        if plan.encoder is not None:
            log.warning(
                "%s: %s cannot store %s sound; it is converted to %s",
                target,
                suffix,
                plan.codec,
                NAMES[plan.encoder],
            )
    if clip.notes.interlaced:
        log.warning("%s: interlaced; the result is progressive", clip.path)
    if clip.was_converted and not sdr:
        log.warning(
            "%s: HDR or wide gamut; this kind of result has the colours of BT.709", clip.path
        )
    if suffix not in ("", ".gif") and (gone := what_is_left_out(suffix, span, folder)):
        log.warning("%s: left out of the result: %s", clip.path, ", ".join(gone))


def report_losses(clip: Clip, notes: Notes) -> None:
    """Say where pictures could not be decoded."""
    places: list[list[float]] = []
    for at in sorted(notes.lost):
        if places and at - places[-1][1] <= GAP:
            places[-1][1] = at
        else:
            places.append([at, at])
    if places:
        start = float(clip.origin * clip.time_base)
        named = [_named(first - start, last - start) for first, last in places[:PLACES]]
        more = f" and {len(places) - PLACES} more places" if len(places) > PLACES else ""
        log.warning(
            "%s: damaged; pictures cannot be decoded at %s%s, so those before them stay",
            clip.path,
            ", ".join(named),
            more,
        )


def _named(first: float, last: float) -> str:
    return f"{first:.1f} s" if last - first < 0.1 else f"{first:.1f} to {last:.1f} s"


def warn_of_short(span: Span, parts: Parts) -> None:
    """Warn if a file is shorter than its header says, because it is truncated or damaged."""
    clip = span.clip
    promised = clip.length if span.end is None else min(clip.length, clip.seconds(span.end))
    found = clip.seconds(parts.done[-1].end)
    if found < promised - SHORT:
        log.warning(
            "%s: the video ends at %.1f s, but its header says %.1f s; is the file complete?",
            clip.path,
            found,
            promised,
        )
