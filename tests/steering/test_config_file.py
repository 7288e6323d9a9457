"""Edits of config.yaml and of the files in use, seen by a running program."""

import os
import threading
import time

import cv2
import numpy as np
import pytest
from helpers.waiting import until

from realtime_bg.errors import SettingsError
from realtime_bg.frames import Frame
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import chosen_config, default_config, load, loading
from realtime_bg.settings.live import Live
from realtime_bg.settings.loading import value_of
from realtime_bg.sinks import wanted_sinks
from realtime_bg.stats import Stats
from realtime_bg.steering.changes import absolute, apply, apply_texts, as_value, switch
from realtime_bg.steering.checks import prepare
from realtime_bg.steering.config_file import ConfigFile, in_use
from realtime_bg.steering.keys import press
from realtime_bg.system import watching
from realtime_bg.system.watching import FileWatch


@pytest.fixture
def opened(tmp_path):
    """A file with some text, and what follows it."""

    def opened(text, **flags):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        live = Live(load(path, flags))
        return path, live, ConfigFile(path, live, Stats())

    return opened


def test_only_what_changed_in_the_file_is_applied(opened):
    path, live, file = opened("refine: {feather: 1, threshold: 0.4}\noutput: {mirror: false}\n")
    press(live, "m")
    live.update(refine__feather=9)
    path.write_text("refine: {feather: 1, threshold: 0.6}\noutput: {mirror: false}\n")
    assert file.reload()
    assert live.now.refine.threshold == 0.6
    assert live.now.output.mirror  # the key
    assert live.now.refine.feather == 9  # and the change by another hand
    path.write_text("refine: {feather: 2, threshold: 0.6}\noutput: {mirror: false}\n")
    assert file.reload()
    assert live.now.refine.feather == 2


def test_a_key_that_is_taken_out_goes_back_to_what_it_is_without(opened, monkeypatch):
    path, live, file = opened("refine: {feather: 1, threshold: 0.4}\n")
    monkeypatch.setenv("REALTIME_BG_REFINE__THRESHOLD", "0.7")
    path.write_text("refine:\n")
    assert file.reload()
    assert live.now.refine.feather == 0
    assert live.now.refine.threshold == 0.7


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("refine:\n  feather: soft\n", 2, "refine.feather"),
        ("refine:\n  feather: 3\n  fether: 3\n", 3, "no such setting"),
        ("refine:\n  feather: [\n", 3, "expected"),
        ("engine:\n  name: embedded\nbackground:\n  current: beech\n", 4, "did you mean 'beach'"),
        ("engine:\n  name: rwm\n", 2, "did you mean 'rvm'"),
        ("output:\n  sinks: [null, window]\n", 2, "output.sinks"),
    ],
)
def test_a_bad_edit_is_refused_with_file_line_and_reason(opened, caplog, text, line, reason):
    path, live, file = opened("refine: {feather: 1}\n")
    before = live.now
    path.write_text(text)
    assert not file.reload()
    assert live.now == before
    assert f"{path}, line {line}: " in file.problem
    assert reason in file.problem
    assert "the old settings stay" in caplog.text
    path.write_text("refine: {feather: 4}\n")
    assert file.reload()
    assert live.now.refine.feather == 4
    assert file.problem == ""


def test_what_was_applied_and_could_not_be_used_is_tried_again(opened):
    """An engine that does not open is taken back later; the next edit must not half apply it."""
    path, live, file = opened("engine: {name: rvm}\n")
    path.write_text("engine: {name: semantic}\n")
    assert file.reload()
    live.take_back({"engine.name": "semantic"}, {"engine.name": "rvm"}, "no model")
    assert live.now.engine.name == "rvm"
    assert file.problem == f"{path}: engine.name: no model"
    path.write_text("engine: {name: semantic, device: cpu}\n")
    assert file.reload()
    assert (live.now.engine.name, live.now.engine.device) == ("semantic", "cpu")
    assert file.problem == ""
    live.update(engine__name="grabcut")
    live.take_back({"engine.name": "semantic"}, {"engine.name": "rvm"}, "no model")
    assert live.now.engine.name == "grabcut"  # chosen meanwhile
    assert file.problem == ""


def test_edits_of_outputs_mean_what_they_mean_at_the_start(tmp_path):
    path, flags = tmp_path / "config.yaml", {"background.current": "beach"}
    text = "output: {{sinks: {}}}\nbackground: {{current: office}}\n"
    path.write_text(text.format("['null']"))
    live = Live(prepare(load(path, flags), "daemon"))
    file = ConfigFile(path, live, Stats(), lambda path: prepare(load(path, flags=flags), "daemon"))
    assert wanted_sinks(live.now.output) == ["null"]
    path.write_text(text.format("['null', virtualcam]"))
    assert file.reload()
    assert wanted_sinks(live.now.output) == ["null", "virtualcam"]
    path.write_text(text.format("['null']"))
    assert file.reload()
    assert wanted_sinks(live.now.output) == ["null"]
    path.write_text(text.format("[]"))
    assert file.reload()
    assert wanted_sinks(live.now.output) == ["virtualcam"]
    path.write_text(text.format("['null']"))
    assert file.reload()
    assert wanted_sinks(live.now.output) == ["null"]
    live.update(output__virtualcam=True)  # somebody has pressed v: no matter of the file
    path.write_text(text.format("['null', talk.mp4]"))
    assert file.reload()
    assert wanted_sinks(live.now.output) == ["null", "talk.mp4", "virtualcam"]
    path.write_text("output: {sinks: []}\n")
    assert file.reload()
    assert live.now.background.current == "beach"  # the flag's, not the default


def test_a_file_that_is_gone_changes_nothing(opened, caplog):
    path, live, file = opened("refine: {feather: 1}\n")
    path.unlink()
    assert not file.reload()
    assert live.now.refine.feather == 1
    assert "has been deleted" in caplog.text


def test_without_config_the_users_own_is_taken_where_there_is_one(monkeypatch, tmp_path):
    own = tmp_path / "config.yaml"
    monkeypatch.setattr(loading, "default_config", lambda: own)
    assert chosen_config(None) is None
    own.write_text("")
    assert chosen_config(None) == own
    assert chosen_config(tmp_path / "x") == tmp_path / "x"
    assert default_config().name == "config.yaml"


# by name


def test_values_are_read_as_yaml_where_that_is_allowed(tmp_path, monkeypatch):
    now = load()

    def set_to(key, text):
        return value_of(apply_texts(Live(now), {key: text}), key)

    assert set_to("engine.model", "null") is None
    assert set_to("output.mirror", "true") is True
    assert set_to("background.current", "none") == "none"
    assert set_to("background.current", "#00b140") == "#00b140"
    assert set_to("background.items", "[beach, blur]") == ("beach", "blur")
    (tmp_path / "7").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert set_to("source.spec", "7") == "7"
    for text in ("2026-13-45", "1" * 5000, "[" * 10_000):
        assert as_value(text) == text or not isinstance(as_value(text), list)
        with pytest.raises(SettingsError, match="source"):
            set_to("source.spec", text)
    for key, text in {"refine.feather": "x", "refine.nope": "1", "nope": "1"}.items():
        with pytest.raises(SettingsError, match=key):
            set_to(key, text)
    assert switch(now, "mirror") == ("output.mirror", True)
    assert switch(now, "output.mirror") == ("output.mirror", True)
    with pytest.raises(SettingsError, match=r"cannot be switched; choose one of: .*output.mirror"):
        switch(now, "feather")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beach").mkdir()
    (tmp_path / "x.png").write_bytes(b"x")
    assert absolute("background.current", "x.png") == str(tmp_path / "x.png")
    assert absolute("background.current", "beach") == "beach"
    assert absolute("background.current", "nope.png") == "nope.png"
    assert absolute("refine.feather", "x.png") == "x.png"
    assert absolute("output.folder", "not-there-yet") == str(tmp_path / "not-there-yet")
    assert absolute("engine.plate.file", "null") == "null"


def test_several_changes_are_made_together_or_not_at_all():
    live = Live(load())
    with pytest.raises(SettingsError, match=r"background.current: background 'nope'"):
        apply(live, lambda _: {"refine.feather": 3, "background.current": "nope"})
    assert live.now == load()


def test_outputs_by_name(tmp_path):
    """A virtual camera that is listed or no longer listed is switched; a window that is open may
    stay; nothing that is read may be written."""
    live = Live(load(flags={"output.sinks": ("window",), "source.spec": str(tmp_path / "me.mp4")}))

    def set_to(*specs):
        apply(live, lambda _: {"output.sinks": specs})
        return wanted_sinks(live.now.output)

    assert set_to("window", "virtualcam:/dev/video10") == ["virtualcam:/dev/video10"]
    assert set_to("window", "talk.mp4") == ["talk.mp4"]
    with pytest.raises(SettingsError, match="is the source itself"):
        set_to("window", str(tmp_path / "me.mp4"))
    assert set_to("null") == ["null"]
    with pytest.raises(SettingsError, match="cannot open a window"):
        set_to("null", "window")


# watching


def test_writing_replacing_and_deleting_are_seen(tmp_path):
    calls = []
    link = tmp_path / "links" / "config.yaml"
    link.parent.mkdir()
    path = tmp_path / "config.yaml"
    path.write_text("1")
    link.symlink_to(path)
    watch = FileWatch(lambda: {link: lambda: calls.append(path.exists() and path.read_text())})
    try:
        for text in ("2", "3"):
            path.write_text(text)  # in place
            until(lambda text=text: calls and calls[-1] == text)
            (tmp_path / "new").write_text(text * 2)
            os.replace(tmp_path / "new", path)  # as editors do
            until(lambda text=text: calls[-1] == text * 2)
        path.unlink()
        until(lambda: calls[-1] is False)
        path.write_text("4")
        until(lambda: calls[-1] == "4")
    finally:
        watch.close()
    assert not [t for t in threading.enumerate() if t.name == "file-watch"]


def test_a_change_that_cannot_be_followed_is_said_and_no_other_misses_its_own(tmp_path, caplog):
    calls = []

    def fail():
        calls.append("fail")
        raise RuntimeError("the sky fell")

    first, second = tmp_path / "first", tmp_path / "second"
    watch = FileWatch(lambda: {first: fail, second: lambda: calls.append("second")})
    try:
        (tmp_path / "new").write_text("1")
        second.write_text("1")
        os.replace(tmp_path / "new", first)
        until(lambda: set(calls) == {"fail", "second"})
    finally:
        watch.close()
    (said,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert f"{first} has changed" in said.message
    assert "the sky fell" in said.message


def test_other_files_can_be_wanted_later_and_folders_can_come(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "LOOK", 100)
    calls, wanted, later = [], {}, tmp_path / "later" / "x"
    watch = FileWatch(lambda: dict(wanted))
    try:
        wanted[later] = lambda: calls.append("x")
        until(lambda: watch.watches(later))
        later.parent.mkdir()
        time.sleep(0.3)  # some looks: it sees the folder before the file
        later.write_text("1")
        until(lambda: calls)
    finally:
        watch.close()


def write(path, colour):
    image = np.full((36, 64, 3), colour, np.uint8)
    path.with_suffix(".new").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    os.replace(path.with_suffix(".new"), path)


def test_a_background_is_read_again_when_its_file_changes(tmp_path, caplog):
    """Replaced: the new one. Damaged or deleted: the last good one. Back again: the new one."""
    path = tmp_path / "room.png"
    write(path, (10, 20, 30))
    live, stats = (
        Live(load(flags={"background.current": str(path), "engine.name": "threshold"})),
        Stats(),
    )
    processor = Processor(live, stats, wait=False)
    config = ConfigFile(tmp_path / "config.yaml", live, stats)
    watch = FileWatch(lambda: in_use(config, live, stats, processor))

    def colour():
        composite = processor.compositor.without_camera((64, 36), 0, live.now)
        return tuple(int(value) for value in composite.image[0, 0])

    try:
        assert colour() == (10, 20, 30)
        write(path, (40, 50, 60))
        until(lambda: colour() == (40, 50, 60))
        path.write_bytes(path.read_bytes()[:40])
        until(lambda: colour() == (40, 50, 60) and "stays" in caplog.text)
        path.unlink()
        until(lambda: colour() == (40, 50, 60) and "has been deleted" in caplog.text)
        write(path, (70, 80, 90))
        until(lambda: colour() == (70, 80, 90))
        assert live.now.background.current == str(path)
    finally:
        watch.close()
        processor.close()


def test_a_model_is_loaded_again_when_its_file_changes(tmp_path, caplog):
    """A damaged one is refused, and the network that is loaded goes on."""
    from realtime_bg.zoo import find, row

    source = find(row("embedded"))
    model = tmp_path / "own.onnx"
    model.write_bytes(source.read_bytes())
    live, stats = (
        Live(
            load(
                flags={
                    "engine.name": "embedded",
                    "engine.model": str(model),
                    "background.current": "red",
                }
            )
        ),
        Stats(),
    )
    processor = Processor(live, stats, wait=False)
    frame = Frame(np.zeros((36, 64, 3), np.uint8), 0, 0.0)
    processor.matte(frame)
    assert stats.model == str(model)
    first = processor.matting.engine
    processor.matting.reload()
    processor.matte(frame)
    second = processor.matting.engine
    assert second is not first
    model.write_bytes(b"junk")
    processor.matting.reload()
    processor.matte(frame)
    assert processor.matting.engine is second
    assert "embedded stays in use" in caplog.text
    processor.close()
