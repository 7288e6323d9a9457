"""Draw the icon of the web page and the desktop entry: a person in front of half a room and half a
beach.

python scripts/make_icon.py realtime_bg/web/page/icon.svg
"""

import argparse
import math
from pathlib import Path

from realtime_bg.system.files import write_whole

SIDE = 64
MIDDLE = SIDE / 2
ROOM, STRIPE, SKY, SEA, SAND, SUN = "#3d4a5c", "#4b5a70", "#7fd3e6", "#0e7c86", "#f2d9a0", "#ffd166"
WHITE = "#ffffff"
HEAD = (MIDDLE, 25.0, 11.0)  # x, y, radius
SHOULDERS = (10.0, 39.0)  # left end at the bottom, top


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path)
    write_whole(parser.parse_args(arguments).output, drawn().encode())


def drawn() -> str:
    """Return the SVG."""
    shapes = [*room(), *beach(), *person()]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}">',
        f'  <clipPath id="card"><rect width="{SIDE}" height="{SIDE}" rx="14"/></clipPath>',
        '  <g clip-path="url(#card)">',
        *(f"    {shape}" for shape in shapes),
        "  </g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def room() -> list[str]:
    """Draw the left half: a wall with stripes."""
    stripes = [rectangle(x, 0, 4, SIDE, STRIPE) for x in range(4, int(MIDDLE), 8)]
    return [rectangle(0, 0, MIDDLE, SIDE, ROOM), *stripes]


def beach() -> list[str]:
    """Draw the right half: sky, sun, a sea with waves, sand."""
    waves = " ".join(
        f"L{number(MIDDLE + x)} {number(38 + math.sin(x / 16 * math.tau))}" for x in range(0, 33, 2)
    )
    sea = f"M{number(MIDDLE)} {number(SIDE)} {waves} L{SIDE} {SIDE} Z"
    return [
        rectangle(MIDDLE, 0, MIDDLE, SIDE, SKY),
        circle(52, 14, 6, SUN),
        f'<path d="{sea}" fill="{SEA}"/>',
        rectangle(MIDDLE, 54, MIDDLE, 10, SAND),
    ]


def person() -> list[str]:
    """Draw head and shoulders, symmetrically."""
    left, top = SHOULDERS
    right = SIDE - left
    body = (
        f"M{number(left)} {SIDE}C{number(left + 2)} {number(SIDE - 17)} {number(left + 11)} "
        f"{number(top)} {number(MIDDLE)} {number(top)}S{number(right - 2)} {number(SIDE - 17)} "
        f"{number(right)} {SIDE}Z"
    )
    return [circle(*HEAD, WHITE), f'<path d="{body}" fill="{WHITE}"/>']


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    sides = f'width="{number(width)}" height="{number(height)}"'
    return f'<rect x="{number(x)}" y="{number(y)}" {sides} fill="{colour}"/>'


def circle(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" fill="{colour}"/>'


def number(value: float) -> str:
    """Format with at most two decimals, so that the file is the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    main()
