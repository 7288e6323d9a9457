"""The guards of the page one by one, without a server: what passes and what does not."""

import json
import threading

import cv2
import numpy as np
import pytest
from helpers.waiting import until

pytest.importorskip("fastapi")

from realtime_bg.backgrounds import BACKGROUNDS
from realtime_bg.backgrounds.still import ImageBackground
from realtime_bg.engines import ENGINES
from realtime_bg.settings import flattened, load, validated
from realtime_bg.settings.live import Live
from realtime_bg.web import connections, remote
from realtime_bg.web.answers import Refusal
from realtime_bg.web.form_checks import FormChoice, background_spec, check_engine, check_form
from realtime_bg.web.gallery import Gallery
from realtime_bg.web.limits import Limits
from realtime_bg.web.pixel_gate import PixelGate

PIXELS = 1_000_000


@pytest.fixture
def gallery(tmp_path):
    return Gallery(tmp_path / "gallery", PIXELS, 10, PixelGate(PIXELS))


@pytest.fixture
def live():
    return Live(load(flags={"background.current": "beach"}))


def refused(call, *arguments):
    """The status and the text of a refusal."""
    with pytest.raises(Refusal) as raised:
        call(*arguments)
    return raised.value.status, raised.value.text


def patch(live, gallery, changes, replaced=None):
    remote.change(live, gallery, changes, replaced or remote.Replaced())


def nested(key, value):
    """``a.b`` -> ``{"a": {"b": value}}``."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


# What a browser may change


FORBIDDEN = {
    *("source.spec", "source.size", "source.fps", "source.loop", "source.stall"),
    *("engine.model", "engine.combine.model", "engine.device", "engine.offline"),
    *("engine.plate.file", "background.inpaint", "idle.background"),
    *("output.sinks", "output.folder", "privacy.max_age", "presets"),
}


@pytest.mark.parametrize("key", sorted(flattened(load().model_dump())))
def test_a_browser_changes_nothing_that_names_files_devices_or_outputs(live, gallery, key):
    before = live.now
    value = flattened(before.model_dump())[key]
    change = nested(key, value)
    if key not in FORBIDDEN:
        patch(live, gallery, change)  # what it is already is no harm
        return
    status, text = refused(patch, live, gallery, change)
    assert status == 403
    assert text.startswith(f"{key}: can be set in config.yaml or on the command line")
    assert live.now is before


@pytest.mark.parametrize("section", ["source", "engine.plate", "engine", "output", "privacy"])
def test_nor_a_whole_section_with_such_a_key_in_it(live, gallery, section):
    for value in (None, "x", 3, ["x"]):
        status, _ = refused(patch, live, gallery, nested(section, value))
        assert status == 403
    patch(live, gallery, nested(section, {}))  # says nothing


@pytest.mark.parametrize("change", [{"a.b": 1}, {"output": {"sinks.x": 1}}, {"output.sinks": []}])
def test_keys_with_dots_are_no_way_around(live, gallery, change):
    status, text = refused(patch, live, gallery, change)
    assert (status, "write sections as objects" in text) == (422, True)


def test_a_name_that_only_begins_like_a_forbidden_one_is_another(live, gallery):
    with pytest.raises(Refusal) as raised:
        patch(live, gallery, {"sourcery": 1})
    assert raised.value.status == 422
    patch(live, gallery, {"output": {"mirror": True}})
    assert live.now.output.mirror


def test_all_changes_are_made_or_none(live, gallery):
    before = live.now
    both = {"refine": {"feather": 3}, "source": {"spec": "camera:1"}}
    assert refused(patch, live, gallery, both)[0] == 403
    assert live.now is before
    assert refused(patch, live, gallery, {"refine": {"feather": 99}})[0] == 422
    assert live.now is before


def test_paths_are_no_backgrounds_from_a_browser(live, gallery, tmp_path):
    own = tmp_path / "own.png"
    own.write_bytes(b"x")
    for spec in (str(own), "~/own.png", f"{tmp_path}", "../own.png", "gone.png"):
        for change in ({"current": spec}, {"items": [spec]}, {"items": spec}):
            assert refused(patch, live, gallery, {"background": change})[0] == 422
    for spec in ("none", "blur", "blur:24", "#00ff00", "red", "office"):
        patch(live, gallery, {"background": {"current": f" {spec} "}})
        assert live.now.background.current == spec
    patch(live, gallery, {"background": {"items": "red"}})
    assert live.now.background.items == ("red",)


def test_a_path_that_the_user_has_chosen_may_be_chosen_again(gallery, tmp_path):
    own, other = tmp_path / "own.png", tmp_path / "other.png"
    for path in (own, other):
        path.write_bytes(b"x")
    live = Live(load(flags={"background.current": "beach", "background.items": [str(own)]}))
    patch(live, gallery, {"background": {"current": str(own)}})
    assert live.now.background.current == str(own)
    assert refused(patch, live, gallery, {"background": {"current": str(other)}})[0] == 422


def test_what_a_browser_has_replaced_it_may_choose_again_but_nothing_that_another_has(
    gallery, tmp_path
):
    room, logo = (str(tmp_path / name) for name in ("room.png", "logo.png"))
    for path in (room, logo):
        cv2.imwrite(path, np.zeros((36, 64, 3), np.uint8))
    mine = {"background": {"current": room}, "layers": {"items": [{"name": "a", "file": logo}]}}
    live, replaced = Live(validated(mine)), remote.Replaced()
    bare = {"background": {"current": "beach"}, "layers": {"items": []}}
    live.modify(lambda _: bare)  # not from a browser
    for section, status in (("background", 422), ("layers", 403)):
        assert refused(patch, live, gallery, {section: mine[section]}, replaced)[0] == status
    live.modify(lambda _: mine)
    before = live.now
    patch(live, gallery, bare, replaced)
    patch(live, gallery, mine, replaced)
    assert live.now == before


def test_values_that_are_no_text_are_left_to_the_settings(live, gallery):
    for value in (3, None, ["beach"], {"x": 1}):
        assert refused(patch, live, gallery, {"background": {"current": value}})[0] == 422
    assert refused(patch, live, gallery, {"background": {"items": [3]}})[0] == 422


def test_what_a_browser_sees_has_no_password(gallery):
    live = Live(load(flags={"source.spec": "rtsp://me:secret@camera/1"}))
    values = remote.shown(live, gallery)
    assert values["source"]["spec"] == "rtsp://me:***@camera/1"
    assert "secret" not in str(values)
    assert flattened(values).keys() == flattened(load().model_dump()).keys()


def test_what_a_browser_sees_can_be_sent(gallery, tmp_path):
    live = Live(load(flags={"output.folder": str(tmp_path), "source.size": "640x360"}))
    values = json.loads(json.dumps(remote.shown(live, gallery)))
    assert values["output"]["folder"] == str(tmp_path)
    assert values["source"]["size"] == "640x360"


def test_a_background_that_is_deleted_is_let_go():
    live = Live(load(flags={"background.current": "red", "background.items": ["red", "beach"]}))
    remote.let_go(live, "office")
    assert live.now.background.current == "red"
    assert live.now.background.items == ("red", "beach")
    remote.let_go(live, "red")
    assert live.now.background.current == "blur"
    assert live.now.background.items == ("beach",)


# Forms


@pytest.mark.parametrize(
    ("background", "color", "engine", "expected"),
    [
        (None, None, None, (None, None)),
        ("", "", "", (None, None)),
        ("transparent", None, None, (None, None)),
        (None, "transparent", "auto", (None, "auto")),
        ("beach", None, "grabcut", ("beach", "grabcut")),
        (None, "#00ff00", None, ("#00ff00", None)),
        ("red", "", None, ("red", None)),
        ("blur:24", None, None, ("blur:24", None)),
        ("none", None, None, ("none", None)),
    ],
)
def test_a_form_names_a_background_and_an_engine(gallery, background, color, engine, expected):
    assert check_form(gallery, background, color, engine) == FormChoice(*expected)


def test_a_form_that_contradicts_itself_is_refused(gallery):
    assert refused(check_form, gallery, "beach", "red", None) == (
        422,
        "give background or color, not both",
    )
    status, text = refused(check_form, gallery, None, None, "rwm")
    assert status == 422
    assert text.startswith("unknown engine 'rwm'; there are auto, rvm, ")
    for name in ("auto", *ENGINES):
        check_engine(name)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "./beach",
        "a.png",
        "blur:/etc/passwd",
        "blur:\\\\host\\share",
        "image",
        "image:/etc/passwd",
        "video:a.mp4",
        "folder:/",
        "beach:x",
        "upload:../x",
        "upload:gone",
        "",
        "nocolour",
        "x" * 5000,
        "a\x00b",
    ],
)
def test_no_name_of_a_background_reads_a_file(gallery, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "image").write_bytes(b"x")
    status, text = refused(background_spec, gallery, name)
    assert status in (404, 422)
    assert len(text) < 400


class Picture(ImageBackground):
    """Of a plug-in: what it is given after the colon is a file."""

    takes_target = True


class Rain(Picture):
    """What it is given is no file."""

    target_is_safe = True


def test_a_plug_ins_target_passes_only_where_it_is_no_path(gallery, monkeypatch):
    for kind in (Picture, Rain):
        monkeypatch.setitem(BACKGROUNDS, kind.__name__.lower(), f"{__name__}:{kind.__name__}")
    assert background_spec(gallery, "rain:3") == "rain:3"
    assert refused(background_spec, gallery, "picture:private.png")[0] == 422
    for target in ("/etc/passwd", "a/b", "a\\b"):
        assert refused(background_spec, gallery, f"rain:{target}")[0] == 422


# Memory


def test_a_gate_counts_what_is_inside():
    gate, entered = PixelGate(100), []
    with gate.admit(60), gate.admit(40):  # exactly full
        thread = threading.Thread(target=lambda: enter(gate, 1, entered))
        thread.start()
        thread.join(0.05)
        assert entered == []
    thread.join(60)
    assert entered == [1]
    assert gate._inside == 0


def enter(gate, pixels, entered):
    with gate.admit(pixels):
        entered.append(pixels)


def test_a_picture_that_cannot_be_decoded_leaves_its_place():
    gate, entered = PixelGate(100), []
    with pytest.raises(ZeroDivisionError), gate.admit(500):
        raise ZeroDivisionError
    assert gate._inside == 0
    threads = [threading.Thread(target=enter, args=(gate, 100, entered)) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: len(entered) == 3)
    for thread in threads:
        thread.join(60)


def test_the_usual_limits():
    assert Limits().model_dump() == {
        "upload": 2_000_000_000,
        "photo": 50_000_000,
        "pixels": 50_000_000,
        "seconds": 3600.0,
        "photos": 4,
        "jobs": 8,
        "viewers": 8,
        "backgrounds": 100,
    }
    with pytest.raises(ValueError, match="frozen"):
        Limits().photo = 1


@pytest.mark.parametrize(
    ("handles", "expected"), [(10, 16), (64, 16), (68, 17), (1024, 256), (1028, 256), (10**6, 256)]
)
def test_connections_take_a_quarter_of_the_handles_at_most(monkeypatch, handles, expected):
    monkeypatch.setattr(connections, "most_handles", lambda: handles)
    assert connections.most_connections() == expected
    assert connections.HEAD_SECONDS == 10.0
