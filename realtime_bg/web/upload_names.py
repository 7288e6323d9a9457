"""File names that clients send: cleaned for display and for downloads, never used as paths."""

import re
import unicodedata
from os.path import splitext

LONGEST = 100  # characters of a name
LONGEST_SUFFIX = 10  # characters including the dot; more are part of the stem
HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control and format characters, lone surrogates, new lines


def cleaned(name: str | None, instead: str) -> str:
    """The last part of ``name`` without leading dots and invisible characters, at most `LONGEST`
    characters; ``instead`` if nothing is left."""
    last = re.split(r"[/\\]", name or "")[-1]
    shown = "".join(sign for sign in last if unicodedata.category(sign) not in HIDDEN)
    shown = shown.lstrip(". ").rstrip()
    stem, suffix = splitext(shown)
    if len(suffix) > LONGEST_SUFFIX:
        stem, suffix = shown, ""
    return stem[: LONGEST - len(suffix)] + suffix or instead


def result_name(source: str, transparent: bool, suffix: str) -> str:
    """The name of the result for a `cleaned` name: ``holiday.mov`` becomes
    ``holiday-cut-out.webm`` or ``holiday-background.mp4``. ``suffix``: without its dot."""
    end = f"-{'cut-out' if transparent else 'background'}.{suffix}"
    return splitext(source)[0][: LONGEST - len(end)] + end
