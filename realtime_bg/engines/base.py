"""The contract of an engine: a frame goes in, a matte comes out."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from realtime_bg.frames import DeviceMatte, Frame, Matte, Size, downloaded
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

SETTLED = 0.5 / 255  # a photo's alpha has settled when no pixel changes by more than this


class Engine(ABC):
    """One matting algorithm, loaded by its constructor.

    ``size`` is the (width, height) in pixels of all frames to come; frames of another size need a
    new engine. ``settings.device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``stats`` records
    the timings of the stages "resize" and "network".

    After loading, ``provider`` says where it runs ("CPU", "CUDA:0"), ``work_size`` is the (width,
    height) in pixels at which the network runs, and ``model`` is the file of its weights, if it has
    any. History (recurrent state, the last mask) belongs to the engine and never leaves its device.
    ``least_scale`` is the smallest factor by which its work size may be reduced so that it still
    finds people; it is 1.0 for engines that would lose what they have learned when they are
    reopened. ``stride``: the sides of its work size are multiples of this. ``waits``: the engine
    may be skipped for a frame in which nothing has moved; its last matte remains valid.
    """

    description: str = ""
    waits: bool = True
    least_scale: float = 0.5
    stride: int = 1
    provider: str = "CPU"
    work_size: Size
    model: Path | None = None

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        """Load the engine, which may take seconds. Raises EngineError, ModelError or
        MissingPackageError."""
        self.settings, self.size, self.stats = settings, size, stats

    @property
    def on_cpu(self) -> bool:
        """Whether the network runs on the processor."""
        return self.provider.startswith("CPU")

    @abstractmethod
    def matte(self, frame: Frame) -> Matte | DeviceMatte:
        """Matte one frame; ``frame.size`` equals ``size``. An exception means failure: the caller
        then shows only the background and reopens the engine."""

    def matte_photo(self, frame: Frame, repeats: int) -> Matte:
        """Matte a single photo, where there is no previous frame and no hurry. By default the
        engine runs on the frame until its alpha settles, at most ``repeats`` times."""
        self.reset()
        matte = downloaded(self.matte(frame))
        for _ in range(1, repeats):
            before, matte = matte, downloaded(self.matte(frame))
            same = matte.alpha.shape == before.alpha.shape
            if same and np.abs(matte.alpha - before.alpha).max() <= SETTLED:
                break
        return matte

    def reset(self) -> None:  # noqa: B027 - engines without history have nothing to forget
        """Forget all history: the next frame is unrelated to the last one."""

    def take_plate(self) -> None:
        """Learn the empty room from the frames to come. Engines that do not need this ignore it."""
        self.stats.notice("this engine needs no clean plate")

    def close(self) -> None:  # noqa: B027 - most engines free everything with the object
        """Release the device. Idempotent."""
