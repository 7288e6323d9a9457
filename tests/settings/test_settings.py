"""Settings: who wins, what a bad value says, and how the live cell changes."""

import json
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from realtime_bg.errors import SettingsError
from realtime_bg.settings import Settings, load, merged, nested, validated
from realtime_bg.settings.live import Live


@pytest.fixture
def config(tmp_path):
    """Write a configuration file and return its path."""

    def write(text):
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path=None, flags=None):
    """The message of the one error `load` must raise; one line, for people."""
    with pytest.raises(SettingsError) as caught:
        load(path, flags)
    message = str(caught.value)
    assert "\n" not in message
    assert "pydantic" not in message
    return message


# precedence


def test_defaults_without_anything():
    assert load() == Settings()
    assert load(flags={}) == Settings()


def test_defaults_then_file_then_environment_then_flags(config, monkeypatch):
    path = config("refine:\n  feather: 1\n  threshold: 0.4\nengine:\n  name: grabcut\n")
    assert load().refine.feather == 0
    assert load(path).refine.feather == 1
    monkeypatch.setenv("REALTIME_BG_REFINE__FEATHER", "2")
    assert load(path).refine.feather == 2
    got = load(path, {"refine.feather": 3})
    assert got.refine.feather == 3
    assert got.refine.threshold == 0.4  # its neighbours in the section stay
    assert got.engine.name == "grabcut"


def test_a_list_is_replaced_not_joined(config):
    path = config("background:\n  items: [beach, office]\n")
    assert load(path).background.items == ("beach", "office")
    assert load(path, {"background.items": ("blur",)}).background.items == ("blur",)


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        ("SOURCE__SIZE", "64x48", "source", "size", (64, 48)),
        ("SOURCE__FPS", "12.5", "source", "fps", 12.5),
        ("SOURCE__SPEC", "7", "source", "spec", "7"),
        ("SOURCE__LOOP", "true", "source", "loop", True),
        ("ENGINE__MODEL", "a/b.onnx", "engine", "model", Path("a/b.onnx")),
        ("BACKGROUND__ITEMS", '["beach", "blur"]', "background", "items", ("beach", "blur")),
    ],
)
def test_the_environment_gives_every_kind_of_value(monkeypatch, name, text, section, key, value):
    monkeypatch.setenv(f"REALTIME_BG_{name}", text)
    assert getattr(getattr(load(), section), key) == value


def test_the_variable_for_model_folders_is_no_setting(monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", "/somewhere")
    assert load() == Settings()


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n", "---\n", "\ufeff{}\n"])
def test_an_empty_file_means_defaults(config, text):
    assert load(config(text)) == Settings()


@pytest.mark.parametrize(
    ("text", "size"),
    [("1280x720", (1280, 720)), (" 64X48 ", (64, 48)), ("[64, 48]", (64, 48)), ("~", None)],
)
def test_ways_to_write_a_size(config, text, size):
    assert load(config(f"source:\n  size: {text}\n")).source.size == size


def test_auto_is_no_work_size(config):
    path = config("engine:\n  work_size: 320x180\n")
    assert load(path).engine.work_size == (320, 180)
    assert load(path, {"engine.work_size": "auto"}).engine.work_size is None


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:11"])
def test_devices_that_are_allowed(device):
    assert load(flags={"engine.device": device}).engine.device == device


# errors


@pytest.mark.parametrize(
    ("text", "line", "parts"),
    [
        ("source:\n  spec: demo\n  size: big\n", 3, ("source.size", "'big'", "1280x720")),
        ('source:\n  size: "0x720"\n', 2, ("source.size", "'0x720'")),
        ("source:\n  size: 20000x10\n", 2, ("source.size", "'20000x10'")),
        ("source:\n  fps: 0\n", 2, ("source.fps", "greater than 0")),
        ("source:\n  fps: 1001\n", 2, ("source.fps", "1000")),
        ("source:\n  fps: .nan\n", 2, ("source.fps",)),
        ("source:\n  loop: maybe\n", 2, ("source.loop", "boolean")),
        ("\n\nengine:\n  device: gpu\n", 4, ("engine.device", "'gpu'", "cuda:N")),
        ("engine: {retries: -1}\n", 1, ("engine.retries",)),
        ("engine:\n  nmae: rvm\n", 2, ("engine.nmae", "no such setting")),
        ("colour: red\n", 1, ("colour", "no such setting")),
        ("source: {}\nengine: 3\n", 2, ("engine",)),
        ("output:\n  sinks:\n    - 7\n", 2, ("output.sinks", "string")),
        ("refine:\n  threshold: 2\n", 2, ("refine.threshold", "0.95")),
        ("background:\n  fit: zoom\n", 2, ("background.fit", "cover")),
        ("background:\n  current: #00ff00\n", 2, ("background.current",)),
        ("1: 2\n", 1, ("1", "string")),
    ],
)
def test_a_bad_value_in_a_file_says_file_line_key_and_reason(config, text, line, parts):
    path = config(text)
    message = refused(path)
    assert message.startswith(f"{path}, line {line}: ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("source:\n  spec: [\n", 3),
        ("source:\n\tspec: a\n", 2),
        ("a: 1\nb: : 2\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: !!python/object:os.system x\n", 1),
    ],
)
def test_broken_yaml_says_file_and_line(config, text, line):
    path = config(text)
    assert refused(path).startswith(f"{path}, line {line}: ")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("output:\n  folder: 2026-13-45\n", 2, "month must be in 1..12"),
        ("source:\n  fps: " + "1" * 5000, 2, "4300 digits"),
        ("a: !!float x\n", 1, "a value that cannot be read"),
        ("a: !!timestamp x\n", 1, "a value that cannot be read"),
    ],
)
def test_a_value_that_yaml_cannot_make_says_file_and_line(config, text, line, reason):
    path = config(text)
    message = refused(path)
    assert message.startswith(f"{path}, line {line}: ")
    assert reason in message


def test_a_file_of_brackets_is_refused(config):
    path = config("a: " + "[" * 10_000)
    assert refused(path) == f"{path}: nested too deeply"


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "7\n"])
def test_a_file_that_is_no_mapping_says_what_was_expected(config, text):
    path = config(text)
    message = refused(path)
    assert message.startswith(f"{path}: ")
    assert "section: key: value" in message


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"a: \xe4\n"])
def test_a_file_that_is_no_text(config, text):
    path = config(text)
    assert refused(path).startswith(f"{path}: ")


def test_a_file_that_is_missing_or_a_folder(tmp_path):
    assert "nowhere.yaml: No such file" in refused(tmp_path / "nowhere.yaml")
    assert "Is a directory" in refused(tmp_path)


def test_a_control_character_in_a_file_is_one_line(config):
    assert "special characters" in refused(config("a: \x00\n"))


def test_a_file_that_contains_itself_is_refused(config):
    refused(config("source: &a\n  size: *a\n"))


@pytest.mark.parametrize("size", ["[0, 720]", "[1280, -1]", "[1, 99999]"])
@pytest.mark.parametrize("key", ["source.size", "engine.work_size"])
def test_a_size_given_as_a_pair_has_the_same_range(config, key, size):
    section, _, name = key.partition(".")
    assert key in refused(config(f"{section}:\n  {name}: {size}\n"))


def test_a_section_whose_keys_are_all_commented_out_means_defaults(config):
    assert load(config("source:\n#  spec: demo\n")) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "key", "reason"),
    [
        ("SOURCE__FPS", "fast", "source.fps", "number"),
        ("SOURCE__SIZE", "64", "source.size", "tuple"),
        ("ENGINE__DEVICE", "tpu", "engine.device", "'tpu' is not a device"),
        ("ENGINE__NMAE", "x", "engine.nmae", "no such setting"),
        ("PRIVACY__MAX_AGE", "0", "privacy.max_age", "0.1"),
    ],
)
def test_a_bad_value_in_the_environment_says_so(monkeypatch, name, text, key, reason):
    monkeypatch.setenv(f"REALTIME_BG_{name}", text)
    message = refused()
    assert message.startswith("environment (REALTIME_BG_")
    assert f"{key}: " in message
    assert reason in message


@pytest.mark.parametrize(
    ("name", "text"), [("BACKGROUND__ITEMS", "beach,office"), ("ENGINE", "rvm")]
)
def test_an_environment_value_that_is_no_json_is_our_error(monkeypatch, name, text):
    monkeypatch.setenv(f"REALTIME_BG_{name}", text)
    assert refused().startswith("environment (REALTIME_BG_")


def test_an_unknown_section_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("REALTIME_BG_ENGIN__NAME", "rvm")
    assert "engin" in refused().lower()


def test_the_layer_with_the_bad_value_is_the_one_named(config, monkeypatch):
    path = config("source:\n  fps: 10\n")
    monkeypatch.setenv("REALTIME_BG_SOURCE__FPS", "20")
    message = refused(path, {"source.fps": -1})
    assert message.startswith("command line: source.fps: ")


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        ({"source.size": "64x"}, ("source.size", "'64x'")),
        ({"engine.device": "cuda:x"}, ("engine.device", "'cuda:x'")),
        ({"engine.work_size": "small"}, ("engine.work_size", "'small'")),
        ({"source.nonsense": 1}, ("source.nonsense", "no such setting")),
    ],
)
def test_a_bad_flag_says_so(flags, parts):
    message = refused(flags=flags)
    assert message.startswith("command line: ")
    assert all(part in message for part in parts)


def test_the_error_is_also_a_value_error():
    with pytest.raises(ValueError, match="fps"):
        load(flags={"source.fps": 0})


# the tree


def test_the_tree_is_frozen():
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.paused = True
    with pytest.raises(ValidationError, match="frozen"):
        settings.source.spec = "demo"
    assert settings == Settings()


def test_a_dump_to_json_comes_back_the_same():
    settings = load(
        flags={
            "source.size": "64x48",
            "source.fps": 12.5,
            "engine.model": Path("weights") / "a.onnx",
            "engine.work_size": (320, 180),
            "background.items": ("beach", "#00b140"),
            "output.sinks": ("null", "out.mp4"),
            "output.folder": Path("pictures"),
            "paused": True,
            "snapshots": 3,
        }
    )
    text = settings.model_dump_json()
    assert Settings.model_validate_json(text) == settings
    assert validated(json.loads(text)) == settings  # what a web page would send back
    assert json.loads(text)["source"]["size"] == "64x48"  # as a person would write it
    assert Settings.model_validate_json(Settings().model_dump_json()) == Settings()


def test_merged_leaves_its_arguments_alone():
    base = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merged(base, {"a": {"y": 4}, "c": 5}) == {"a": {"x": 1, "y": 4}, "b": 3, "c": 5}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}


def test_nested_takes_paths_of_any_depth():
    assert nested({"a": 1, "b.c": 2, "b.d": 3}) == {"a": 1, "b": {"c": 2, "d": 3}}


# the live cell


def test_update_changes_keys_and_sections_by_name():
    live = Live(Settings())
    before = live.now
    after = live.update(paused=True, output__mirror=True, source__size="64x48")
    assert after is live.now
    assert (after.paused, after.output.mirror, after.source.size) == (True, True, (64, 48))
    assert before == Settings()  # whoever holds the old tree still has the old values


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"refine__feather": 65}, "refine.feather"),
        ({"refine__nonsense": 1}, "no such setting"),
        ({"nonsense": 1}, "no such setting"),
        ({"paused__x": 1}, "paused"),
        ({"engine": None}, "engine"),
    ],
)
def test_a_bad_change_is_refused_whole_and_keeps_the_old_tree(changes, part):
    live = Live(Settings())
    before = live.now
    with pytest.raises(SettingsError, match=part):
        live.update(frozen=True, **changes)
    assert live.now is before


def test_a_change_that_raises_keeps_the_old_tree_and_frees_the_lock():
    live = Live(Settings())
    before = live.now
    with pytest.raises(ZeroDivisionError):
        live.modify(lambda _: {"snapshots": 1 // 0})
    assert live.now is before
    assert live.update(paused=True).paused


def test_modify_sees_the_present_tree():
    live = Live(Settings())
    for _ in range(3):
        live.modify(lambda s: {"snapshots": s.snapshots + 1})
    assert live.now.snapshots == 3


def test_nothing_is_lost_between_many_threads():
    live, threads, rounds = Live(Settings()), 8, 50
    start = threading.Barrier(threads)

    def work(number):
        start.wait()
        for _ in range(rounds):
            live.modify(lambda s: {"snapshots": s.snapshots + 1})
            live.modify(lambda s: {"output.mirror": not s.output.mirror})
            live.update(**{("paused", "frozen")[number % 2]: True})

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    now = live.now
    assert now.snapshots == threads * rounds
    assert now.output.mirror is False  # toggled an even number of times
    assert (now.paused, now.frozen) == (True, True)  # neither writer undid the other


def test_a_lone_string_is_a_list_of_one():
    assert load(flags={"output.sinks": "null"}).output.sinks == ("null",)


def test_a_colour_without_quotes_says_what_is_wrong(config):
    message = refused(config("background:\n  current: #00b140\n"))
    assert "background.current" in message
    assert "quotes" in message


@pytest.mark.parametrize("key", ["engine.hang", "background.interval", "privacy.max_age"])
def test_endless_numbers_are_refused(key):
    """JSON has none: the page could not read the settings."""
    with pytest.raises(SettingsError):
        load(flags={key: float("inf")})
