"""Draw the package's rooms and the imports between them, for docs/architecture.md.

    python scripts/draw_rooms.py docs/rooms.svg

The layers are those of the contract in pyproject.toml, and the arrows are the modules' actual
imports. Imports implied by a chain of other arrows are left out. Needs grimp, which the extra `dev`
installs with import-linter.
"""

import argparse
import random
import tomllib
from collections.abc import Sequence
from html import escape
from itertools import combinations, pairwise
from pathlib import Path
from typing import NamedTuple

import grimp

from realtime_bg.system.files import write_whole

ROOT = Path(__file__).parents[1]
PACKAGE = "realtime_bg"
BOX, ROW, GAP = (112.0, 32.0), 44.0, 38.0  # pixels: a room, a layer's height, between layers
BESIDE, LANE, MARGIN = 26.0, 16.0, 24.0  # between rooms, around passing arrows, at the border
TRIES, SWEEPS = 60, 6  # in the search for an order with few crossings
COLOURS = ("#2f6fb0", "#b5532a", "#2e8b57", "#8a4fa3", "#b08a1e", "#c2476f", "#2a8c96", "#6b6f2a")
PAPER, LAYER, INK, QUIET = "#ffffff", "#f1f4f8", "#1f2733", "#566172"
CAPTION = (
    "An arrow means “imports from”; it has the colour of the room where it ends.",
    "Imports that a chain of other arrows implies are left out.",
)

Layers = tuple[tuple[str, ...], ...]
Arrows = frozenset[tuple[str, str]]


class Node(NamedTuple):
    """A room, or the point where arrows to the room ``name`` pass a layer."""

    name: str
    row: int
    is_room: bool


Edges = set[tuple[Node, Node]]
Places = dict[Node, float]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    output = parser.parse_args(arguments).output
    write_whole(output, drawn(layers(), arrows()).encode())


# what is drawn


def layers() -> Layers:
    """Return the rooms from top to bottom, from import-linter's contract."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layered,) = (contract for contract in contracts if contract["type"] == "layers")
    return tuple(tuple(room.strip() for room in layer.split("|")) for layer in layered["layers"])


def arrows() -> Arrows:
    """Return which room imports from which, without imports implied by other arrows."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            room, other = room_of(module), room_of(imported)
            if room and other and room != other:
                found.setdefault(room, set()).add(other)
    return frozenset(
        (room, other)
        for room, others in found.items()
        for other in others
        if not any(other in reached(found, between) for between in others)
    )


def room_of(module: str) -> str:
    """Return the first name below the package; empty for the package itself."""
    return (module.split(".") + [""])[1]


def reached(imports: dict[str, set[str]], start: str) -> set[str]:
    """Return every room that ``start`` imports from, directly or indirectly."""
    seen: set[str] = set()
    left = [start]
    while left:
        new = imports.get(left.pop(), set()) - seen
        seen |= new
        left += new
    return seen


# where it is drawn


def linked(layers: Layers, arrows: Arrows) -> tuple[list[list[Node]], Edges]:
    """Return the nodes of each row, and the edges between adjacent rows. Arrows to the same room
    share the points where they pass the layers between."""
    rows = [[Node(room, row, True) for room in layer] for row, layer in enumerate(layers)]
    rooms = {node.name: node for row in rows for node in row}
    edges: Edges = set()
    for start, end in sorted(arrows):
        path = [rooms[start]]
        path += [Node(end, row, False) for row in range(rooms[start].row + 1, rooms[end].row)]
        path.append(rooms[end])
        edges |= set(pairwise(path))
    passing = {node for edge in edges for node in edge if not node.is_room}
    for node in sorted(passing):
        rows[node.row].append(node)
    return rows, edges


def ordered(rows: list[list[Node]], edges: Edges) -> list[list[Node]]:
    """Return the rows in the tried order with the fewest crossings: each node moves towards the
    mean of its neighbours (Sugiyama, Tagawa, Toda 1981)."""
    rng = random.Random(1)
    best, least = rows, crossings(rows, edges)
    for _ in range(TRIES):
        rows = [rng.sample(row, len(row)) for row in rows]
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            for row in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
                beside = rows[row - 1 if down else row + 1]
                place = {node: index / len(beside) for index, node in enumerate(beside)}
                centre = {node: mean(neighbours(node, edges, place), 0.5) for node in rows[row]}
                rows[row] = sorted(rows[row], key=centre.__getitem__)
            found = crossings(rows, edges)
            if found < least:
                best, least = [list(row) for row in rows], found
    return best


def crossings(rows: list[list[Node]], edges: Edges) -> int:
    """Count the crossings of edges."""
    place = {node: index for row in rows for index, node in enumerate(row)}
    count = 0
    for row in range(len(rows)):
        ends = [(place[a], place[b]) for a, b in edges if a.row == row]
        count += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ends, 2))
    return count


def neighbours(node: Node, edges: Edges, place: Places) -> list[float]:
    """Return the positions of the neighbours that have one."""
    return [
        place[other]
        for edge in edges
        if node in edge
        for other in edge
        if other != node and other in place
    ]


def mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def placed(rows: list[list[Node]], edges: Edges) -> Places:
    """Return the x of every node: near its neighbours, in order, and with gaps."""
    place = {node: 0.0 for row in rows for node in row}
    for _ in range(40):
        for row in rows:
            offsets = [0.0]
            for left, right in pairwise(row):
                offsets.append(offsets[-1] + needed(left, right))
            wished = [mean(neighbours(node, edges, place), place[node]) for node in row]
            free = rising([x - offset for x, offset in zip(wished, offsets, strict=True)])
            place |= dict(zip(row, map(sum, zip(free, offsets, strict=True)), strict=True))
    return place


def needed(left: Node, right: Node) -> float:
    """Return the minimum distance between two nodes of a row."""
    half = [BOX[0] / 2 if node.is_room else 0.0 for node in (left, right)]
    return sum(half) + (BESIDE if left.is_room and right.is_room else LANE)


def rising(values: list[float]) -> list[float]:
    """Return the closest non-decreasing values (isotonic regression by pooling adjacent
    violators)."""
    pools: list[list[float]] = []
    for value in values:
        pools.append([value])
        while len(pools) > 1 and mean(pools[-2], 0) > mean(pools[-1], 0):
            last = pools.pop()
            pools[-1] += last
    return [mean(pool, 0) for pool in pools for _ in pool]


# how it is drawn


def drawn(layers: Layers, arrows: Arrows) -> str:
    """Return the SVG."""
    rows, edges = linked(layers, arrows)
    place = placed(ordered(rows, edges), edges)
    left = min(place.values()) - BOX[0] / 2 - 2 * MARGIN
    place = {node: round(x - left, 1) for node, x in place.items()}
    width = round(max(place.values()) + BOX[0] / 2 + 2 * MARGIN)
    bottom = MARGIN + len(rows) * (ROW + GAP) - GAP
    height = round(bottom + 26 + 18 * len(CAPTION))
    names = [room for layer in layers for room in layer]
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif">',
        f"<title>The rooms of {PACKAGE} and the imports between them</title>",
        f"<desc>{escape(as_text(arrows))}</desc>",
        *(marker(name, colour) for name, colour in colours.items()),
        f'<rect width="{width}" height="{height}" rx="10" fill="{PAPER}"/>',
        *(band(row, width) for row in range(len(rows))),
        *(line(start, end, place, edges, colours) for start, end in sorted(edges)),
        *(through(node, place, colours) for node in sorted(place) if not node.is_room),
        *(box(node, place, colours) for node in sorted(place) if node.is_room),
        *(
            f'<text x="{MARGIN:g}" y="{bottom + 26 + 18 * n:g}" font-size="12" fill="{QUIET}">'
            f"{escape(text)}</text>"
            for n, text in enumerate(CAPTION)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def as_text(arrows: Arrows) -> str:
    """Return the arrows as text, one per line, for screen readers and the test."""
    return "\n".join(f"{start} imports from {end}" for start, end in sorted(arrows))


def top(row: int) -> float:
    """Return the y of a layer's upper edge."""
    return MARGIN + row * (ROW + GAP)


def inset(node: Node) -> float:
    """Return the distance from a layer's edge to its content."""
    return (ROW - BOX[1]) / 2 if node.is_room else 0.0


def marker(name: str, colour: str) -> str:
    return (
        f'<marker id="to-{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0.5L8 4L0 7.5z" fill="{colour}"/></marker>'
    )


def band(row: int, width: int) -> str:
    return (
        f'<rect x="{MARGIN / 2:g}" y="{top(row):g}" width="{width - MARGIN:g}" height="{ROW:g}" '
        f'rx="8" fill="{LAYER}"/>'
    )


def port(start: Node, end: Node, place: Places, edges: Edges) -> float:
    """Return the x where an edge leaves a room: side by side, in the order of their ends."""
    ends = sorted((b for a, b in edges if a == start), key=place.__getitem__)
    step = min(18.0, 0.8 * BOX[0] / len(ends))
    return place[start] + step * (ends.index(end) - (len(ends) - 1) / 2)


def line(start: Node, end: Node, place: Places, edges: Edges, colours: dict[str, str]) -> str:
    """Draw an edge from a node's lower edge to the upper edge of a node in the next layer."""
    x1 = port(start, end, place, edges) if start.is_room else place[start]
    x2 = place[end]
    y1, y2 = top(start.row) + ROW - inset(start), top(end.row) + inset(end)
    bend = (y2 - y1) * 0.55
    head = f' marker-end="url(#to-{end.name})"' if end.is_room else ""
    return (
        f'<path d="M{x1:.1f} {y1:g}C{x1:.1f} {y1 + bend:g} {x2:.1f} {y2 - bend:g} {x2:.1f} {y2:g}" '
        f'fill="none" stroke="{colours[end.name]}" stroke-width="1.4"{head}/>'
    )


def through(node: Node, place: Places, colours: dict[str, str]) -> str:
    return (
        f'<path d="M{place[node]:.1f} {top(node.row):g}v{ROW:g}" '
        f'stroke="{colours[node.name]}" stroke-width="1.4"/>'
    )


def box(node: Node, place: Places, colours: dict[str, str]) -> str:
    x, y = place[node] - BOX[0] / 2, top(node.row) + inset(node)
    return (
        f'<rect x="{x:.1f}" y="{y:g}" width="{BOX[0]:g}" height="{BOX[1]:g}" rx="6" '
        f'fill="{PAPER}" stroke="{colours[node.name]}" stroke-width="1.6"/>'
        f'<text class="room" x="{place[node]:.1f}" y="{y + BOX[1] / 2 + 5:g}" font-size="14" '
        f'font-weight="600" text-anchor="middle" fill="{INK}">{escape(node.name)}</text>'
    )


if __name__ == "__main__":
    main()
