"""The contract of a sink: where finished pictures go."""

from abc import ABC, abstractmethod

from realtime_bg.frames import Composite, Size


class Sink(ABC):
    """Takes `Composite`s one by one, on one thread of its own, opened by its constructor.

    ``target``: what stands behind the colon of the spec (``virtualcam:/dev/video10`` gives
    ``"/dev/video10"``), or the whole spec for files. ``size`` is (width, height) in pixels and
    ``fps`` frames per second; every composite sent has that size. ``live``: whether somebody
    watches it while it is fed, so that late composites are worth less than new ones.
    ``takes_target``: whether a spec may be ``NAME:TARGET``.
    """

    live: bool = False
    takes_target: bool = False

    def __init__(self, target: str, size: Size, fps: float) -> None:
        """Open it. Raises SinkError with the thing, the cause and the next step."""
        self.target, self.size, self.fps = target, size, fps

    @abstractmethod
    def send(self, composite: Composite) -> None:
        """Show or write one picture. May block; only this sink is delayed by it."""

    @abstractmethod
    def close(self, complete: bool = True) -> None:
        """Finish and release. Idempotent.

        A file is there under its name after this. ``complete`` False says that the job failed:
        then the file keeps its temporary name, and an older one of its name stays.
        """

    def has_viewers(self) -> bool | None:
        """Whether it has a viewer now; None if that cannot be known, as with a file.
        Never waits; from any thread, between the constructor and `close`."""
        return None
