"""What a result keeps of its source besides pictures and sound: titles, languages, chapters."""

from typing import Any

from realtime_bg.videos.clips import Span

# Of the whole file. What says where, by whom, or with which device it was taken stays out.
KEPT = (
    "title",
    "artist",
    "album",
    "comment",
    "copyright",
    "creation_time",
    "date",
    "description",
    "genre",
    "synopsis",
)
PLACE = ("location", "gps", "geotag", "xyz")  # in the names of tags


def keep_tags(source: Any, out: Any, span: Span) -> None:
    """Copy titles, dates and chapters, those on the result's clock, to ``out``."""
    for name, value in source.metadata.items():
        if name.lower() in KEPT:
            out.metadata[name.lower()] = value
    start = span.start * span.clip.time_base
    end = None if span.end is None else span.end * span.clip.time_base
    kept = []
    for chapter in source.chapters():
        base = chapter["time_base"]
        first = max(chapter["start"] * base, start)
        last = chapter["end"] * base if end is None else min(chapter["end"] * base, end)
        if last > first:
            shifted = {"start": round((first - start) / base), "end": round((last - start) / base)}
            kept.append(chapter | shifted)
    if kept:
        out.set_chapters(kept)


def keep_track_tags(source: Any, target: Any, suffix: str) -> None:
    """Copy the language, the title and the flags (default, forced, commentary) of a track to one in
    a container with this suffix."""
    if language := source.metadata.get("language"):
        target.metadata["language"] = language
    name = source.metadata.get("handler_name", "")
    # In MP4 a track's title is stored as its handler's name, which writers otherwise set to a
    # default such as "SoundHandler".
    if title := source.metadata.get("title") or (name if not name.endswith("Handler") else ""):
        target.metadata["handler_name" if suffix in (".mp4", ".mov") else "title"] = title
    target.disposition = source.disposition


def timecode(source: Any, span: Span) -> str | None:
    """The timecode of the first frame (SMPTE 12M); None if there is none or the start is cut."""
    if span.cut:
        return None
    for holder in (source, *source.streams):
        for name, value in holder.metadata.items():
            if name.lower() == "timecode":  # Matroska writes it in capitals
                return str(value)
    return None


def left_out(source: Any, cut: bool) -> list[str]:
    """What of a source the result does not keep, in words for the user."""
    names = {name.lower() for holder in (source, *source.streams) for name in holder.metadata}
    gone = ["the place"] if any(part in name for name in names for part in PLACE) else []
    if cut and "timecode" in names:
        gone.append("the timecode")
    return gone
