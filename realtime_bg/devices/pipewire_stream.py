"""A stream of video to or from PipeWire, with a thread of PipeWire's own."""

import ctypes
import logging
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from realtime_bg.devices import pods
from realtime_bg.devices.libpipewire import (
    ANY,
    BufferEvent,
    Direction,
    Events,
    Flags,
    ParamChanged,
    Process,
    State,
    StateChanged,
    library,
)

log = logging.getLogger(__name__)


class Stream:
    """The base of cameras that are published and of cameras that are read. What the subclasses
    override is called on PipeWire's thread, everything else from one other thread. After `lost` it
    cannot be used again."""

    processes = False  # whether `_process` is to be called for every picture

    def __init__(
        self,
        direction: Direction,
        flags: Flags,
        formats: Sequence[bytes],
        properties: Mapping[str, str],
    ) -> None:
        """Connect. Raises OSError if PipeWire's library is missing, and ConnectionError, which is
        one too, if no PipeWire answers."""
        self._library = library()
        self._state = State.CONNECTING
        self._events = Events(
            version=Events.VERSION,
            state_changed=StateChanged(self._on_state),
            param_changed=ParamChanged(self._on_param),
            add_buffer=BufferEvent(lambda _, buffer: self._add_buffer(buffer)),
            remove_buffer=BufferEvent(lambda _, buffer: self._remove_buffer(buffer)),
        )
        if self.processes:
            self._events.process = Process(lambda _: self._process())
        self._stream = None
        self._loop = self._library.pw_thread_loop_new(b"realtime-bg", None)
        self._library.pw_thread_loop_start(self._loop)
        try:
            with self._locked():
                self._connect(direction, flags, formats, properties)
        except ConnectionError:
            self.close()
            raise

    def _connect(
        self,
        direction: Direction,
        flags: Flags,
        formats: Sequence[bytes],
        properties: Mapping[str, str],
    ) -> None:
        call = self._library
        given = call.pw_properties_new_string(b"")
        for key, value in properties.items():
            call.pw_properties_set(given, key.encode(), value.replace("\0", " ").encode())
        loop, events = call.pw_thread_loop_get_loop(self._loop), ctypes.byref(self._events)
        self._stream = call.pw_stream_new_simple(loop, b"realtime-bg", given, events, None)
        how = (direction, ANY, flags)
        if not self._stream or self._with_params(call.pw_stream_connect, formats, *how) < 0:
            raise ConnectionError("none answers")

    @contextmanager
    def _locked(self) -> Iterator[None]:
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

    @property
    def lost(self) -> bool:
        """Whether the PipeWire that it was connected to has ended."""
        return self._state == State.UNCONNECTED

    def close(self) -> None:
        """Disconnect. Idempotent; not from a callback."""
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

    # on PipeWire's thread

    def _on_state(self, _data: Any, _old: int, new: int, error: bytes | None) -> None:
        if new == State.ERROR:
            log.debug("PipeWire: %s", (error or b"").decode(errors="replace"))
        self._changed(State(new))

    def _on_param(self, _data: Any, param: int, value: int | None) -> None:
        if param == pods.Param.FORMAT and value and self._stream:
            size, _ = pods.PAIR.unpack(ctypes.string_at(value, pods.PAIR.size))
            try:
                wanted = self._agreed(ctypes.string_at(value, pods.PAIR.size + size))
            except (LookupError, ValueError, struct.error) as error:  # then no picture comes
                log.warning("PipeWire agreed on a format that cannot be read: %r", error)
                return
            self._with_params(self._library.pw_stream_update_params, wanted)

    def _changed(self, state: State) -> None:
        """The state has changed."""
        self._state = state

    def _agreed(self, pod: bytes) -> list[bytes]:
        """A format has been agreed on; return what the buffers are to be like."""
        raise NotImplementedError

    def _add_buffer(self, address: int) -> None:
        """A buffer was added."""

    def _remove_buffer(self, address: int) -> None:
        """A buffer was removed."""

    def _process(self) -> None:
        """A picture has arrived."""
