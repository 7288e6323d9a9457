"""The keyboard: every key does what the help says of it, and nothing else."""

import sys

import pytest

from realtime_bg.engines import ENGINES, installed
from realtime_bg.errors import SettingsError
from realtime_bg.settings import Settings, validated
from realtime_bg.settings.live import Live
from realtime_bg.settings.shortcuts import HELP, TWINS
from realtime_bg.steering.checks import Refused
from realtime_bg.steering.keys import KEYS, QUIT, click, press

MOUSE, PRESETS = "click", "F1...F12"
AFTER_RVM = installed()[installed().index("rvm") + 1]
NAMES = {"Esc": "\x1b", "space": " "}

# key -> the path it changes, what that is then (see `start`), and the words that say so
EXPECTED = {
    "b": ("background.current", "office", "next background"),
    "B": ("background.current", "studio", "previous background"),
    "0": ("background.current", "none", "no background"),
    "u": ("background.current", "blur", "blur the room"),
    "x": ("background.current", "erase", "erase the person"),
    "m": ("output.mirror", True, "mirror"),
    "z": ("frame.mode", "auto", "head and shoulders"),
    "o": ("subject.mode", "main", "only me"),
    "e": ("engine.name", AFTER_RVM, "next engine"),
    "p": ("plates", 1, "clean plate"),
    "v": ("output.virtualcam", True, "virtual camera on"),
    " ": ("paused", True, "pause"),
    "f": ("frozen", True, "freeze"),
    "l": ("layers.shown", False, "layers"),
    "i": ("light.active", True, "light on the person"),
    "a": ("view.alpha", True, "alpha"),
    "c": ("view.split", True, "before and after"),
    "[": ("refine.threshold", 0.45, "threshold of the edge down"),
    "]": ("refine.threshold", 0.55, "threshold of the edge up"),
    ",": ("refine.feather", 4, "less feather"),
    ".": ("refine.feather", 6, "more feather"),
    "r": ("output.record", True, "record"),
    "s": ("snapshots", 1, "snapshot"),
    "d": ("view.stats", True, "statistics"),
    "h": ("view.help", True, "help"),
}
TOGGLES = [key for key in "mzov facrdhi" if key in EXPECTED]


def keys_of(column):
    """The characters that a line of HELP speaks of: "q  Esc" is q and the escape key."""
    return [NAMES.get(word, word) for word in column.split()]


def described():
    return {
        key: text for column, text in HELP for key in keys_of(column) if key not in (MOUSE, PRESETS)
    }


def flat(settings, prefix=""):
    """``{"section.key": value}`` of a tree."""
    values = {}
    for name, value in settings:
        nested = hasattr(type(value), "model_fields")
        values |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return values


def changed(before, after):
    old, new = flat(before), flat(after)
    return {path for path in old if old[path] != new[path]}


def start():
    """A tree in which every key has something to change."""
    return validated(
        {
            "background": {"current": "beach", "items": ("beach", "office", "studio")},
            "refine": {"feather": 5},
            "engine": {"name": "rvm"},
        }
    )


def test_help_speaks_of_every_key_and_of_no_other():
    assert set(described()) == {*KEYS, *QUIT}


def test_keys_that_share_a_line_have_words_of_their_own():
    shared = [key for column, _ in HELP for key in keys_of(column) if len(keys_of(column)) > 1]
    assert set(shared) - set(QUIT) == set(TWINS)


def test_help_fits_its_column_and_mentions_no_key_twice():
    columns = [key for column, _ in HELP for key in keys_of(column)]
    assert len(columns) == len(set(columns))
    assert all(len(column) < 10 for column, _ in HELP)  # the overlay's width


def test_every_key_is_expected_here():
    assert set(EXPECTED) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_changes_what_help_says_and_nothing_else(key):
    path, value, words = EXPECTED[key]
    live = Live(start())
    assert press(live, key) is True
    assert changed(start(), live.now) == {path}
    assert flat(live.now)[path] == value
    assert words in TWINS.get(key, described()[key])


@pytest.mark.parametrize("key", TOGGLES)
def test_a_switch_pressed_twice_is_as_before(key):
    live = Live(start())
    press(live, key)
    assert live.now != start()
    press(live, key)
    assert live.now == start()


@pytest.mark.parametrize("key", QUIT)
def test_quit_keys_say_so_and_change_nothing(key):
    live = Live(start())
    assert press(live, key) is False
    assert live.now == start()


@pytest.mark.parametrize("key", ["X", "Q", "1", "\r", "\x00", "\xff", ""])
def test_other_keys_are_ignored(key):
    live = Live(start())
    assert press(live, key) is True
    assert live.now == start()


@pytest.mark.parametrize(("key", "end"), [("[", 0.05), ("]", 0.95)])
def test_the_threshold_stops_at_its_ends(key, end):
    live = Live(start())
    seen = []
    for _ in range(30):
        press(live, key)
        seen.append(live.now.refine.threshold)
    assert seen[-1] == end
    assert all(0.05 <= value <= 0.95 for value in seen)


def test_the_threshold_comes_back_to_where_it_was():
    live = Live(start())
    for key in "]]][[[":
        press(live, key)
    assert live.now.refine.threshold == 0.5  # no rest of 0.05 + 0.05 + ...


@pytest.mark.parametrize(("key", "end"), [(",", 0), (".", 64)])
def test_the_feather_stops_at_its_ends(key, end):
    live = Live(start())
    for _ in range(80):
        press(live, key)
    assert live.now.refine.feather == end


def test_no_background_and_blur():
    live = Live(start())
    press(live, "0")
    assert live.now.background.current == "none"
    press(live, "u")
    assert live.now.background.current == "blur"


def test_backgrounds_go_round_in_both_directions():
    live = Live(start())
    seen = []
    for key in "bbbBB":
        press(live, key)
        seen.append(live.now.background.current)
    assert seen == ["office", "studio", "beach", "studio", "office"]


def test_backgrounds_go_on_from_one_outside_the_list():
    for key, first in (("b", "beach"), ("B", "studio")):
        live = Live(start())
        press(live, "0")
        press(live, key)
        assert live.now.background.current == first


def test_backgrounds_walk_through_the_files_of_a_folder(tmp_path):
    for name in ("10.png", "2.png", "1.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    files = [str(tmp_path / name) for name in ("1.png", "2.png", "10.png")]
    items = ("blur", str(tmp_path))
    live = Live(validated({"background": {"current": "blur", "items": items}}))
    seen = []
    for key in "bbbbB":
        press(live, key)
        seen.append(live.now.background.current)
    assert seen == [*files, "blur", files[-1]]


def test_backgrounds_with_an_empty_folder_stay(tmp_path):
    live = Live(validated({"background": {"current": "beach", "items": (str(tmp_path),)}}))
    press(live, "b")
    assert live.now.background.current == "beach"


def test_engines_go_round_and_leave_the_model_file_behind():
    live = Live(validated({"engine": {"name": "rvm", "model": "a.onnx"}}))
    seen = []
    for _ in ENGINES:
        press(live, "e")
        seen.append(live.now.engine.name)
    assert sorted(seen) == sorted(ENGINES)
    assert seen[-1] == "rvm"
    assert live.now.engine.model is None


def test_from_auto_the_next_engine_is_the_first():
    live = Live(Settings())
    press(live, "e")
    assert live.now.engine.name == next(iter(ENGINES))


def test_every_clean_plate_counts():
    live = Live(start())
    for _ in range(2):
        press(live, "p")
    assert live.now.plates == 2
    assert live.now.engine == start().engine  # nothing is opened again


def test_every_snapshot_counts():
    live = Live(start())
    for _ in range(3):
        press(live, "s")
    assert live.now.snapshots == 3


def test_the_next_engine_passes_over_those_that_could_not_be_opened():
    names = installed()
    live = Live(Settings(engine={"name": names[0]}))
    for name in names[1:3]:
        live.note_engine(name, usable=False)
    press(live, "e")
    assert live.now.engine.name == names[3]
    live.note_engine(names[1], usable=True)
    live.update(engine__name=names[0])
    press(live, "e")
    assert live.now.engine.name == names[1]


def test_the_next_engine_passes_over_those_that_are_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    live = Live(Settings(engine={"name": "rvm"}))
    press(live, "e")
    assert live.now.engine.name == "embedded"


def test_a_key_that_would_change_to_what_is_gone_changes_nothing(tmp_path):
    live = Live(
        Settings(background={"current": "blur", "items": ["blur", str(tmp_path / "x.jpg")]})
    )
    with pytest.raises(Refused, match=r"x\.jpg"):
        press(live, "b")
    assert live.now.background.current == "blur"


@pytest.mark.parametrize("mirror", [False, True])
def test_a_click_picks_the_screens_colour_where_it_is_in_the_frame(mirror):
    live = Live(validated({"engine": {"name": "chroma"}, "output": {"mirror": mirror}}))
    click(live, (0.2, 0.7))
    assert live.now.engine.chroma.pick == pytest.approx((0.8 if mirror else 0.2, 0.7))
    assert changed(validated({"engine": {"name": "chroma"}}), live.now) <= {
        "engine.chroma.pick",
        "output.mirror",
    }
    assert any(column == MOUSE and "chroma" in text for column, text in HELP)


def test_a_click_into_a_part_of_the_picture_is_one_into_the_whole():
    live = Live(validated({"engine": {"name": "chroma"}, "output": {"mirror": True}}))
    click(live, (0.25, 0.5), (0.4, 0.2, 0.5, 0.5))
    assert live.now.engine.chroma.pick == pytest.approx((0.4 + 0.75 * 0.5, 0.45))


def test_a_click_picks_a_person_only_if_people_are_picked():
    for mode, picks in (("all", 0), ("main", 0), ("pick", 2)):
        live = Live(validated({"subject": {"mode": mode}}))
        for _ in range(2):
            click(live, (0.2, 0.7), (0.5, 0.5, 0.5, 0.5))
        assert live.now.subject.picks == picks
        assert live.now.subject.point == ((0.6, 0.85) if picks else (0.5, 0.5))


def test_a_click_is_nothing_to_other_engines_and_reaches_a_second_one():
    live = Live(validated({"engine": {"name": "rvm"}}))
    before = live.now
    click(live, (0.2, 0.7))
    assert changed(before, live.now) == set()
    both = Live(validated({"engine": {"name": "rvm", "combine": {"engine": "chroma"}}}))
    click(both, (0.2, 0.7))
    assert both.now.engine.chroma.pick == (0.2, 0.7)


def test_an_engine_in_use_that_cannot_be_opened_again_keeps_its_place():
    """Otherwise the walk would begin anew at the first one and never come past it."""
    names = installed()
    live = Live(Settings(engine={"name": names[2]}))
    live.note_engine(names[2], usable=False)
    press(live, "e")
    assert live.now.engine.name == names[3]


def test_function_keys_apply_the_presets_in_their_order():
    presets = [
        {"name": "One", "values": {"background.current": "office"}},
        {"name": "Two", "values": {"background.current": "beach", "refine.feather": 3}},
    ]
    live = Live(validated({"presets": presets}))
    assert press(live, "F2")
    assert (live.now.background.current, live.now.refine.feather) == ("beach", 3)
    assert press(live, "F1")
    assert (live.now.background.current, live.now.refine.feather) == ("office", 0)
    with pytest.raises(SettingsError, match="F3: there is no preset 3"):
        press(live, "F3")
    assert live.now.background.current == "office"
    press(live, "F13")
    assert any(column == PRESETS and "preset" in text for column, text in HELP)
