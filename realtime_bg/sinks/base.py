"""The contract of a sink: where finished pictures go."""

from abc import ABC, abstractmethod

from realtime_bg.frames import Composite, Size


class Sink(ABC):
    """Takes `Composite`s one by one on its own thread; opened by its constructor.

    ``target`` is the part of the spec after the colon (``"/dev/video10"`` for
    ``virtualcam:/dev/video10``), or the whole spec for files. ``size`` is (width, height) in pixels
    and ``fps`` frames per second; every composite sent has that size. ``live``: whether the output
    is watched while it is fed, so that new composites matter more than late ones. ``takes_target``:
    whether a spec may be ``NAME:TARGET``.
    """

    live: bool = False
    takes_target: bool = False

    def __init__(self, target: str, size: Size, fps: float) -> None:
        """Open the sink. Raises SinkError, which names the output, the cause and what to do."""
        self.target, self.size, self.fps = target, size, fps

    @classmethod
    def wants_person(cls, target: str) -> bool:
        """Whether the output of a spec with this ``target`` needs `Composite.person`, which costs
        time."""
        return False

    @abstractmethod
    def send(self, composite: Composite) -> None:
        """Show or write one picture. May block, which delays only this sink."""

    @abstractmethod
    def close(self, complete: bool = True) -> None:
        """Finish and release. Idempotent.

        Afterwards a file has its final name. ``complete`` False means that the job failed: then the
        file keeps its temporary name, and an older file with its final name is kept.
        """

    def has_viewers(self) -> bool | None:
        """Whether the output has a viewer now; None if that cannot be known, as for a file. Never
        waits. Callable from any thread between the constructor and `close`."""
        return None
