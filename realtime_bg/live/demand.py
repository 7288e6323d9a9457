"""The camera runs while an output has a viewer, with short changes smoothed out."""

import time
from collections.abc import Callable

WAKE_SECONDS = 0.3  # a reader must stay so long: programs that list cameras look at each briefly
SLEEP_SECONDS = 2.0  # nobody must have looked for so long: calls close and open when they change


class Demand:
    """Whether the camera is to run, from whether any output has a viewer."""

    def __init__(self, awake: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """``awake``: what it is at the start."""
        self.awake, self._clock = awake, clock
        self._since: float | None = None  # when it began to be otherwise than `awake` says

    def update(self, watched: bool) -> bool:
        """``watched``: whether there is a viewer now. Call it often. Returns the new `awake`."""
        if watched == self.awake:
            self._since = None
        else:
            now = self._clock()
            self._since = now if self._since is None else self._since
            if now - self._since >= (WAKE_SECONDS if watched else SLEEP_SECONDS):
                self.awake, self._since = watched, None
        return self.awake
