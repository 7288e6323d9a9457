"""A camera that this program publishes in PipeWire, for browsers and other programs to read.

A node with the media class Video/Source and the media role Camera is what browsers list, through
the desktop portal. Programs that read it take turns at shared buffers; none of them can block it.
"""

import ctypes
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_bg.devices import pods
from realtime_bg.devices.libpipewire import (
    ANY,
    BUSY,
    HEADER,
    Buffer,
    BufferEvent,
    Busy,
    Direction,
    Events,
    Flags,
    Header,
    ParamChanged,
    Process,
    State,
    StateChanged,
    Time,
    library,
    metadata,
)
from realtime_bg.frames import Size

log = logging.getLogger(__name__)

Planes = NDArray[np.uint8]  # (H * 3 / 2, W): I420, colours as in BT.601, limited range
STARVED = 1.0  # seconds without a free buffer after which those that peers hold are taken back


class PublishedCamera:
    """Offers pictures I420 of one size to whoever reads. Used by one thread; the callbacks come on
    PipeWire's own thread. After `lost`, it cannot be used again."""

    def __init__(self, name: str, size: Size, fps: float) -> None:
        """``name``: of the node, and the label that browsers show. ``size``: even numbers.

        Raises OSError if PipeWire's library is missing, and ConnectionError, which is one too, if
        no PipeWire answers.
        """
        self._library = library()
        self._size, self._fps = size, max(1, round(fps))
        self._bytes = size[0] * size[1] * 3 // 2
        self._state = State.CONNECTING
        self._buffers: set[int] = set()  # addresses
        self._sent, self._free_at = 0, time.monotonic()
        self._events = Events(
            version=Events.VERSION,
            state_changed=StateChanged(self._state_changed),
            param_changed=ParamChanged(self._param_changed),
            add_buffer=BufferEvent(lambda _, buffer: self._buffers.add(buffer)),
            remove_buffer=BufferEvent(lambda _, buffer: self._buffers.discard(buffer)),
            process=Process(lambda _: None),
        )
        self._stream = None
        self._loop = self._library.pw_thread_loop_new(b"realtime-bg", None)
        self._library.pw_thread_loop_start(self._loop)
        try:
            with self._locked():
                self._connect(name)
        except ConnectionError:
            self.close()
            raise

    def _connect(self, name: str) -> None:
        call = self._library
        text = name.replace("\0", " ").encode()
        properties = call.pw_properties_new_string(b"")
        for key, value in (
            (b"media.class", b"Video/Source"),
            (b"media.role", b"Camera"),
            (b"media.type", b"Video"),
            (b"media.category", b"Capture"),
            (b"node.name", text),
            (b"node.description", text),
            (b"node.nick", text),
        ):
            call.pw_properties_set(properties, key, value)
        loop = call.pw_thread_loop_get_loop(self._loop)
        events = ctypes.byref(self._events)
        self._stream = call.pw_stream_new_simple(loop, text, properties, events, None)
        if not self._stream:
            raise ConnectionError("none answers")
        offered = [pods.video_format(self._size, self._fps)]
        how = (Direction.OUTPUT, ANY, Flags.MAP_BUFFERS | Flags.DRIVER)
        if self._with_params(call.pw_stream_connect, offered, *how) < 0:
            raise ConnectionError("none answers")

    @contextmanager
    def _locked(self) -> Any:
        """While PipeWire's thread waits."""
        self._library.pw_thread_loop_lock(self._loop)
        try:
            yield
        finally:
            self._library.pw_thread_loop_unlock(self._loop)

    def _with_params(self, call: Callable[..., int], params: Sequence[bytes], *first: int) -> int:
        """Call a function of the stream that takes ``first`` and then parameters."""
        kept = [ctypes.create_string_buffer(param, len(param)) for param in params]
        array = (ctypes.c_void_p * len(kept))(*(ctypes.addressof(each) for each in kept))
        return call(self._stream, *first, ctypes.cast(array, ctypes.c_void_p), len(kept))

    # on PipeWire's thread

    def _state_changed(self, _data: Any, _old: int, new: int, error: bytes | None) -> None:
        if new == State.ERROR:  # one reader wanted another format; the others go on
            log.debug("a reader was refused: %s", (error or b"").decode(errors="replace"))
            return
        self._state = State(new)
        if new == State.PAUSED:
            self._take_back()

    def _param_changed(self, _data: Any, param: int, value: int | None) -> None:
        if param == pods.Param.FORMAT and value and self._stream:
            wanted = [
                pods.buffers(self._bytes, self._size[0]),
                pods.header(ctypes.sizeof(Header)),
            ]
            self._with_params(self._library.pw_stream_update_params, wanted)

    def _take_back(self) -> None:
        """Count no buffer as used. A reader that is killed never gives back what it holds, and
        every later one would find nothing free."""
        for address in self._buffers:
            for found in metadata(Buffer.from_address(address), BUSY):
                Busy.from_address(found).count = 0
        self._free_at = time.monotonic()

    # on the caller's thread

    @property
    def has_readers(self) -> bool:
        """Whether anybody reads it now. Listing cameras does not count. Never waits."""
        return self._state == State.STREAMING

    @property
    def published(self) -> bool:
        """Whether PipeWire lists it."""
        return self._state in (State.PAUSED, State.STREAMING)

    @property
    def lost(self) -> bool:
        """Whether the PipeWire that it was published in has ended."""
        return self._state == State.UNCONNECTED

    def hand_over(self, planes: Planes) -> bool:
        """Give a picture ``uint8 (H * 3 / 2, W)`` to all readers. False if nobody reads, or if they
        hold all buffers; the picture is then skipped. Never waits for a reader."""
        if planes.nbytes != self._bytes or not planes.flags.c_contiguous:
            raise ValueError(f"planes: expected {self._bytes} bytes, got {planes.shape}")
        call = self._library
        with self._locked():
            if self._state != State.STREAMING:
                return False
            # Every cycle takes one buffer, so whatever is queued behind a picture that a reader has
            # not taken would stay as latency for good. The cycle runs anyway: it takes that one.
            queue = Time()
            call.pw_stream_get_time_n(self._stream, ctypes.byref(queue), ctypes.sizeof(queue))
            buffer = None if queue.queued else call.pw_stream_dequeue_buffer(self._stream)
            if buffer:
                self._fill(buffer.contents, planes)
                call.pw_stream_queue_buffer(self._stream, buffer)
                self._free_at = time.monotonic()
            elif time.monotonic() - self._free_at > STARVED:
                self._take_back()
            if call.pw_stream_is_driving(self._stream):
                call.pw_stream_trigger_process(self._stream)
            return bool(buffer)

    def _fill(self, buffer: Buffer, planes: Planes) -> None:
        buffer.size = 1  # counted in `Time.queued`
        data = buffer.buffer.contents.datas[0]
        chunk = data.chunk.contents
        chunk.offset, chunk.size, chunk.stride, chunk.flags = 0, 0, self._size[0], 0
        if data.data and data.maxsize >= self._bytes:
            ctypes.memmove(data.data, planes.ctypes.data, self._bytes)
            chunk.size = self._bytes
        for found in metadata(buffer, HEADER):
            header = Header.from_address(found)
            header.flags, header.offset, header.dts_offset = 0, 0, 0
            header.pts, header.seq = time.monotonic_ns(), self._sent
        self._sent += 1

    def close(self) -> None:
        """Take the camera away. Idempotent; not from a callback."""
        if self._loop is None:
            return
        if self._stream:
            with self._locked():
                self._library.pw_stream_destroy(self._stream)
                self._stream = None
        self._library.pw_thread_loop_stop(self._loop)
        self._library.pw_thread_loop_destroy(self._loop)
        self._loop = None
        self._state = State.UNCONNECTED
