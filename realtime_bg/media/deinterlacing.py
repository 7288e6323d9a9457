"""Deinterlacing: one progressive picture for each interlaced one."""

from collections.abc import Iterator
from typing import Any

from av.filter import Graph

from realtime_bg.media.filtering import finished

# One picture for each picture; those that are not marked as interlaced are passed on unchanged.
OPTIONS = "mode=send_frame:parity=auto:deint=interlaced"


class Deinterlacer:
    """FFmpeg's filter bwdif (Bob Weaver deinterlacing filter), one picture behind its input."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] | None = None

    def push(self, picture: Any) -> Iterator[Any]:
        """Add a decoded picture; yield those that are finished, with their own times."""
        shape = picture.width, picture.height, picture.format.name
        if shape != self._shape:
            yield from self.flush()
            self._graph, self._shape = _graph(picture), shape
        assert self._graph is not None
        self._graph.vpush(picture)
        yield from self._pulled()

    def flush(self) -> Iterator[Any]:
        """Yield the last picture."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._pulled()
            self._graph = self._shape = None

    def _pulled(self) -> Iterator[Any]:
        assert self._graph is not None
        for picture in finished(self._graph):
            # The filter counts fields, of which a picture has two.
            if picture.pts is not None:
                picture.pts //= 2
            picture.time_base *= 2
            yield picture


def _graph(picture: Any) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width,
        height=picture.height,
        format=picture.format,
        time_base=picture.time_base,
    )
    graph.link_nodes(source, graph.add("bwdif", OPTIONS), graph.add("buffersink")).configure()
    return graph
