"""The restart policy for a failed pipeline, and detecting that the computer slept."""

import sys
import time
from collections import deque
from collections.abc import Callable

from realtime_bg.errors import DaemonError
from realtime_bg.system.backoff import Backoff

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before a restart
RESTARTS = 8  # at most this many within ...
# ... this many seconds; then the process gives up, and a service manager starts a new one
WINDOW = 600.0
# Seconds that pass for the computer but not for its programs, from which on it has slept
SLEPT = 3.0


class RestartsExhausted(DaemonError):  # noqa: N818 - an end, not a mistake of the user
    """The pipeline has failed too often; a new process should take over (exit code 1, not 2)."""


class Budget:
    """How often something may be restarted."""

    def __init__(
        self,
        restarts: int = RESTARTS,
        window: float = WINDOW,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._restarts, self._window, self._clock = restarts, window, clock
        self._spent: deque[float] = deque()
        self.count = 0

    def spend(self) -> float | None:
        """Use one restart. Return the seconds to wait before it, or None if the budget is used
        up."""
        now = self._clock()
        while self._spent and now - self._spent[0] > self._window:
            self._spent.popleft()
        if len(self._spent) >= self._restarts:
            return None
        self._spent.append(now)
        self.count += 1
        return Backoff(*PAUSES).after(len(self._spent))


def _since_boot() -> float:
    """The time in seconds of a clock that also runs while the computer sleeps."""
    if sys.platform.startswith("linux"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Sleeping:
    """Detects that the computer has slept: the clock of the machine continued while that of
    programs did not, or the caller, which calls many times a second, has not called for a long
    time."""

    def __init__(
        self,
        machine: Callable[[], float] = _since_boot,
        programs: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machine, self._programs = machine, programs
        self._last = machine(), programs()

    def slept(self) -> float:
        """The seconds slept since the last call, or 0. Changes of the wall clock do not count."""
        now = self._machine(), self._programs()
        machine, programs = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        gap = max(machine - programs, programs)
        return gap if gap > SLEPT else 0.0
