"""Limits how often lines of one kind are logged."""

import logging
import threading
import time
from collections.abc import Callable

BURST, PERIOD = 5, 60.0  # at most BURST lines of one kind within PERIOD seconds; others are counted
KINDS = 500  # kinds that are distinguished at a time


class RateLimit(logging.Filter):
    """Passes at most ``BURST`` records of a kind within ``PERIOD`` seconds; the next one that
    passes says how many did not. A kind is a place in the program and a format string, regardless
    of its arguments."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._lock = clock, threading.Lock()
        # Start of the period, number of records
        self._kinds: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = (record.name, record.lineno, str(record.msg)), self._clock()
        with self._lock:
            since, count = self._kinds.get(kind, (now, 0))
            missed = 0
            if now - since >= PERIOD:
                since, count, missed = now, 0, max(0, count - BURST)
            if len(self._kinds) >= KINDS:
                self._kinds.clear()
            self._kinds[kind] = since, count + 1
        if count >= BURST:
            return False
        if missed or count == BURST - 1:
            text = record.getMessage()
            note = (
                f"{missed} similar lines were not shown"
                if missed
                else "further ones are only counted"
            )
            record.msg, record.args = f"{text} ({note})", None
        return True
