"""The drawing of the rooms: that it shows what the code is now, and says it in words as well."""

import re
import xml.etree.ElementTree as ET

from helpers import ROOT
from helpers.scripts import module, run

SVG = "{http://www.w3.org/2000/svg}"
COMMAND = "run: python scripts/draw_rooms.py docs/rooms.svg"


def rooms_and_arrows(path):
    """What a drawing shows: the rooms from top to bottom, and the arrows in words."""
    root = ET.parse(path).getroot()
    texts = [text for text in root.iter(f"{SVG}text") if text.get("class") == "room"]
    heights = {text.text: float(text.get("y")) for text in texts}
    return heights, root.findtext(f"{SVG}desc").splitlines()


def layers_of(heights):
    return [
        {name for name, y in heights.items() if y == height}
        for height in sorted(set(heights.values()))
    ]


def test_the_drawing_is_that_of_the_present_code():
    script = module("draw_rooms")
    heights, said = rooms_and_arrows(ROOT / "docs/rooms.svg")
    assert layers_of(heights) == [set(layer) for layer in script.layers()], COMMAND
    assert said == script.as_text(script.arrows()).splitlines(), COMMAND


def test_arrows_point_down():
    heights, said = rooms_and_arrows(ROOT / "docs/rooms.svg")
    for sentence in said:
        start, end = sentence.split(" imports from ")
        assert heights[start] < heights[end], sentence


def test_an_arrow_that_others_imply_is_left_out():
    script = module("draw_rooms")
    for start, end in script.arrows():
        others = {room: set() for arrow in script.arrows() for room in arrow}
        for one, other in script.arrows() - {(start, end)}:
            others[one].add(other)
        assert end not in script.reached(others, start)


def test_the_command_writes_the_same_each_time(tmp_path):
    for name in ("one.svg", "two.svg"):
        run("draw_rooms", tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    rooms_and_arrows(tmp_path / "one.svg")


def test_rooms_do_not_overlap():
    width, height = module("draw_rooms").BOX
    text = (ROOT / "docs/rooms.svg").read_text(encoding="utf-8")
    size = f'width="{width:g}" height="{height:g}"'
    boxes = re.findall(rf'<rect x="([\d.]+)" y="([\d.]+)" {size}', text)
    assert len(boxes) == sum(len(layer) for layer in module("draw_rooms").layers())
    for index, (x, y) in enumerate(boxes):
        for other_x, other_y in boxes[:index]:
            assert y != other_y or abs(float(x) - float(other_x)) > width
