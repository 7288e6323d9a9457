"""The contract of a source: where frames come from."""

from abc import ABC, abstractmethod
from collections.abc import Generator

from realtime_bg.frames import Frame, Size
from realtime_bg.settings import SourceSettings
from realtime_bg.system.urls import without_password


class Source(ABC):
    """An iterable of `Frame`, opened by its constructor.

    ``target``: what stands behind the colon of the spec (``camera:0`` gives ``"0"``), or the
    whole spec for files and URLs. ``paced``: True hands frames over at the rate a viewer would
    see them (live use); False hands over every frame as fast as it is asked for (files).

    After opening: ``size`` is (width, height) in pixels, ``fps`` frames per second,
    ``description`` one line on what was really got (device, format, size, rate).
    ``live`` sources cannot wait: what is not taken in time is dropped by them. ``waiting`` is
    True while a device that vanished is waited for: then there are no frames, and that is known;
    ``tried`` is when it was last asked for, on the monotonic clock. ``takes_target``: whether a
    spec may be ``NAME:TARGET``.
    """

    live: bool = False
    takes_target: bool = False
    waiting: bool = False
    tried: float = 0.0
    size: Size
    fps: float
    description: str

    def __init__(self, target: str, settings: SourceSettings, paced: bool) -> None:
        """Open it. Raises SourceError with the thing, the cause and the next step."""
        self.target, self.settings, self.paced = target, settings, paced
        self.spec = without_password(settings.spec)  # as it is shown

    @abstractmethod
    def __iter__(self) -> Generator[Frame, None, None]:
        """Yield frames until the source ends or `close` is called. One iteration per source.

        A device that vanishes is waited for inside; SourceError means it will not come back.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device. Idempotent, from any thread; the iterator ends within 0.5 s
        (a network stream that stalls: 2 s)."""
