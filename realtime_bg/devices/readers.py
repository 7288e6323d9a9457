"""Detecting who reads a virtual camera: from the driver, or from other processes' open files."""

import os
import select
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from realtime_bg.devices.cameras import holders

SCAN_SECONDS = 2.0  # between looks through /proc that nothing has called for
# linux/videodev2.h, and v4l2loopback 0.13 and later: whether a capturing client streams
EVENT_CLIENT_USAGE = 0x08000000 + 0x08E00000 + 1
SEND_INITIAL = 1
SUBSCRIPTION = struct.Struct("8I")  # type, id, flags, reserved
EVENT = struct.Struct("=I4xI")  # type, padding to the union, which begins with the count
EVENT_BYTES = 136 if sys.maxsize > 2**32 else 128
SUBSCRIBE_EVENT = 1 << 30 | SUBSCRIPTION.size << 16 | ord("V") << 8 | 90
DEQUEUE_EVENT = 2 << 30 | EVENT_BYTES << 16 | ord("V") << 8 | 89
IN_CLOSE, IN_OPEN = 0x08 | 0x10, 0x20  # sys/inotify.h


class Readers(Protocol):
    """Who reads one device."""

    def any(self) -> bool | None:
        """Whether another process reads it now; None where that cannot be known. Never waits."""

    def close(self) -> None:
        """Release what it holds. Idempotent."""


def readers(device: str) -> Readers:
    """The readers of the virtual camera at ``device``, in the best way there is here."""
    if not sys.platform.startswith("linux"):
        return NoReaders()
    usage = ClientUsage(device)
    return OpenFiles(device) if usage.any() is None else usage


class NoReaders:
    """Where the system does not tell."""

    def any(self) -> bool | None:
        return None

    def close(self) -> None:
        pass


class ClientUsage:
    """Asks v4l2loopback itself.

    Through a new handle each time: the driver tells a new subscriber the present state, so an
    event that was lost cannot leave a wrong answer standing.
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
            return None  # an older driver, or none of this kind
        finally:
            os.close(handle)
        kind, count = EVENT.unpack_from(answer)
        return count > 0 if kind == EVENT_CLIENT_USAGE else None

    def close(self) -> None:
        pass


class OpenFiles:
    """Looks through /proc for other processes that have the device open.

    That takes a while where many run, so it is done when the device was opened or closed, which
    inotify tells, and now and then.
    """

    def __init__(self, device: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._device, self._clock = os.path.realpath(device), clock
        self._looked = float("-inf")
        self._holders: set[int] = set()
        self._events = _watch(self._device)

    def any(self) -> bool | None:
        now = self._clock()
        if self._told() or now - self._looked >= SCAN_SECONDS:
            self._looked = now
            self._holders = set(holders(self._device))
        return bool(self._holders)

    def _told(self) -> bool:
        """Whether somebody opened or closed it since the last call."""
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
    """A handle that becomes readable when ``path`` is opened or closed; None without inotify."""
    import ctypes

    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        handle = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if handle >= 0:
            if libc.inotify_add_watch(handle, os.fsencode(path), IN_OPEN | IN_CLOSE) >= 0:
                return int(handle)
            os.close(handle)
    return None
