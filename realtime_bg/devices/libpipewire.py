"""The part of PipeWire's library, libpipewire-0.3, that this program calls, through ctypes.

The structures are those of spa/buffer/buffer.h, spa/buffer/meta.h and pipewire/stream.h; the fields
declared here have not changed between 0.3.40 and 1.6.
"""

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, c_bool, c_char_p, c_int, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from enum import IntEnum, IntFlag
from functools import cache
from typing import Any

NAME = "libpipewire-0.3.so.0"
START = "systemctl --user start pipewire wireplumber"  # what brings a PipeWire that does not run
ANY = 0xFFFFFFFF  # any node, as the target of a stream
HEADER, BUSY = 1, 7  # kinds of metadata


class State(IntEnum):
    """The state of a stream. An error is that of one peer, whose format did not fit."""

    ERROR, UNCONNECTED, CONNECTING, PAUSED, STREAMING = -1, 0, 1, 2, 3


class Direction(IntEnum):
    """The direction of a stream, as PipeWire sees it."""

    INPUT, OUTPUT = 0, 1


class Flags(IntFlag):
    """How a stream is connected."""

    AUTOCONNECT, MAP_BUFFERS, DRIVER = 1 << 0, 1 << 2, 1 << 3


class Chunk(ctypes.Structure):
    """The valid part of a block of memory."""

    _fields_ = (("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32))


class Data(ctypes.Structure):
    """A block of memory of a buffer."""

    _fields_ = (
        ("type", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int64),
        ("mapoffset", c_uint32),
        ("maxsize", c_uint32),
        ("data", c_void_p),
        ("chunk", POINTER(Chunk)),
    )


class Header(ctypes.Structure):
    """Metadata of a buffer: its time."""

    _fields_ = (
        ("flags", c_uint32),
        ("offset", c_uint32),
        ("pts", c_int64),  # nanoseconds
        ("dts_offset", c_int64),
        ("seq", c_uint64),
    )


class Busy(ctypes.Structure):
    """Metadata of a buffer: how many peers use it."""

    _fields_ = (("flags", c_uint32), ("count", c_uint32))


class Meta(ctypes.Structure):
    _fields_ = (("type", c_uint32), ("size", c_uint32), ("data", c_void_p))


class SpaBuffer(ctypes.Structure):
    _fields_ = (
        ("n_metas", c_uint32),
        ("n_datas", c_uint32),
        ("metas", POINTER(Meta)),
        ("datas", POINTER(Data)),
    )


class Buffer(ctypes.Structure):
    _fields_ = (("buffer", POINTER(SpaBuffer)), ("user_data", c_void_p), ("size", c_uint64))


class Time(ctypes.Structure):
    """The state of a stream's queue; older versions fill in less of it."""

    _fields_ = (
        ("now", c_int64),
        ("rate", c_uint32 * 2),
        ("ticks", c_uint64),
        ("delay", c_int64),
        ("queued", c_uint64),
        ("buffered", c_uint64),
        ("queued_buffers", c_uint32),
        ("avail_buffers", c_uint32),
        ("size", c_uint64),
    )


StateChanged = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
ParamChanged = ctypes.CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
BufferEvent = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
Process = ctypes.CFUNCTYPE(None, c_void_p)


class Events(ctypes.Structure):
    """The callbacks of a stream, which PipeWire's own thread calls."""

    VERSION = 2
    _fields_ = (
        ("version", c_uint32),
        ("destroy", c_void_p),
        ("state_changed", StateChanged),
        ("control_info", c_void_p),
        ("io_changed", c_void_p),
        ("param_changed", ParamChanged),
        ("add_buffer", BufferEvent),
        ("remove_buffer", BufferEvent),
        ("process", Process),
        ("drained", c_void_p),
        ("command", c_void_p),
        ("trigger_done", c_void_p),
    )


FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {  # the result and the arguments of each
    "pw_init": (None, (c_void_p, c_void_p)),
    "pw_get_library_version": (c_char_p, ()),
    "pw_thread_loop_new": (c_void_p, (c_char_p, c_void_p)),
    "pw_thread_loop_get_loop": (c_void_p, (c_void_p,)),
    "pw_thread_loop_start": (c_int, (c_void_p,)),
    "pw_thread_loop_stop": (None, (c_void_p,)),
    "pw_thread_loop_destroy": (None, (c_void_p,)),
    "pw_thread_loop_lock": (None, (c_void_p,)),
    "pw_thread_loop_unlock": (None, (c_void_p,)),
    "pw_properties_new_string": (c_void_p, (c_char_p,)),
    "pw_properties_set": (c_int, (c_void_p, c_char_p, c_char_p)),
    "pw_stream_new_simple": (c_void_p, (c_void_p, c_char_p, c_void_p, POINTER(Events), c_void_p)),
    "pw_stream_destroy": (None, (c_void_p,)),
    "pw_stream_connect": (c_int, (c_void_p, c_int, c_uint32, c_int, c_void_p, c_uint32)),
    "pw_stream_update_params": (c_int, (c_void_p, c_void_p, c_uint32)),
    "pw_stream_get_time_n": (c_int, (c_void_p, POINTER(Time), ctypes.c_size_t)),
    "pw_stream_dequeue_buffer": (POINTER(Buffer), (c_void_p,)),
    "pw_stream_queue_buffer": (c_int, (c_void_p, POINTER(Buffer))),
    "pw_stream_is_driving": (c_bool, (c_void_p,)),
    "pw_stream_trigger_process": (c_int, (c_void_p,)),
}


@cache
def library() -> Any:
    """The library, initialised. Raises OSError if it is not installed or too old."""
    loaded = ctypes.CDLL(NAME)
    for name, (result, arguments) in FUNCTIONS.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            raise OSError(f"{NAME} is older than 0.3.50: it has no {name}") from None
        function.restype, function.argtypes = result, arguments
    loaded.pw_init(None, None)
    return loaded


def metadata(buffer: Buffer, kind: int) -> Iterator[int]:
    """The addresses of a buffer's metadata of this kind."""
    inner = buffer.buffer.contents
    for index in range(inner.n_metas):
        meta = inner.metas[index]
        if meta.type == kind and meta.data:
            yield meta.data
