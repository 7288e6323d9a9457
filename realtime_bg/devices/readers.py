"""Detects whether another program reads a virtual camera, from the driver or from open files."""

import os
import select
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from realtime_bg.devices.cameras import holders

SCAN_SECONDS = 2.0  # between scans of /proc without an event
# linux/videodev2.h, v4l2loopback 0.13 and later: whether a client is capturing
EVENT_CLIENT_USAGE = 0x08000000 + 0x08E00000 + 1
SEND_INITIAL = 1
SUBSCRIPTION = struct.Struct("8I")  # type, id, flags, reserved
EVENT = struct.Struct("=I4xI")  # type, padding, and the union, which starts with the count
EVENT_BYTES = 136 if sys.maxsize > 2**32 else 128
SUBSCRIBE_EVENT = 1 << 30 | SUBSCRIPTION.size << 16 | ord("V") << 8 | 90
DEQUEUE_EVENT = 2 << 30 | EVENT_BYTES << 16 | ord("V") << 8 | 89
IN_CLOSE, IN_OPEN = 0x08 | 0x10, 0x20  # sys/inotify.h


class Readers(Protocol):
    """The readers of one device."""

    def any(self) -> bool | None:
        """Whether another process reads it now; None if that is unknown. Never blocks."""

    def close(self) -> None:
        """Release its resources. Idempotent."""


def readers(device: str) -> Readers:
    """Return the best available detector for the virtual camera at ``device``."""
    if not sys.platform.startswith("linux"):
        return NoReaders()
    usage = ClientUsage(device)
    return OpenFiles(device) if usage.any() is None else usage


class NoReaders:
    """For systems on which readers cannot be detected."""

    def any(self) -> bool | None:
        return None

    def close(self) -> None:
        pass


class ClientUsage:
    """Asks the v4l2loopback driver.

    Opens a new handle each time, because the driver sends the current state to new subscribers; a
    lost event therefore cannot leave a wrong answer.
    """

    def __init__(self, device: str) -> None:
        self._device = device

    def any(self) -> bool | None:
        import fcntl

        try:
            handle = os.open(self._device, os.O_RDWR | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            wanted = SUBSCRIPTION.pack(EVENT_CLIENT_USAGE, 0, SEND_INITIAL, 0, 0, 0, 0, 0)
            fcntl.ioctl(handle, SUBSCRIBE_EVENT, wanted)
            answer = fcntl.ioctl(handle, DEQUEUE_EVENT, bytes(EVENT_BYTES))
        except OSError:
            return None  # an older driver, or another one
        finally:
            os.close(handle)
        kind, count = EVENT.unpack_from(answer)
        return count > 0 if kind == EVENT_CLIENT_USAGE else None

    def close(self) -> None:
        pass


class OpenFiles:
    """Scans /proc for other processes that have the device open.

    A scan is slow with many processes, so it runs when inotify reports that the device was opened
    or closed, and every few seconds.
    """

    def __init__(self, device: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._device, self._clock = os.path.realpath(device), clock
        self._looked = float("-inf")
        self._holders: set[int] = set()
        self._events = _watch(self._device)

    def any(self) -> bool | None:
        now = self._clock()
        if self._has_events() or now - self._looked >= SCAN_SECONDS:
            self._looked = now
            self._holders = set(holders(self._device))
        return bool(self._holders)

    def _has_events(self) -> bool:
        """Whether the device was opened or closed since the last call."""
        if self._events is None or not select.select([self._events], [], [], 0)[0]:
            return False
        with suppress(OSError):
            os.read(self._events, 65536)
        return True

    def close(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            os.close(events)


def _watch(path: str) -> int | None:
    """Return a handle that becomes readable when ``path`` is opened or closed; None without
    inotify."""
    import ctypes

    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        handle = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if handle >= 0:
            if libc.inotify_add_watch(handle, os.fsencode(path), IN_OPEN | IN_CLOSE) >= 0:
                return int(handle)
            os.close(handle)
    return None
