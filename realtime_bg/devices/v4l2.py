"""Queries the pixel formats, sizes and frame rates that a Linux camera's driver offers.

It uses ioctl, because few machines have v4l2-ctl; linux/videodev2.h defines the structures.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from realtime_bg.frames import Size

# Request codes, which include the size of their structure: _IOWR('V', number, struct).
ENUM_FMT, ENUM_SIZES, ENUM_INTERVALS = 0xC0405602, 0xC02C564A, 0xC034564B
FORMAT = struct.Struct("=3I32s4s4I")  # index, type, flags, description, fourcc, rest
SIZES = struct.Struct("=I4sI6I2I")  # index, fourcc, kind, sizes, rest
INTERVALS = struct.Struct("=I4s2II6I2I")  # index, fourcc, size, kind, seconds as fractions, rest
CAPTURE, DISCRETE = 1, 1
MANY = 256  # limit for every list, in case a driver never ends it


@dataclass(frozen=True, slots=True)
class Format:
    """A pixel format. ``code``: the FourCC, such as "MJPG". ``sizes``: (width, height) in pixels ->
    the highest frame rate, 0 if the driver does not report it."""

    code: str
    sizes: dict[Size, float] = field(default_factory=dict)


def formats(path: str) -> list[Format]:
    """Return the camera's formats, in the driver's order. Raises OSError if it cannot be opened."""
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return [
            Format(_name(code), dict(_sizes(handle, code)))
            for _, _, _, _, code, *_ in _each(handle, ENUM_FMT, FORMAT, CAPTURE)
        ]
    finally:
        os.close(handle)


def _name(code: bytes) -> str:
    """Return the FourCC as text; its highest bit marks big-endian pixels."""
    letters = bytes((*code[:3], code[3] & 0x7F)).rstrip(b"\0 ").decode("ascii", "replace")
    return letters + ("-BE" if code[3] & 0x80 else "")


def _sizes(handle: int, code: bytes) -> Iterator[tuple[Size, float]]:
    for _, _, kind, *sides in _each(handle, ENUM_SIZES, SIZES, code):
        # Discrete: width, height. Otherwise minimum, maximum and step of the width, then the
        # height.

        size = (sides[0], sides[1]) if kind == DISCRETE else (sides[1], sides[4])
        yield size, _rate(handle, code, size)
        if kind != DISCRETE:
            return  # a range is the only entry


def _rate(handle: int, code: bytes, size: Size) -> float:
    """Return the highest frame rate; the first fraction of each entry is the (shortest)
    interval."""
    answers = _each(handle, ENUM_INTERVALS, INTERVALS, code, *size)
    rates = [lower / upper for _, _, _, _, _, upper, lower, *_ in answers if upper]
    return round(max(rates, default=0.0), 2)


def _each(
    handle: int, request: int, layout: struct.Struct, *chosen: int | bytes
) -> Iterator[tuple[Any, ...]]:
    """Yield the driver's entries for index 0, 1, 2 ... until there are no more."""
    import fcntl  # not there on Windows

    zeros = layout.unpack(bytes(layout.size))[1 + len(chosen) :]
    for index in range(MANY):
        try:
            answer = fcntl.ioctl(handle, request, layout.pack(index, *chosen, *zeros))
        except OSError:
            return
        yield layout.unpack(answer)
