"""An output that discards everything, for measurements and for tests without a display."""

from realtime_bg.frames import Composite
from realtime_bg.sinks.base import Sink


class NullSink(Sink):
    """Counts the composites it receives."""

    count = 0

    def send(self, composite: Composite) -> None:
        self.count += 1

    def close(self, complete: bool = True) -> None:
        pass
