"""When a failed pipeline is restarted and when not any more; noticing that the computer slept."""

import sys
import time
from collections import deque
from collections.abc import Callable

from realtime_bg.errors import DaemonError
from realtime_bg.system.backoff import Backoff

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before a restart
RESTARTS = 8  # so many in ...
WINDOW = 600.0  # ... seconds, then this process gives up; a service manager starts a new one
SLEPT = 3.0  # seconds that pass for the computer but not for its programs


class RestartsExhausted(DaemonError):  # noqa: N818 - an end, not a mistake of the user
    """The pipeline failed too often; a new process should take over (exit code 1, not 2)."""


class Budget:
    """How often one thing may be started again."""

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
        """One restart: the seconds to wait before it; None when the budget is used up."""
        now = self._clock()
        while self._spent and now - self._spent[0] > self._window:
            self._spent.popleft()
        if len(self._spent) >= self._restarts:
            return None
        self._spent.append(now)
        self.count += 1
        return Backoff(*PAUSES).after(len(self._spent))


def _since_boot() -> float:
    """Seconds on a clock that also runs while the computer sleeps."""
    if sys.platform.startswith("linux"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Sleeping:
    """Notices that the computer has slept: the clock of the machine went on, that of programs
    did not, or the caller, who asks many times a second, was not heard of for long."""

    def __init__(
        self,
        machine: Callable[[], float] = _since_boot,
        programs: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machine, self._programs = machine, programs
        self._last = machine(), programs()

    def slept(self) -> float:
        """Seconds slept since the last call, 0 when it did not sleep. Changes of the wall clock
        are no sleep."""
        now = self._machine(), self._programs()
        machine, programs = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now
        gap = max(machine - programs, programs)
        return gap if gap > SLEPT else 0.0
