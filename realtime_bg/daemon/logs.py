"""Logging of the daemon: limits repeated lines, writes JSON if asked, and keeps recent lines for
`ctl logs`."""

import json
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator

from realtime_bg.system.console import Lines, unheard
from realtime_bg.system.log_limits import RateLimit

KEPT = 1000  # lines for `ctl logs`


def as_json(record: logging.LogRecord) -> str:
    """One record as a line of JSON: time (ISO 8601, UTC), level, module, message."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    values = {
        "time": f"{at}.{int(record.msecs):03d}Z",
        "level": record.levelname.lower(),
        "module": record.name,
        "message": record.getMessage(),
    }
    if record.exc_info:
        values["trace"] = logging.Formatter().formatException(record.exc_info)
    return json.dumps(values, ensure_ascii=False)


class JsonLines(logging.Handler):
    """Records as lines of JSON on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        with unheard():
            print(as_json(record), file=sys.stderr, flush=True)


class Ring(logging.Handler):
    """Keeps the last lines, for `realtime-bg ctl logs`."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._count = 0
        self._changed = threading.Condition()
        self._closed = False

    def emit(self, record: logging.LogRecord) -> None:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        with self._changed:
            self._lines.append(f"{at} {record.levelname.lower():<7} {record.getMessage()}")
            self._count += 1
            self._changed.notify_all()

    def last(self, count: int) -> list[str]:
        """The newest ``count`` lines, oldest first."""
        with self._changed:
            return list(self._lines)[-count:] if count else []

    def follow(self, count: int) -> Iterator[str]:
        """Yield `last`, and then each line as it is logged, until the ring is closed. An empty
        string is yielded in every second without a line, so that a client that has left is
        noticed."""
        with self._changed:
            lines, told = list(self._lines)[-count:] if count else [], self._count
        yield from lines
        while not self._closed:
            with self._changed:
                if self._count == told:
                    self._changed.wait(1.0)
                new = min(self._count - told, len(self._lines))
                lines, told = list(self._lines)[len(self._lines) - new :], self._count
            yield from lines or [""]

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()


class _Fan(logging.Handler):
    """One handler in front of several, so that a filter sees each record once."""

    def __init__(self, *handlers: logging.Handler) -> None:
        super().__init__()
        self._handlers = handlers

    def emit(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.handle(record)


def daemon_logs(verbose: bool, as_lines_of_json: bool) -> Ring:
    """Set up the logging of the daemon. Return the ring with its recent lines."""
    ring = Ring()
    all_of_them = _Fan(JsonLines() if as_lines_of_json else Lines(), ring)
    all_of_them.addFilter(RateLimit())
    logging.basicConfig(level=logging.WARNING, handlers=[all_of_them], force=True)
    logging.getLogger("realtime_bg").setLevel(logging.DEBUG if verbose else logging.INFO)
    return ring
