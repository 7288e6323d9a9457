"""One door for settings: what each use of them starts with, and what is refused."""

import pytest
from helpers import ROOT

from realtime_bg.errors import RealtimeBgError, SettingsError
from realtime_bg.settings import load
from realtime_bg.settings.live import Live
from realtime_bg.steering import checks
from realtime_bg.steering.changes import apply
from realtime_bg.steering.checks import CHECKS, Refused, check_changes, prepare

BAD = {
    "engine.name": "rwm",
    "engine.combine.engine": "rwm",
    "engine.model": "gone.onnx",
    "engine.combine.model": "gone.onnx",
    "background.current": "gone.jpg",
    "background.items": ("blur", "gone.jpg"),
    "idle.background": "blur",
    "source.spec": "gone.mp4",
    "output.sinks": ("out.xyz",),
}


def settings(**flags):
    return load(flags={"source.spec": "demo", "output.sinks": ("null",), **flags})


def test_every_check_is_tried():
    assert set(BAD) == set(CHECKS)


@pytest.mark.parametrize("key", BAD)
def test_the_same_words_refuse_a_start_and_a_change(key):
    with pytest.raises(RealtimeBgError) as at_the_start:
        prepare(settings(**{key: BAD[key]}), "run")
    live = Live(settings())
    with pytest.raises(Refused) as while_it_runs:
        apply(live, lambda _: {key: BAD[key]})
    assert while_it_runs.value.key == key
    assert str(while_it_runs.value) == f"{key}: {at_the_start.value}"
    assert live.now == settings()


@pytest.mark.parametrize(
    ("use", "flags", "quality"),
    [
        ("run", {}, "fast"),  # the demo stands for a camera
        ("run", {"source.spec": str(ROOT / "docs/call.jpg")}, "fine"),
        ("run", {"output.virtualcam": True}, "fast"),
        ("run", {"source.spec": "rtsp://camera/1"}, "fast"),
        ("daemon", {}, "fast"),
        ("page", {}, "auto"),  # its photos and videos are to be fine
        ("program", {}, "fast"),
        ("file", {}, "fine"),
        ("daemon", {"engine.quality": "fine"}, "fine"),
    ],
)
def test_quality_is_that_of_the_use_unless_it_was_chosen(use, flags, quality):
    assert prepare(settings(**flags), use).engine.quality == quality


def test_outputs_that_are_left_open_are_those_of_the_use(monkeypatch):
    none = settings(**{"output.sinks": ()})
    monkeypatch.setattr(checks, "display_problem", lambda: "")
    assert prepare(none, "run").output.sinks == ("window",)
    monkeypatch.setattr(checks, "display_problem", lambda: "no display")
    with pytest.raises(SettingsError, match="no preview window: no display"):
        prepare(none, "run")
    assert prepare(none, "daemon").output.virtualcam
    for use in ("page", "program", "file"):
        output = prepare(none, use).output
        assert (output.sinks, output.virtualcam) == ((), False)


@pytest.mark.parametrize("use", ["run", "daemon", "program"])
def test_a_virtual_camera_that_is_listed_is_switched_on(use):
    assert prepare(settings(**{"output.sinks": ("virtualcam",)}), use).output.virtualcam


def test_the_background_of_the_start_stays_in_the_list():
    for use in ("run", "daemon", "page", "program"):
        items = prepare(settings(**{"background.current": "#00ff00"}), use).background.items
        assert items[0] == "#00ff00"


@pytest.mark.parametrize("use", ["daemon", "page", "program"])
def test_a_pipe_belongs_to_a_run_in_the_foreground(use):
    settings = load(flags={"output.sinks": ("pipe:rgba",)})
    with pytest.raises(SettingsError, match="pipe:rgba is for `realtime-bg run` only"):
        prepare(settings, use)


def test_a_running_program_cannot_begin_to_write_to_a_pipe():
    before, after = (load(flags={"output.sinks": specs}) for specs in (("null",), ("null", "pipe")))
    with pytest.raises(Refused, match="cannot begin to write to pipe"):
        check_changes(after, ["output.sinks"], before)
    check_changes(before, ["output.sinks"], after)


@pytest.mark.parametrize("spec", ["blur", "erase", "none", "missing.png"])
def test_the_idle_scene_is_not_made_from_the_camera_and_is_there(spec):
    settings = load(flags={"idle.background": spec})
    with pytest.raises(RealtimeBgError, match=r"made from the camera|no such file"):
        prepare(settings, "program")
    prepare(load(flags={"idle.background": "beach"}), "program")
