"""Opening the camera only while an output has a viewer: when it opens and when it closes."""

import time
from collections.abc import Callable

WAKE_SECONDS = 0.3  # how long a viewer must stay: programs that list cameras open each one briefly
# How long there must be no viewer: calls close and reopen the camera when they change
SLEEP_SECONDS = 2.0


class Demand:
    """Decides from whether any output has a viewer whether the camera has to run."""

    def __init__(self, awake: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """``awake``: the initial state."""
        self.awake, self._clock = awake, clock
        self._since: float | None = None  # since when the viewers have contradicted `awake`

    def update(self, watched: bool) -> bool:
        """Return the new `awake`. ``watched``: whether there is a viewer now. Call this often."""
        if watched == self.awake:
            self._since = None
        else:
            now = self._clock()
            self._since = now if self._since is None else self._since
            if now - self._since >= (WAKE_SECONDS if watched else SLEEP_SECONDS):
                self.awake, self._since = watched, None
        return self.awake
