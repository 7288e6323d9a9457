"""Remembers which engines failed too often, why, and when each of them is tried again."""

import logging
import math
import time
from collections.abc import Callable, Collection

from realtime_bg.stats import Stats
from realtime_bg.system.backoff import Backoff

log = logging.getLogger(__name__)

# Seconds before an engine is tried again, after each time it was given up.
PAUSES = (60.0, 120.0, 240.0, 480.0, 900.0)
# An engine that has worked for this many seconds is trusted again: its next pause is the shortest.
TRUSTED = 600.0
LONGEST_REASON = 200  # characters; some libraries report a whole page


class GivenUp:
    """The engines that must not be used now. `Stats.given_up` always shows the current state."""

    def __init__(
        self,
        stats: Stats,
        retries: bool,
        pauses: tuple[float, ...] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``retries``: whether engines are tried again at all. ``pauses``: seconds before the
        first retry, the second, and so on; the last one repeats; None means `PAUSES`."""
        self._stats, self._retries = stats, retries
        self._pauses, self._clock = pauses or PAUSES, clock
        self._engines: dict[str, tuple[str, float]] = {}  # name -> reason, monotonic time of retry
        self._counts: dict[str, int] = {}  # name -> how often it was given up
        self._back: dict[str, float] = {}  # name -> when it took over again, monotonic seconds
        stats.given_up = {}

    def __contains__(self, name: object) -> bool:
        return name in self._engines

    def add(self, name: str, reason: str) -> None:
        """Give an engine up for a pause, which grows each time, unless it has worked for `TRUSTED`
        seconds since."""
        now = self._clock()
        if now - self._back.pop(name, now) >= TRUSTED:
            self._counts.pop(name, None)
        self._counts[name] = self._counts.get(name, 0) + 1
        pause = Backoff(*self._pauses).after(self._counts[name])
        first = reason.strip().partition("\n")[0][:LONGEST_REASON]
        self._show(self._engines | {name: (first, now + pause)})
        again = f"; it is tried again in {pause:g} s" if self._retries else ""
        log.error("engine %s is given up%s", name, again)

    def recovered(self, name: str, worse: Collection[str]) -> None:
        """Note that an engine has taken over again. Engines that are ``worse`` may stand in for it
        again if it fails."""
        self._back[name] = self._clock()
        free = {name, *worse}
        self._show({other: entry for other, entry in self._engines.items() if other not in free})

    def due(self, names: Collection[str]) -> str | None:
        """The one of ``names`` that was given up, may be tried again now, and has waited longest;
        None if there is none."""
        waiting = [(self._engines[name][1], name) for name in names if name in self._engines]
        at, name = min(waiting, default=(math.inf, None))
        return name if self._clock() >= at else None

    def first_other(self, names: Collection[str]) -> str | None:
        """The first of ``names`` that was not given up, or None."""
        return next((name for name in names if name not in self._engines), None)

    def clear(self) -> None:
        """Forget everything: the user has made a new choice."""
        self._counts, self._back = {}, {}
        self._show({})

    def copy(self) -> "GivenUp":
        """An independent copy, which `Stats.given_up` shows from now on."""
        copy = GivenUp(self._stats, self._retries, self._pauses, self._clock)
        copy._counts, copy._back = dict(self._counts), dict(self._back)
        copy._show(self._engines)
        return copy

    def show(self) -> None:
        """Make `Stats.given_up` show this state, after a copy was discarded."""
        self._show(self._engines)

    def _show(self, engines: dict[str, tuple[str, float]]) -> None:
        # A dict that has been published is never changed, because other threads read it.
        self._engines = self._stats.given_up = engines


def described(stats: Stats) -> dict[str, str]:
    """For each engine that was given up: why, and when it is tried again."""
    now = time.monotonic()
    return {
        name: f"{reason}; tried again {f'in {at - now:.0f} s' if at > now else 'now'}"
        for name, (reason, at) in stats.given_up.items()
    }
