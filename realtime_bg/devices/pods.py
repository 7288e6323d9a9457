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


VIDEO, RAW, MJPG = 2, 1, 0x20002  # media type, and subtypes


class Pixels(IntEnum):
    """Pixel formats; those of I420 are planes of Y, U and V, the last two at half the size."""

    I420, YUY2, UYVY, RGBX, BGRX, RGBA, BGRA, RGB, BGR, NV12 = 2, 4, 5, 7, 8, 11, 12, 15, 16, 23


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


def choice(how: Choice, default: bytes, *values: bytes) -> bytes:
    """A choice of pods of one type; for a range, ``values`` are its lowest and its highest one."""
    size, kind = PAIR.unpack_from(default)
    bodies = b"".join(value[PAIR.size : PAIR.size + size] for value in (default, *values))
    return pod(Type.CHOICE, CHOICE.pack(how, 0, size, kind) + bodies)


def record(kind: Object, param: Param, properties: Mapping[int, bytes]) -> bytes:
    """An object with these properties, each a pod."""
    body = b"".join(PAIR.pack(key, 0) + value for key, value in properties.items())
    return pod(Type.OBJECT, PAIR.pack(kind, param) + body)


def offered_format(size: Size, fps: int) -> bytes:
    """The one format, I420, that a camera offers."""
    return record(
        Object.FORMAT,
        Param.ENUM_FORMAT,
        {
            Key.MEDIA_TYPE: identifier(VIDEO),
            Key.MEDIA_SUBTYPE: identifier(RAW),
            Key.VIDEO_FORMAT: identifier(Pixels.I420),
            Key.VIDEO_SIZE: rectangle(size),
            Key.VIDEO_FRAMERATE: fraction(fps, 1),
        },
    )


def accepted_formats(size: Size, fps: int) -> list[bytes]:
    """What a reader takes, best first: any raw format, then Motion JPEG, of any size and rate,
    preferably these."""
    sizes = choice(Choice.RANGE, rectangle(size), rectangle((1, 1)), rectangle((16384, 16384)))
    rates = choice(Choice.RANGE, fraction(fps, 1), fraction(0, 1), fraction(1000, 1))
    best, *others = (identifier(each) for each in (Pixels.YUY2, *Pixels))
    common: dict[int, bytes] = {
        Key.MEDIA_TYPE: identifier(VIDEO),
        Key.VIDEO_SIZE: sizes,
        Key.VIDEO_FRAMERATE: rates,
    }
    raw: dict[int, bytes] = {
        Key.MEDIA_SUBTYPE: identifier(RAW),
        Key.VIDEO_FORMAT: choice(Choice.ENUM, best, *others),
    }
    jpeg: dict[int, bytes] = {Key.MEDIA_SUBTYPE: identifier(MJPG)}
    return [record(Object.FORMAT, Param.ENUM_FORMAT, common | kind) for kind in (raw, jpeg)]


def properties(pod: bytes) -> dict[int, tuple[int, ...]]:
    """The numbers in the properties of an object; of a choice, the default. Raises struct.error if
    the pod is cut off."""
    size, _ = PAIR.unpack_from(pod)
    at, end, found = 2 * PAIR.size, PAIR.size + size, {}
    while at < end:
        key, _ = PAIR.unpack_from(pod, at)
        count, kind = PAIR.unpack_from(pod, at + PAIR.size)
        at += 2 * PAIR.size
        value, length = at, count
        if kind == Type.CHOICE:
            _, _, length, _ = CHOICE.unpack_from(pod, at)
            value += CHOICE.size
        found[key] = struct.unpack_from(f"<{length // WORD.size}I", pod, value)
        at += count + -count % 8
    return found


def offered_buffers(size: int, stride: int) -> bytes:
    """What the buffers of a camera are to be like: one block each of ``size`` bytes, with
    ``stride`` bytes from one row to the next."""
    return _buffers({2: integer(1), 3: integer(size), 4: integer(stride)})


def accepted_buffers() -> bytes:
    """What buffers a reader takes: any."""
    return _buffers({})


def _buffers(layout: Mapping[int, bytes]) -> bytes:
    in_process, shared, of_device = 1 << 1, 1 << 2, 1 << 3  # kinds of memory
    kinds = in_process | shared | (0 if layout else of_device)
    count = choice(Choice.RANGE, integer(4), integer(2), integer(16))
    memory = choice(Choice.FLAGS, integer(kinds))
    return record(Object.BUFFERS, Param.BUFFERS, {1: count, **layout, 6: memory})


def header(size: int) -> bytes:
    """That every buffer has a header with its time, of ``size`` bytes."""
    return record(Object.META, Param.META, {1: identifier(1), 2: integer(size)})
