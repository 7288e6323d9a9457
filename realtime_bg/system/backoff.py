"""Computes the waiting time before a failed operation is tried again."""


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
