"""A camera that this program publishes in PipeWire, for browsers and other programs to read.

A node with the media class Video/Source and the media role Camera is what browsers list, through
the desktop portal. Programs that read it take turns at shared buffers; none of them can block it.
"""

import ctypes
import time

from realtime_bg.devices import pods
from realtime_bg.devices.libpipewire import (
    BUSY,
    HEADER,
    Buffer,
    Busy,
    Direction,
    Flags,
    Header,
    State,
    Time,
    metadata,
)
from realtime_bg.devices.pipewire_stream import Stream
from realtime_bg.frames import Planes, Size

STARVED = 1.0  # seconds without a free buffer after which those that peers hold are taken back
OWN = "realtime-bg.published"  # property by which this program recognises its own cameras


class PublishedCamera(Stream):
    """Offers pictures I420 of one size to whoever reads. Used by one thread."""

    def __init__(self, name: str, size: Size, fps: float) -> None:
        """``name``: of the node, and the label that browsers show. ``size``: even numbers. Raises
        OSError and ConnectionError as `Stream`."""
        self._size, self._bytes = size, size[0] * size[1] * 3 // 2
        self._buffers: set[int] = set()  # addresses
        self._sent, self._free_at = 0, time.monotonic()
        super().__init__(
            Direction.OUTPUT,
            Flags.MAP_BUFFERS | Flags.DRIVER,
            [pods.offered_format(size, max(1, round(fps)))],
            {
                "media.class": "Video/Source",
                "media.role": "Camera",
                "media.type": "Video",
                "media.category": "Capture",
                "node.name": name,
                "node.description": name,
                "node.nick": name,
                OWN: "true",
            },
        )

    # on PipeWire's thread

    def _changed(self, state: State) -> None:
        if state == State.ERROR:  # one reader wanted another format; the others go on
            return
        super()._changed(state)
        if state == State.PAUSED:
            self._take_back()

    def _agreed(self, pod: bytes) -> list[bytes]:
        stride = self._size[0]
        return [pods.offered_buffers(self._bytes, stride), pods.header(ctypes.sizeof(Header))]

    def _add_buffer(self, address: int) -> None:
        self._buffers.add(address)

    def _remove_buffer(self, address: int) -> None:
        self._buffers.discard(address)

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
