"""The contract of an engine: a frame goes in, a matte comes out."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from realtime_bg.frames import DeviceMatte, Frame, Matte, Size, downloaded
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

SETTLED = 0.5 / 255  # a photo is not shown again when no alpha moved by more than this


class Engine(ABC):
    """One matting algorithm, loaded by its constructor.

    ``size`` is the (width, height) in pixels of the frames to come; a frame of another size
    means a new engine. ``settings.device`` is ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    ``stats`` takes the times of the stages "resize" and "network".

    After loading: ``provider`` says where it runs ("CPU", "CUDA:0"), ``work_size`` is the
    (width, height) in pixels the network sees, ``model`` the file of its weights, if it has any.
    History (recurrent state, the last mask) belongs to the engine and never leaves its device.
    ``least_scale``: of the sides it picks for its network, at which it still finds people; 1.0
    also for one that must not be opened anew only to be faster, because of what it has learned.
    ``stride``: the sides it picks for its network are multiples of it.
    ``waits``: a frame in which nothing has moved need not be shown to it; the last matte holds.
    """

    description: str = ""
    waits: bool = True
    least_scale: float = 0.5
    stride: int = 1
    provider: str = "CPU"
    work_size: Size
    model: Path | None = None

    def __init__(self, settings: EngineSettings, size: Size, stats: Stats) -> None:
        """Load it (this may take seconds). Raises EngineError, ModelError or
        MissingPackageError."""
        self.settings, self.size, self.stats = settings, size, stats

    @abstractmethod
    def matte(self, frame: Frame) -> Matte | DeviceMatte:
        """Matte one frame; ``frame.size`` equals ``size``. An exception means failure: the
        caller shows the background alone and opens the engine again."""

    def matte_photo(self, frame: Frame, repeats: int) -> Matte:
        """Matte a photo, which has nothing before it and can wait: unless an engine knows better,
        it sees the frame until its alpha stays as it is, ``repeats`` times at most."""
        self.reset()
        matte = downloaded(self.matte(frame))
        for _ in range(1, repeats):
            before, matte = matte, downloaded(self.matte(frame))
            if np.abs(matte.alpha - before.alpha).max() <= SETTLED:
                break
        return matte

    def reset(self) -> None:  # noqa: B027 - engines without history have nothing to forget
        """Forget history: the next frame has nothing to do with the last one."""

    def take_plate(self) -> None:
        """Learn the room without the person from the frames to come; other engines ignore it."""
        self.stats.notice("this engine needs no clean plate")

    def close(self) -> None:  # noqa: B027 - most engines free everything with the object
        """Release the device. Idempotent."""
