"""The contract of a source: where frames come from."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Generator

from realtime_bg.frames import Frame, Size
from realtime_bg.settings import SourceSettings
from realtime_bg.system.urls import without_password


class Source(ABC):
    """An iterable of `Frame`, opened by its constructor.

    ``target`` is the part of the spec after the colon (``"0"`` for ``camera:0``), or the whole spec
    for files and URLs. ``paced``: True yields frames at the rate at which a viewer would see them
    (live use); False yields every frame as soon as it is requested (files).

    After opening: ``size`` is (width, height) in pixels, ``fps`` frames per second, ``description``
    one line about what was actually opened (device, format, size, rate). ``live`` sources drop
    frames that are not taken in time. ``waiting`` is True while the source waits for a device that
    has disappeared, so that missing frames are expected; ``tried`` is when it last tried to open
    the device, on the monotonic clock. ``takes_target``: whether a spec may be ``NAME:TARGET``.
    """

    live: bool = False
    takes_target: bool = False
    waiting: bool = False
    tried: float = 0.0
    size: Size
    fps: float
    description: str

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        """Open the source. Raises SourceError, which names the source, the cause and what to do."""
        self.target, self.settings, self.paced = target, settings, paced
        self.spec = without_password(settings.spec)  # for messages
        self.closed = threading.Event()  # set by `close`; the iterator waits on it

    @abstractmethod
    def __iter__(self) -> Generator[Frame, None, None]:
        """Yield frames until the source ends or `close` is called. One iteration per source.

        The iterator itself waits for a device that disappears; SourceError means that it will not
        come back.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device, from any thread. Idempotent. The iterator ends within 0.5 s (2 s for
        a network stream that has stalled)."""
