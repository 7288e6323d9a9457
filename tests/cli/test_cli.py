"""The command line: what a user types, what is answered on which stream, with which exit code."""

import errno
import json
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers.waiting import until

from realtime_bg.cli import main as cli
from realtime_bg.devices import cameras as devices
from realtime_bg.devices import pipewire_capture
from realtime_bg.devices.cameras import Camera
from realtime_bg.engines import ENGINES
from realtime_bg.errors import EngineError
from realtime_bg.processing.processor import Processor
from realtime_bg.sources import camera as camera_module
from realtime_bg.version import __version__
from realtime_bg.zoo import models

SIZE = (64, 48)
SMALL = ("--size", "64x36", "--engine", "grabcut")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An own folder, no display, no camera, and logging left as it was."""
    root, own = logging.getLogger(), logging.getLogger("realtime_bg")
    before = root.handlers[:], root.level, own.level
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    for module in (camera_module, devices):
        monkeypatch.setattr(module, "cameras", lambda: [])
    monkeypatch.setattr(devices, "virtual_cameras", lambda: [])
    yield tmp_path
    root.handlers[:], root.level = before[:2]
    own.setLevel(before[2])


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the program in this process: (exit code, standard output, standard error)."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["realtime-bg", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def refused(command):
    """Run the program on something the user can mend: the one line it says."""

    def run(*words):
        code, out, err = command(*words)
        assert "Traceback" not in err
        assert (code, out) == (2, ""), err
        assert err.startswith("realtime-bg: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err.strip()

    return run


@pytest.fixture
def clip(place):
    """Ten frames, ten a second."""
    return write_clip(place / "clip.mp4")


def write_clip(path, count=10):
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        image = rng.integers(90, 130, (SIZE[1], SIZE[0], 3), np.uint8)
        cv2.ellipse(image, (32, 46), (16, 20), 0, 0, 360, (170, 60, 30), -1)
        cv2.ellipse(image, (32, 18), (7, 9), 0, 0, 360, (130, 160, 220), -1)
        for _ in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def pictures(path):
    with av.open(str(path)) as container:
        return [picture.to_ndarray(format="bgr24") for picture in container.decode(video=0)]


def files():
    return sorted(path.name for path in Path().iterdir())


# what is refused, and how


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--engine", "grabkut"], ["unknown engine 'grabkut'", "did you mean 'grabcut'?"]),
        (["--engine", "xyz"], ["unknown engine 'xyz'", "rvm, rvm-torch, "]),
        (["--background", "nowhere.jpg"], ["'nowhere.jpg'", "no such file"]),
        (["--background", "beech"], ["'beech'", "did you mean 'beach'?"]),
        (["--background", "#12345"], ["'#12345'", "#rrggbb"]),
        (["--background", "#ggg"], ["'#ggg'", "#rrggbb"]),
        (["--background", "blur:much"], ["blur:much", "blur:24"]),
        (["--background", "blur:0"], ["blur:0", "1 to 200"]),
        (["--background", "beach", "-b", "nowhere.jpg"], ["'nowhere.jpg'"]),
        (["--size", "big"], ["source.size", "'big'", "1280x720"]),
        (["--size", "0x0"], ["source.size", "'0x0'"]),
        (["--work-size", "12"], ["engine.work_size", "'12'"]),
        (["--fps", "0"], ["source.fps", "greater than 0"]),
        (["--fps", "fast"], ["--fps", "number"]),
        (["--duration", "-1"], ["--duration"]),
        (["--device", "gpu"], ["engine.device", "'gpu'", "cuda:N"]),
        (["--config", "nowhere.yaml"], ["nowhere.yaml", "No such file"]),
        (["--no-such-option"], ["--no-such-option", "--help"]),
        (["--engine"], ["--engine", "requires an argument"]),
        (["one-word-too-many"], ["one-word-too-many"]),
        (["--model", "no-such-model"], ["unknown model 'no-such-model'", "rvm-mobilenetv3"]),
        (["--engine", "rvm", "--model", "no.onnx"], ["no.onnx", "no such file"]),
        (["--engine", "rvm", "--offline"], ["--offline", "realtime-bg models fetch"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("-") else "",
)
def test_a_bad_option_is_one_line_with_its_name_and_a_way_out(refused, words, parts):
    line = refused("--source", "demo", "--output", "null", "--duration", "0.1", *words)
    for part in parts:
        assert part in line
    assert files() == []


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("nowhere.mp4", ["'nowhere.mp4'", "no such file", "demo"]),
        (".", ["'.' is a folder"]),
        ("camera", ["no camera found", "--source demo"]),
        ("camera:93", ["/dev/video93 does not exist"]),
        ("/dev/video93", ["/dev/video93 does not exist"]),
        ("camera:front", ["camera:1"]),
        ("junk.mp4", ["junk.mp4", "cannot be read as video"]),
        ("junk.png", ["junk.png", "cannot be read as an image"]),
        ("http://127.0.0.1:9/a.ts", ["http://127.0.0.1:9/a.ts", "refused"]),
    ],
)
def test_a_bad_source_is_one_line(refused, place, monkeypatch, source, parts):
    for name in ("junk.mp4", "junk.png"):
        (place / name).write_bytes(b"junk" * 100)
    line = refused("--source", source, "--output", "null", *SMALL)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        ("out.xyz", ["'out.xyz'", ".mp4"]),
        ("out", ["'out'", "virtualcam"]),
        ("missing/out.mp4", ["missing/out.mp4", "No such file", "another --output"]),
        ("clip.mp4", ["clip.mp4", "is the source itself"]),
        ("./clip.mp4", ["clip.mp4", "is the source itself"]),
        ("window", ["no preview window", "DISPLAY", "--output"]),
    ],
)
def test_a_bad_output_is_one_line(refused, clip, output, parts):
    before = clip.read_bytes()
    line = refused("--source", "clip.mp4", "--output", output, "--engine", "grabcut")
    for part in parts:
        assert part in line
    assert files() == ["clip.mp4"]
    assert clip.read_bytes() == before


def test_an_output_that_is_the_source_under_another_name_is_refused(refused, clip):
    Path("link.mp4").symlink_to(clip)
    before = clip.read_bytes()
    try:
        refused("--source", "link.mp4", "--output", "clip.mp4", "--engine", "grabcut")
    finally:
        assert clip.read_bytes() == before


def test_an_output_that_is_a_folder_is_refused_before_the_work(refused, clip):
    Path("out.mp4").mkdir()
    line = refused("--source", clip, "--output", "out.mp4", "--engine", "grabcut")
    assert "cannot be written" in line
    assert files() == ["clip.mp4", "out.mp4"]


def test_the_same_output_twice_is_refused_or_written_once(command):
    code, _, err = command("-s", "demo", *SMALL, "-o", "a.mp4", "-o", "./a.mp4", "--duration", 2)
    if code == 0:
        assert len(pictures("a.mp4")) == 60
        assert "60 frames written to a.mp4\n" in err
    else:
        assert code == 2
        assert files() == []  # said before the work, not after it


def test_a_model_file_that_is_missing_is_refused_with_the_default_engine_too(refused):
    line = refused(
        "-s", "demo", "--model", "no.onnx", "-o", "null", "--duration", "0.1", "--size", "64x36"
    )
    assert "no.onnx" in line


def test_without_display_and_output_the_choices_are_named(refused):
    line = refused("--source", "demo")
    for part in ("no display", "--output virtualcam", "out.mp4", "null"):
        assert part in line


def test_a_display_that_does_not_answer_is_named(refused, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":9876")
    line = refused("--source", "demo", *SMALL)
    assert "':9876' does not respond" in line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("source:\n  size: big\n", ["line 2", "source.size", "'big'"]),
        ("\nengin:\n  name: rvm\n", ["line 2", "engin", "no such setting"]),
        ("engine: [\n", ["line 2"]),
        ("- a\n", ["section: key: value"]),
        ("engine:\n  name: nothing\n", ["unknown engine 'nothing'"]),
    ],
)
def test_a_bad_configuration_is_one_line_with_its_place(refused, place, text, parts):
    (place / "my.yaml").write_text(text)
    line = refused("--config", "my.yaml", "--source", "demo", "--output", "null")
    for part in parts:
        assert part in line


def test_a_bad_environment_is_one_line(refused, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_ENGINE__DEVICE", "tpu")
    line = refused("--source", "demo", "--output", "null")
    assert "environment" in line
    assert "'tpu'" in line


def test_an_environment_value_that_is_no_json_is_one_line(refused, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_BACKGROUND__ITEMS", "beach,office")
    assert "environment" in refused("--source", "demo", "--output", "null")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["models", "path", "nothing"], "unknown model 'nothing'"),
        (["models", "fetch", "nothing"], "unknown model 'nothing'"),
        (["models", "path"], "realtime-bg models fetch rvm-mobilenetv3"),
        (["models", "nothing"], "nothing"),
        (["devices", "nothing"], "nothing"),
        (["bench", "--source", "camera"], "bench needs a source that is not live"),
        (["bench", "--frames", "1"], "--frames"),
    ],
)
def test_bad_words_after_other_commands_are_one_line(refused, words, part):
    assert part in refused(*words)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("sevre", "did you mean 'serve'?"),
        ("beach", "did you mean --background beach?"),
        ("me.png", "did you mean --background me.png?"),
        ("xyzzy", "choose one of: run, image, video"),
    ],
)
def test_a_misspelt_command_is_named_with_what_may_be_meant(refused, place, word, said):
    (place / "me.png").write_bytes(b"")
    assert f"there is no command '{word}'; " in refused(word)
    assert said in refused(word)


def test_a_defect_of_ours_is_one_line_too_and_another_exit_code(command, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(Processor, "process", broken)
    code, _, err = command("-s", "demo", *SMALL, "-o", "null", "--duration", "0.1")
    assert code == 1
    assert err == "realtime-bg: ZeroDivisionError: division by zero (details: --verbose)\n"


# what answers


def test_version(command):
    assert command("--version") == (0, f"realtime-bg {__version__}\n", "")


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_shows_the_commands_and_the_options_of_the_default_one(command, word):
    code, out, err = command(word)
    assert (code, err) == (0, "")
    for part in ("run", "bench", "devices", "models", "--background", "--output", "--source"):
        assert part in out


@pytest.mark.parametrize("words", [["run"], ["bench"], ["devices"], ["models"], ["models", "list"]])
def test_every_command_has_help(command, words):
    code, out, err = command(*words, "--help")
    assert (code, err) == (0, "")
    assert " ".join(words) in out


def test_models_alone_shows_its_help(command):
    code, out, err = command("models")
    assert "verify" in out
    assert err == ""
    assert code in (0, 2)


def test_models_list_names_every_model_with_its_licence(command):
    code, out, err = command("models", "list")
    assert (code, err) == (0, "")
    head, *lines = out.splitlines()
    assert head.split() == ["NAME", "ENGINE", "LICENCE", "FILE", "PATH"]
    assert len(lines) == len(models())
    starts = {line.index(row.file) for line, row in zip(lines, models().values(), strict=True)}
    assert len(starts) == 1
    found = json.loads(command("models", "list", "--json")[1])
    assert [row["name"] for row in found] == list(models())
    assert {row["path"] is None for row in found if row["name"] != "embedded"} == {True}
    for line, model in zip(lines, models().values(), strict=True):
        for part in (model.name, model.engine, model.licence, model.file):
            assert part in line
        assert ("not here" in line) is (model.name != "embedded")  # which comes with the package


def test_models_list_says_where_a_model_lies(command, place, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(place))
    file = models()["rvm-mobilenetv3"].file
    (place / file).write_bytes(b"x")
    assert str(place / file) in command("models", "list")[1].splitlines()[1]
    assert command("models", "path") == (0, f"{place / file}\n", "")


def test_models_list_engines(command):
    code, out, err = command("models", "list", "--engines")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", *ENGINES]
    found = json.loads(command("models", "list", "--engines", "--json")[1])
    assert [row["name"] for row in found] == list(ENGINES)
    assert all(row["description"] for row in found)


def test_models_verify_without_files(command):
    code, out, err = command("models", "verify")
    assert (code, err) == (0, "")
    assert out.count("not here") == len(models()) - 1
    assert out.count("as published") == 1  # the built-in one


def test_models_verify_finds_a_foreign_file(command, place, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(place))
    (place / models()["rvm-mobilenetv3"].file).write_bytes(b"not the weights")
    code, out, err = command("models", "verify")
    assert code == 2
    assert "rvm-mobilenetv3: " in out
    assert "DIFFERS" in out
    assert err.count("\n") == 1
    assert "realtime-bg models fetch --force rvm-mobilenetv3" in err


def test_the_command_that_verify_names_mends_what_it_found(command, place, monkeypatch):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(place))
    path = place / models()["rvm-mobilenetv3"].file
    path.write_bytes(b"not the weights")
    _, _, err = command("models", "verify")
    assert str(path) in err  # it must be deleted: say so, or replace it there


def test_devices_without_any(command):
    code, out, err = command("devices")
    assert (code, err) == (0, "")
    assert "no camera found" in out
    assert "--source demo" in out


def test_devices_lists_the_cameras_in_pipewire(command, monkeypatch):
    """By the spec that opens them."""
    found = [pipewire_capture.Node("libcamera.front", "Front camera")]
    monkeypatch.setattr(pipewire_capture, "pipewire_cameras", lambda: found)
    code, out, _ = command("devices")
    assert code == 0
    assert out.splitlines()[1].startswith("pipewire:Front camera  camera in PipeWire")
    assert "no camera" not in out


def test_devices_lists_cameras_virtual_ones_and_who_uses_them(command, monkeypatch):
    webcam = Camera("/dev/video0", "HD Cam")
    fed = Camera("/dev/video10", "Loop", virtual=True)
    free = Camera("/dev/video11", "Spare", virtual=True, writable=True)
    monkeypatch.setattr(devices, "cameras", lambda: [webcam, fed])
    monkeypatch.setattr(devices, "virtual_cameras", lambda: [fed, free])
    monkeypatch.setattr(
        devices, "held_by", lambda path: "zoom (pid 7)" if path == webcam.path else ""
    )
    code, out, _ = command("devices")
    assert code == 0
    cells = [re.split("  +", line) for line in out.splitlines()]
    assert cells == [
        ["DEVICE", "KIND", "NAME", "USED_BY"],
        ["/dev/video0", "camera", "HD Cam", "zoom (pid 7)"],
        ["/dev/video10", "virtual camera", "Loop"],
        ["/dev/video11", "virtual camera, free to write to", "Spare"],
    ]
    found = json.loads(command("devices", "--json")[1])
    assert [row["device"] for row in found] == ["/dev/video0", "/dev/video10", "/dev/video11"]
    assert found[0]["used_by"] == "zoom (pid 7)"


def test_output_into_a_pipe_that_closes_is_no_complaint():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "realtime_bg", "models", "list"]
    with os.fdopen(writer) as pipe:
        done = subprocess.run(
            command, check=False, stdout=pipe, stderr=subprocess.PIPE, text=True, timeout=30
        )
    assert done.stderr == ""


# real jobs


@pytest.mark.parametrize("words", [[], ["run"]])
def test_a_clip_becomes_a_clip_of_as_many_frames(command, clip, words):
    code, out, err = command(
        *words, "-s", clip, "--engine", "grabcut", "-b", "#00ff00", "-o", "out.mp4"
    )
    assert (code, out) == (0, "")
    assert "10 frames written to out.mp4\n" in err
    images = pictures("out.mp4")
    assert [image.shape for image in images] == [(SIZE[1], SIZE[0], 3)] * 10
    corner = images[-1][:6, :6].mean((0, 1))
    assert corner == pytest.approx([0, 255, 0], abs=12)
    assert files() == ["clip.mp4", "out.mp4"]


def test_duration_ends_a_file_by_the_sources_own_time(command, clip):
    assert command("-s", clip, "-e", "grabcut", "-o", "out.mp4", "--duration", "0.5")[0] == 0
    assert len(pictures("out.mp4")) == 5


def test_several_outputs_get_the_same(command, clip):
    assert command("-s", clip, "-e", "grabcut", "-o", "a.mp4", "-o", "b.webm", "-o", "null")[0] == 0
    assert len(pictures("a.mp4")) == len(pictures("b.webm")) == 10


def test_a_configuration_is_used_and_flags_win(command, clip, place):
    (place / "my.yaml").write_text(
        "engine:\n  name: grabcut\nbackground:\n  current: red\n"
        "source:\n  spec: clip.mp4\noutput:\n  sinks: [out.mp4]\n"
    )
    assert command("--config", "my.yaml", "-b", "blue", "--duration", "0.3")[0] == 0
    corner = pictures("out.mp4")[0][:6, :6].mean((0, 1))
    assert corner == pytest.approx([255, 0, 0], abs=12)  # BGR


def test_statistics_are_printed_and_end(command, clip):
    code, out, err = command("-s", clip, "-e", "grabcut", "-o", "null", "--stats")
    assert (code, out) == (0, "")
    assert "fps" in err.splitlines()[-1]


def test_a_job_that_fails_leaves_the_old_file(command, clip, place, monkeypatch):
    (place / "out.mp4").write_bytes(b"old")
    process, count = Processor.process, iter(range(10))

    def broken(self, frame):
        if next(count) == 3:
            raise EngineError("the engine gave up")
        return process(self, frame)

    monkeypatch.setattr(Processor, "process", broken)
    code, _, err = command("-s", clip, "-e", "grabcut", "-o", "out.mp4")
    assert code == 2
    assert "the engine gave up" in err
    assert (place / "out.mp4").read_bytes() == b"old"


def test_a_full_disk_is_one_line(refused, clip, monkeypatch):
    from realtime_bg.sinks import video

    class Full:
        def __getattr__(self, name):
            return getattr(container, name)

        def mux(self, _packets):
            raise OSError(errno.ENOSPC, "No space left on device")

    real = av.open

    def opened(path, mode="r", **options):
        nonlocal container
        container = real(path, mode, **options)
        return Full() if mode == "w" else container

    container = None
    monkeypatch.setattr(video.av, "open", opened)
    line = refused("-s", clip, "-e", "grabcut", "-o", "out.mp4")
    assert "out.mp4" in line
    assert "No space left on device" in line


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_endless_job_with_a_playable_file(place, number):
    command = [sys.executable, "-m", "realtime_bg", "-s", "demo", *SMALL, "-o", "out.mp4"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until(
            lambda: (
                process.poll() is not None
                or any(path.stat().st_size for path in place.glob("*.part*"))
            )
        )
        assert process.poll() is None, process.stderr.read()
        assert files() != ["out.mp4"]
        process.send_signal(number)
        try:
            code = process.wait(60)
        finally:
            process.kill()
        said = process.stderr.read()
    assert code == 0
    assert "Traceback" not in said
    assert files() == ["out.mp4"]
    count = len(pictures("out.mp4"))
    assert count > 0
    assert f"{count} frames written to out.mp4" in said


def test_the_console_script_is_the_same_program(place):
    script = Path(sys.executable).with_name("realtime-bg")
    if not script.exists():
        pytest.skip("the package is not installed beside this Python")
    done = subprocess.run(
        [script, "-e", "no"], check=False, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="names are bytes only on POSIX")
def test_names_of_files_need_not_be_utf8(tmp_path, monkeypatch, capfd):
    """A background and an output whose names are Latin-1, as from an old disk."""
    import cv2
    import numpy as np

    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"caf\xe9")
    picture = cv2.imencode(".png", np.full((36, 64, 3), (0, 200, 0), np.uint8))[1]
    (tmp_path / f"{name}.png").write_bytes(picture.tobytes())
    words = ["-s", "demo", "--size", "64x36", "--engine", "threshold", "--duration", "0.1"]
    words += ["-b", f"{name}.png", "-o", f"{name}.mp4"]
    monkeypatch.setattr(sys, "argv", ["realtime-bg", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0, capfd.readouterr().err
    assert (tmp_path / f"{name}.mp4").stat().st_size > 0


# Pictures on standard output


def program(*words, **streams):
    command = [sys.executable, "-m", "realtime_bg", "run", "-s", "demo", *SMALL, *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **streams)


def test_a_pipe_holds_pictures_and_nothing_else(tmp_path):
    path = tmp_path / "me.nut"
    with (
        path.open("wb") as file,
        program("-o", "pipe:rgba", "--duration", "0.3", stdout=file) as it,
    ):
        told = it.communicate(timeout=120)[1].decode()
    assert it.returncode == 0, told
    assert told.strip() == "realtime-bg: 9 frames written to pipe:rgba"
    with av.open(str(path)) as container:
        pictures = [one.to_ndarray(format="bgra") for one in container.decode(video=0)]
    assert len(pictures) == 9
    for shown in pictures:
        assert (shown[..., 3] == 255).any()
        assert not shown[shown[..., 3] == 0].any()


def test_a_reader_that_ends_is_told_in_one_line():
    with program("-o", "pipe:matte", "--duration", "60", stdout=subprocess.PIPE) as it:
        assert it.stdout.read(100).startswith(b"nut/multimedia container")
        it.stdout.close()
        told = it.stderr.read().decode()
        it.wait(60)
    assert told.strip() == "realtime-bg: output pipe:matte: the program that reads it has ended"
    assert it.returncode == 2


def test_only_one_output_can_be_a_pipe(command):
    code, out, err = command("-s", "demo", "-o", "pipe", "-o", "pipe:matte")
    assert (code, out) == (2, "")
    assert "only one output can be a pipe" in err


def test_a_button_does_not_wait_for_libraries_that_ctl_does_not_need():
    names = ("numpy", "cv2", "yaml", "realtime_bg.settings", "realtime_bg.cli.program")
    program = textwrap.dedent(f"""\
        import sys
        sys.argv = ["realtime-bg", "ctl", "status"]
        from realtime_bg.cli.main import main
        try:
            main()
        except SystemExit as end:
            assert end.code == 2
        print(*(name for name in {names} if name in sys.modules))
        """)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "\n"
    assert "no daemon is running" in done.stderr


def test_ctl_alone_helps_and_refuses_as_among_all_commands(command, refused):
    code, out, err = command("ctl", "-h")
    assert (code, err) == (0, "")
    assert "Usage: realtime-bg ctl" in out
    assert "`realtime-bg ctl --help` lists the options" in refused("ctl", "statsu")
