"""The files that settings name, on their way to a node."""

import shutil
from pathlib import Path

import cv2
import pytest
from helpers.clips import picture

from realtime_bg import zoo
from realtime_bg.cluster import luggage
from realtime_bg.settings import load


def settings(**values):
    return load(None, {name.replace("__", "."): value for name, value in values.items()})


def carried(given, place):
    """The settings on a node that has nothing of the driver's; its files are in ``place``."""
    items = luggage.packed(given)
    contents = [Path(item.path).read_bytes() for item in items]
    for item in items:
        shutil.move(item.path, item.path + ".gone")
    missing = luggage.lacking(items)
    return luggage.unpacked(given, items, {n: contents[n] for n in missing}, place)


def test_a_relative_background_gets_its_full_path_and_is_brought(place):
    cv2.imwrite("room.png", picture(3))
    before = (place / "room.png").read_bytes()
    given = luggage.absolute(settings(background__current="room.png"))
    assert given.background.current == str(place / "room.png")
    there = carried(given, place / "node")
    assert there.background.current == str(place / "node/background.current/room.png")
    assert (place / "node/background.current/room.png").read_bytes() == before


def test_what_is_no_file_stays_as_it_is(place):
    for name in ("blur:24", "office", "#00b140"):
        given = settings(background__current=name)
        assert luggage.absolute(given) == given
        assert [item for item in luggage.packed(given) if item.key != luggage.WEIGHTS] == []


def test_what_a_node_has_is_not_brought(place):
    cv2.imwrite("room.png", picture(3))
    given = luggage.absolute(settings(background__current="room.png"))
    items = luggage.packed(given)
    assert luggage.lacking(items) == []
    assert luggage.unpacked(given, items, {}, place / "node") == given
    cv2.imwrite("room.png", picture(9, (99, 66)))  # another file of that name
    assert luggage.lacking(items) == [0]


def test_a_folder_of_backgrounds_is_brought_as_a_whole(place):
    (place / "rooms").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(f"rooms/{name}", picture(3))
    (place / "rooms/notes.txt").write_text("no picture")
    given = luggage.absolute(settings(background__current="rooms"))
    there = carried(given, place / "node")
    assert there.background.current == str(place / "node/background.current")
    names = sorted(path.name for path in (place / "node/background.current").iterdir())
    assert names == ["a.png", "b.png"]


@pytest.mark.parametrize("named", [True, False], ids=["by name", "by the engine"])
def test_weights_of_this_machine_are_found_on_the_node(place, monkeypatch, named):
    row = next(row for row in zoo.models().values() if row.engine == "rvm")
    (place / "models").mkdir()
    (place / "models" / row.file).write_bytes(b"weights")
    monkeypatch.setenv(zoo.FOLDERS_VARIABLE, str(place / "models"))
    given = settings(engine__name="rvm", **({"engine__model": row.name} if named else {}))
    items = luggage.packed(given)
    assert [(item.key, item.place) for item in items] == [(luggage.WEIGHTS, row.file)]
    assert luggage.lacking(items) == []
    monkeypatch.setenv(zoo.FOLDERS_VARIABLE, "")
    (place / "models" / row.file).unlink()
    assert luggage.lacking(items) == [0]
    luggage.unpacked(given, items, {0: b"weights"}, place / "node")
    assert zoo.find(row) == place / "node/weights" / row.file
