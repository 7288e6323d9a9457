"""Computes the waiting time before a failed operation is tried again."""

import time


class Backoff:
    """Increasing pauses: one for each consecutive failure; the last one repeats."""

    def __init__(self, *pauses: float) -> None:
        """``pauses``: seconds after the first failure, the second, and so on."""
        self._pauses = pauses
        self.failures = 0

    def failed(self) -> float:
        """Count a failure and return the seconds to wait."""
        self.failures += 1
        return self.after(self.failures)

    def succeeded(self) -> None:
        """Reset the count: the next failure is the first one again."""
        self.failures = 0

    def after(self, failures: int) -> float:
        """Return the seconds to wait after this many consecutive failures, at least 1."""
        return self._pauses[min(failures, len(self._pauses)) - 1]


class Retry:
    """Something that will be opened again: when the next attempt is due, and the last problem."""

    def __init__(self, *pauses: float) -> None:
        """``pauses``: as in `Backoff`."""
        self.backoff = Backoff(*pauses)
        self.due, self.problem = 0.0, ""  # in monotonic seconds

    def failed(self, problem: str) -> bool:
        """Schedule the next attempt. Return whether ``problem`` differs from the last one."""
        self.due = time.monotonic() + self.backoff.failed()
        new, self.problem = problem != self.problem, problem
        return new
