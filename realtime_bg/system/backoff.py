"""How long to wait before the next attempt at what has failed."""


class Backoff:
    """Growing pauses: one for each failure in a row, of which the last repeats."""

    def __init__(self, *pauses: float) -> None:
        """``pauses``: seconds after the first failure, the second, and so on."""
        self._pauses = pauses
        self.failures = 0

    def failed(self) -> float:
        """Count one more failure; the seconds to wait after it."""
        self.failures += 1
        return self.after(self.failures)

    def succeeded(self) -> None:
        """The next failure is the first one again."""
        self.failures = 0

    def after(self, failures: int) -> float:
        """The seconds to wait after so many failures in a row, from 1 on."""
        return self._pauses[min(failures, len(self._pauses)) - 1]
