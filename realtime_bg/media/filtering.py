"""What FFmpeg's filter graphs give."""

from collections.abc import Iterator
from typing import Any

from av.filter import Graph


def finished(graph: Graph) -> Iterator[Any]:
    """Yield the frames that ``graph`` has finished, until it needs another one or has ended."""
    while True:
        try:
            yield graph.pull()
        except (BlockingIOError, EOFError):
            return
