"""Building and reading SPA pods, the binary form of PipeWire's formats and parameters.

A pod is the size of its body in bytes and its type, 32 bits each, then the body, padded to a
multiple of 8 bytes (spa/pod/pod.h). The numbers are those of spa/utils/type.h, spa/param/format.h,
spa/param/buffers.h and spa/param/video/raw.h, which have not changed since PipeWire 0.3.
"""

import struct
from collections.abc import Mapping
from enum import IntEnum

from realtime_bg.frames import Size

WORD, PAIR = struct.Struct("<I"), struct.Struct("<II")
CHOICE = struct.Struct("<IIII")  # kind, flags, size and type of its values


class Type(IntEnum):
    """Types of pods."""

    ID, INT = 3, 4
    RECTANGLE, FRACTION = 10, 11
    OBJECT, CHOICE = 15, 19


class Object(IntEnum):
    """Types of objects."""

    FORMAT, BUFFERS, META = 0x40003, 0x40004, 0x40005


class Param(IntEnum):
    """What a parameter is for."""

    ENUM_FORMAT, FORMAT, BUFFERS, META = 3, 4, 5, 6


class Choice(IntEnum):
    """How the values of a choice are meant."""

    RANGE, ENUM, FLAGS = 1, 3, 4


class Key(IntEnum):
    """Properties of a format."""

    MEDIA_TYPE, MEDIA_SUBTYPE = 1, 2
    VIDEO_FORMAT, VIDEO_SIZE, VIDEO_FRAMERATE = 0x20001, 0x20003, 0x20004


VIDEO, RAW = 2, 1  # media type and subtype
I420 = 2  # pixel format: planes of Y, U and V, the last two at half the size


def pod(kind: Type, body: bytes) -> bytes:
    return PAIR.pack(len(body), kind) + body + bytes(-len(body) % 8)


def integer(value: int) -> bytes:
    return pod(Type.INT, struct.pack("<i", value))


def identifier(value: int) -> bytes:
    return pod(Type.ID, WORD.pack(value))


def rectangle(size: Size) -> bytes:
    return pod(Type.RECTANGLE, PAIR.pack(*size))


def fraction(numerator: int, denominator: int) -> bytes:
    return pod(Type.FRACTION, PAIR.pack(numerator, denominator))


def choice(how: Choice, default: int, *values: int) -> bytes:
    """A choice of integers; for a range, ``values`` are its lowest and its highest one."""
    numbers = struct.pack(f"<{1 + len(values)}i", default, *values)
    return pod(Type.CHOICE, CHOICE.pack(how, 0, 4, Type.INT) + numbers)


def record(kind: Object, param: Param, properties: Mapping[int, bytes]) -> bytes:
    """An object with these properties, each a pod."""
    body = b"".join(PAIR.pack(key, 0) + value for key, value in properties.items())
    return pod(Type.OBJECT, PAIR.pack(kind, param) + body)


def video_format(size: Size, fps: int, pixels: int = I420) -> bytes:
    """The one format that a camera offers."""
    return record(
        Object.FORMAT,
        Param.ENUM_FORMAT,
        {
            Key.MEDIA_TYPE: identifier(VIDEO),
            Key.MEDIA_SUBTYPE: identifier(RAW),
            Key.VIDEO_FORMAT: identifier(pixels),
            Key.VIDEO_SIZE: rectangle(size),
            Key.VIDEO_FRAMERATE: fraction(fps, 1),
        },
    )


def buffers(size: int, stride: int) -> bytes:
    """What the buffers are to be like: one block each of ``size`` bytes, with ``stride`` bytes from
    one row to the next, in shared memory or in memory of this process."""
    in_process, shared = 1 << 1, 1 << 2
    return record(
        Object.BUFFERS,
        Param.BUFFERS,
        {
            1: choice(Choice.RANGE, 4, 2, 16),  # how many
            2: integer(1),
            3: integer(size),
            4: integer(stride),
            6: choice(Choice.FLAGS, in_process | shared),
        },
    )


def header(size: int) -> bytes:
    """That every buffer has a header with its time, of ``size`` bytes."""
    return record(Object.META, Param.META, {1: identifier(1), 2: integer(size)})
