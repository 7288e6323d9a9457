"""The three questions of `realtime-bg setup`, answered from a script; and what is left behind."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import pytest
import yaml

from realtime_bg.cli import main as cli
from realtime_bg.cli import wizard as first_run
from realtime_bg.devices.cameras import Camera
from realtime_bg.errors import SettingsError
from realtime_bg.settings import default_config, load
from realtime_bg.settings.yaml_edit import with_values

DEMO, BEACH, NULL = "demo", "beach", "null"
IMPORTING = "another: a device"  # right after which libraries are imported
TRYING = "trying it out for"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An own folder for settings and another for what is temporary; no devices, no display, no
    PipeWire."""
    for name in ("settings", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("REALTIME_BG_ENGINE__NAME", "embedded")
    monkeypatch.setenv("REALTIME_BG_ENGINE__RUNTIME", "onnxruntime")  # the quicker to open
    monkeypatch.setenv("REALTIME_BG_SOURCE__SIZE", "320x180")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(first_run, "cameras", list)
    monkeypatch.setattr(first_run, "virtual_cameras", list)
    monkeypatch.setattr(first_run.pipewire, "desktop", lambda _: {"problem": "none answers"})
    monkeypatch.setattr(first_run, "FRAMES", 2)
    monkeypatch.setattr(first_run, "TRY_SECONDS", 0.5)
    return tmp_path


@pytest.fixture
def answered(place, monkeypatch, capfd):
    """Run it with these answers: (exit code, standard output, standard error)."""

    def run(*answers, config=None):
        words = ["--config", str(config)] if config else []
        monkeypatch.setattr(sys, "argv", ["realtime-bg", "setup", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{one}\n" for one in answers)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capfd.readouterr()

    return run


@pytest.fixture
def untried(monkeypatch):
    """Without the trial in a process of its own, where a test is about the questions alone."""
    monkeypatch.setattr(first_run, "_try_out", lambda *_: None)


def left(place):
    """Everything that lies there, but what the doctor of caches made."""
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def test_three_answers_make_a_configuration_that_works(answered, place):
    code, out, err = answered(DEMO, BEACH, NULL)
    assert code == 0, err
    assert left(place) == [
        "settings",
        "settings/realtime-bg",
        "settings/realtime-bg/config.yaml",
        "temporary",
    ]
    path = default_config()
    settings = load(path)
    assert settings.source.spec == "demo"
    assert settings.background.current == "beach"
    assert settings.output.sinks == ("null",)
    comments = [line for line in first_run.TEMPLATE.splitlines() if "#" in line]
    assert [line for line in path.read_text().splitlines() if "#" in line] == comments
    assert out.endswith(f"written: {path}\nnext: realtime-bg\n")
    assert "fps" in err  # of the trial


def test_the_preview_shows_the_person_and_not_the_room(answered, place, monkeypatch):
    seen = []
    save = first_run.save_png

    def kept(composite, path):
        save(composite, path)
        assert path.parent.parent == place / "temporary"
        seen.append(cv2.imread(str(path)))

    monkeypatch.setattr(first_run, "save_png", kept)
    assert answered(DEMO, BEACH, NULL)[0] == 0
    (image,) = seen
    assert image.shape == (180, 320, 3)
    from realtime_bg.settings import SourceSettings
    from realtime_bg.sources.demo import DemoSource

    room = DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False).image(2)
    assert cv2.absdiff(image, room)[:40, :40].mean() > 20


@pytest.mark.usefixtures("untried")
def test_numbers_choose_and_mistakes_are_asked_again(answered):
    code, out, _ = answered("7", "nope", "camera:x", "1", "6", "beech", "office", "x.txt", NULL)
    assert code == 0
    for words in ("choose 1 to 2", "'nope'", "write camera, camera:1", "'beech'", "'x.txt'"):
        assert words in out
    settings = load(default_config())
    assert (settings.source.spec, settings.background.current) == ("demo", "office")


@pytest.mark.usefixtures("untried")
def test_cameras_are_offered_by_name(answered, monkeypatch):
    listed = [
        Camera("/dev/video0", "HD Cam"),
        Camera("/dev/video4", "Other"),
        Camera("/dev/video10", "Loop", virtual=True),
    ]
    monkeypatch.setattr(first_run, "cameras", lambda: listed)
    tried = []
    monkeypatch.setattr(first_run, "_preview", lambda spec, folder: tried.append(spec))
    code, out, _ = answered("", "", NULL)
    assert code == 0
    assert "1  HD Cam (/dev/video0)" in out
    assert "2  Other (/dev/video4)" in out
    assert "Loop" not in out
    answered("2", "", NULL)
    assert tried == ["camera", "/dev/video4"]
    assert load(default_config()).source.spec == "/dev/video4"


@pytest.mark.usefixtures("untried")
def test_a_window_is_not_taken_without_a_display(answered):
    code, out, _ = answered(DEMO, BEACH, "1", "3", NULL)
    assert code == 0
    assert out.count("no preview window: no display") == 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PipeWire and v4l2loopback")
@pytest.mark.usefixtures("untried")
def test_what_enter_accepts_is_there(answered, place, monkeypatch):
    monkeypatch.chdir(place)
    code, out, _ = answered(DEMO, BEACH, "")
    assert code == 0
    assert "[4]" in out
    assert load(default_config()).output.sinks == (str(place / "realtime-bg.mp4"),)
    free = Camera("/dev/video10", "Loop", virtual=True, writable=True)
    monkeypatch.setattr(first_run, "virtual_cameras", lambda: [free])
    assert answered(DEMO, BEACH, "")[0] == 0
    assert load(default_config()).output.sinks == ("virtualcam",)
    monkeypatch.setattr(first_run, "display_problem", str)
    monkeypatch.setattr(first_run, "_preview", lambda *_: None)
    assert answered(DEMO, BEACH, "")[0] == 0
    assert load(default_config()).output.sinks == ("window",)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PipeWire and v4l2loopback")
@pytest.mark.usefixtures("untried")
def test_the_virtual_camera_is_there_with_a_driver_or_with_pipewire(answered, monkeypatch):
    _, out, _ = answered(DEMO, BEACH, "virtualcam")
    assert "for calls (not here yet; one of these is enough)" in out
    assert "PipeWire, for browsers: " in out
    assert "v4l2loopback, for all programs: load one: sudo modprobe" in out
    works = {"published": True, "tools": True, "manager": "WirePlumber"}
    monkeypatch.setattr(first_run.pipewire, "desktop", lambda _: works)
    _, out, _ = answered(DEMO, BEACH, "virtualcam")
    assert "for calls (in PipeWire: browsers may need a switch" in out
    assert "not here yet" not in out
    free = Camera("/dev/video10", "Loop", virtual=True, writable=True)
    monkeypatch.setattr(first_run, "virtual_cameras", lambda: [free])
    _, out, _ = answered(DEMO, BEACH, "virtualcam")
    assert "2  the virtual camera, for calls\n" in out


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize("spec", ["pipewire", "pipewire:Desk camera", "virtualcam"])
def test_every_kind_of_virtual_camera_is_explained(answered, spec):
    code, out, _ = answered(DEMO, BEACH, spec)
    assert code == 0
    assert load(default_config()).output.sinks == (spec,)
    assert "choose the virtual camera in the call" in out
    if sys.platform.startswith("linux"):
        assert out.endswith("if a program does not list it: realtime-bg doctor -o virtualcam\n")


@pytest.mark.usefixtures("untried")
def test_files_are_written_with_their_whole_path(answered, place, monkeypatch):
    monkeypatch.chdir(place)
    cv2.imwrite("me.png", first_run_image())
    assert answered(DEMO, "me.png", NULL)[0] == 0
    assert load(default_config()).background.current == str(place / "me.png")


@pytest.mark.usefixtures("untried")
def test_a_built_in_background_is_no_folder_that_happens_to_have_its_name(
    answered, place, monkeypatch
):
    (place / "beach").mkdir()
    monkeypatch.chdir(place)
    assert answered(DEMO, BEACH, NULL)[0] == 0
    assert load(default_config()).background.current == "beach"


def first_run_image():
    import numpy as np

    return np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def patient(place, monkeypatch):
    """Time for a slow machine to find out; what does not work ends a trial at once."""
    monkeypatch.setattr(first_run, "TRY_SECONDS", 8.0)


@pytest.mark.usefixtures("patient")
def test_what_cannot_work_is_not_written(answered, place):
    code, out, err = answered(DEMO, BEACH, "virtualcam:/dev/video77")
    assert code == 2
    assert "virtualcam" in err or "virtual camera" in err
    assert "nothing was written" in err
    assert "written:" not in out
    assert left(place) == ["settings", "temporary"]


@pytest.mark.usefixtures("patient")
def test_one_output_that_works_does_not_hide_one_that_does_not(answered, place):
    code, out, err = answered(DEMO, BEACH, "null,virtualcam:/dev/video77")
    assert (code, "nothing was written" in err, "written:" in out) == (2, True, False)


def test_trying_a_video_out_writes_over_nothing(answered, place, monkeypatch):
    monkeypatch.chdir(place)
    (place / "mine.mp4").write_bytes(b"mine")
    assert answered(DEMO, BEACH, "mine.mp4")[0] == 0
    assert (place / "mine.mp4").read_bytes() == b"mine"
    assert load(default_config()).output.sinks == (str(place / "mine.mp4"),)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_configuration_that_is_a_link_stays_one(answered, place):
    real, link = place / "dotfiles.yaml", place / "config.yaml"
    real.write_text("source:\n  spec: camera\n")
    real.chmod(0o644)
    link.symlink_to(real)
    assert answered(DEMO, BEACH, NULL, config=link)[0] == 0
    assert link.is_symlink()
    assert load(real).source.spec == "demo"
    assert real.stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("untried")
def test_cameras_that_have_numbers_only(answered, monkeypatch):
    monkeypatch.setattr(first_run, "cameras", lambda: [Camera("1", "one"), Camera("3", "three")])
    tried = []
    monkeypatch.setattr(first_run, "_preview", lambda spec, folder: tried.append(spec))
    answered("1", "", NULL)
    answered("\u00b2", "2", "", NULL)  # a raised two is no number to choose
    assert tried == ["camera:1", "camera:3"]


@pytest.mark.parametrize("answers", [(), (DEMO,), (DEMO, BEACH), (DEMO, "6")])
def test_an_end_of_the_answers_leaves_nothing(answered, place, answers):
    code, _, err = answered(*answers)
    assert (code, "Traceback" in err) == (130, False)
    assert left(place) == ["settings", "temporary"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("name", "answers", "words"),
    [
        ("SIGINT", "", "1 of 3"),
        ("SIGINT", f"{DEMO}\n", IMPORTING),
        ("SIGINT", f"{DEMO}\n{BEACH}\n{NULL}\n", TRYING),
        ("SIGTERM", f"{DEMO}\n", "2 of 3"),
        ("SIGHUP", f"{DEMO}\n{BEACH}\n{NULL}\n", TRYING),
    ],
)
def test_a_signal_leaves_nothing(place, name, answers, words):
    before = "settings/kept.txt"
    (place / before).write_text("mine")
    command = [sys.executable, "-u", "-m", "realtime_bg", "setup"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        guard = threading.Timer(40, process.kill)
        guard.start()
        process.stdin.write(answers)
        process.stdin.flush()
        said = ""
        while words not in said:
            part = process.stdout.readline()
            assert part, process.stderr.read()
            said += part
        time.sleep(0.3)  # it is in the midst of what it has announced
        process.send_signal(getattr(signal, name))
        code = process.wait(60)
        guard.cancel()
        heard = process.stderr.read()
    assert code == 130, heard
    # What the interpreter says of an interrupt that a callback of its own swallowed is not ours.
    assert words == IMPORTING or "Traceback" not in heard
    assert left(place) == ["settings", before, "temporary"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_nohup_started_is_not_ended_by_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with first_run._leaving():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("untried")
def test_an_existing_file_keeps_what_else_it_says(answered, place):
    path = place / "mine.yaml"
    path.write_text("# my own\nrefine:\n  feather: 3  # softer\nsource: {spec: camera:1}\n")
    assert answered(DEMO, BEACH, NULL, config=path)[0] == 0
    text = path.read_text()
    assert text.startswith("# my own\nrefine:\n  feather: 3  # softer\nsource: {spec: demo}\n")
    settings = load(path)
    assert (settings.refine.feather, settings.output.sinks) == (3, ("null",))


@pytest.mark.parametrize("text", ["- a\n- list\n", "source: 3\n", "a: [\n", "nonsense: 1\n"])
def test_a_file_that_is_no_configuration_is_refused_and_kept(answered, place, text):
    path = place / "mine.yaml"
    path.write_text(text)
    code, _, err = answered(DEMO, BEACH, NULL, config=path)
    assert code == 2
    assert err.startswith(f"realtime-bg: {path}")
    assert path.read_text() == text
    assert left(place) == ["mine.yaml", "settings", "temporary"]


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(answered, place):
    (place / "settings").chmod(0o500)
    code, _, err = answered(DEMO, BEACH, NULL)
    assert (code, "cannot be written" in err) == (2, True)


def test_a_file_in_the_way_of_the_folder(answered, place):
    (place / "settings/realtime-bg").write_text("in the way")
    code, _, err = answered(DEMO, BEACH, NULL)
    assert code == 2
    assert "config.yaml: " in err
    assert (place / "settings/realtime-bg").read_text() == "in the way"


def test_the_default_is_the_users_own_folder(place):
    assert default_config() == Path(place / "settings/realtime-bg/config.yaml")


# changing a YAML file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "s:\n  k: new\n"),
        ("# only\n", "# only\ns:\n  k: new\n"),
        ("a: 1", "a: 1\ns:\n  k: new\n"),
        ("s:\n  k: old  # why\n  l: 2\n", "s:\n  k: new  # why\n  l: 2\n"),
        ("s:\n  # why\n  k:\n  l: 2\n", "s:\n  # why\n  k: new\n  l: 2\n"),
        ("s:\n    l: 2\nt: 3\n", "s:\n    k: new\n    l: 2\nt: 3\n"),
        ("s:\n  k:\n    - a\n    - b\n\nt: 3\n", "s:\n  k:\n    new\n\nt: 3\n"),
        ("s: {l: 2}\n", "s: {k: new, l: 2}\n"),
        ("s: {k: old, l: 2}  # flow\n", "s: {k: new, l: 2}  # flow\n"),
        ("s:\n  # nothing yet\nt: 3\n", "s:\n  k: new\n  # nothing yet\nt: 3\n"),
        ("s: {}\n", "s:\n  k: new\n"),
        ("s:\n  k: |\n    two\n    lines\nt: 3\n", "s:\n  k: new\nt: 3\n"),
    ],
)
def test_a_value_is_changed_and_nothing_else(text, expected):
    assert with_values(text, {"s.k": "new"}) == expected


def test_values_are_quoted_where_they_must_be():
    values = {"s.a": "#00b140", "s.b": ["null", "x y"], "s.c": "é: 1", "s.d": "no"}
    assert yaml.safe_load(with_values("", values)) == {
        "s": {"a": "#00b140", "b": ["null", "x y"], "c": "é: 1", "d": "no"}
    }


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n---\n",
        "s:\n- k: 1\n",
        "s: 1\n",
        "[1]\n",
        "s: 2026-13-45\n",
        "s: " + "[" * 10_000,
        "s: *x\n",
        "a: [\n",
        "t: &t\n  l: 1\ns: *t\n",
    ],
)
def test_what_cannot_be_edited_is_said_in_one_line(text):
    with pytest.raises(SettingsError) as refused:
        with_values(text, {"s.k": "new"})
    assert "\n" not in str(refused.value)
