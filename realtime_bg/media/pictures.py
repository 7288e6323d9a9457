"""Recognising and reading plain pictures with OpenCV, always from bytes.

OpenCV is never given a path: it cannot open every path on Windows, and a name that is not UTF-8
makes any of its functions crash the process. `photos.py` reads photos, whose colour profile and
EXIF data matter.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

HEAD = 4096  # bytes of a file that `is_picture` looks at
PNG = b"\x89PNG\r\n\x1a\n"
# The first bytes of the formats that OpenCV decodes, except GIF, which is a clip: JPEG, PNG, BMP,
# TIFF and BigTIFF, JPEG 2000, OpenEXR, Radiance, Sun raster, Netpbm.
SIGNATURES = (
    b"\xff\xd8\xff",
    PNG,
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"\0\0\0\x0cjP  \r\n",
    b"\xff\x4f\xff\x51",
    b"\x76\x2f\x31\x01",
    b"#?R",
    b"\x59\xa6\x6a\x95",
    *(b"P" + kind for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"F", b"f")),
)


def is_picture(head: bytes) -> bool:
    """Whether a file with these first bytes (`HEAD`, or all) is a picture that does not move."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return not is_animated_webp(head)
    if head[4:8] == b"ftyp":
        return b"avif" in head[:32] and b"avis" not in head[:32]
    return head.startswith(SIGNATURES) and not is_animated_png(head)


def is_animated_webp(head: bytes) -> bool:
    """Whether the first bytes of a file (at least 21) are those of an animated WebP."""
    moves = any(flag & 2 for flag in head[20:21])
    return moves and head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"


def is_animated_png(head: bytes) -> bool:
    """Whether the first bytes of a file are those of an animated PNG: its chunk acTL comes before
    the pixels (PNG specification, third edition, 11.3.6.1)."""
    if not head.startswith(PNG):
        return False
    at = len(PNG)
    while len(kind := head[at + 4 : at + 8]) == 4 and kind != b"IDAT":
        if kind == b"acTL":
            return True
        at += 12 + int.from_bytes(head[at : at + 4], "big")
    return False


def first_bytes(path: Path) -> bytes:
    """The bytes that say what a file is; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def read_picture(path: Path, how: int = cv2.IMREAD_COLOR) -> Any:
    """Read the picture in a file, upright, in the form that OpenCV's flag ``how`` selects (by
    default BGR ``uint8 (H, W, 3)``); None if the file is not a picture. Raises OSError, and
    cv2.error for more than 2**30 pixels."""
    data = np.fromfile(path, np.uint8)
    return cv2.imdecode(data, how) if data.size else None
