"""An output that discards everything: for measuring, and for trying things without a display."""

from realtime_bg.frames import Composite
from realtime_bg.sinks.base import Sink


class NullSink(Sink):
    """Counts what it is given."""

    count = 0

    def send(self, composite: Composite) -> None:
        self.count += 1

    def close(self, complete: bool = True) -> None:
        pass
