"""Rows of text in columns, for terminals and for `column`, `awk` and the eye alike."""

from collections.abc import Mapping, Sequence


def columns(rows: Sequence[Mapping[str, str | None]]) -> list[str]:
    """One line for the names of the columns, in capitals, and one for each row; all rows have the
    same keys. The last column may be of any length."""
    if not rows:
        return []
    table = [
        [name.upper() for name in rows[0]],
        *([text or "" for text in row.values()] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
