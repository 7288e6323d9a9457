"""The questions of `realtime-bg setup`, a trial of the answers, and writing config.yaml.

As everywhere, the camera's picture is only shown with the background replaced: the room is neither
shown nor saved. Files written before the end are in a temporary folder, or beside config.yaml under
another name, and are deleted when the setup ends.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import typer

from realtime_bg import backgrounds, sinks, sources
from realtime_bg.devices.cameras import Camera, cameras, virtual_cameras
from realtime_bg.doctor import pipewire
from realtime_bg.doctor.findings import Machine
from realtime_bg.errors import RealtimeBgError, SettingsError, reason
from realtime_bg.frames import Composite
from realtime_bg.processing.processor import Processor
from realtime_bg.settings import default_config, load, read_file, validated
from realtime_bg.settings.live import Live
from realtime_bg.settings.yaml_edit import with_values
from realtime_bg.sinks.cameras import REMEDIES
from realtime_bg.sinks.image import save_png
from realtime_bg.sinks.window import WindowSink, display_problem
from realtime_bg.sources import open_source
from realtime_bg.stats import Stats
from realtime_bg.steering.changes import absolute
from realtime_bg.system.signals import STOPPING, handled

FRAMES = 20  # frames before the one that is used: cameras need some to adjust their exposure
LOOK_SECONDS = 3.0  # how long the preview is shown
TRY_SECONDS = 3.0  # how long each output is tried
VIDEO = "realtime-bg.mp4"
SEE_DOCTOR = "realtime-bg doctor -o virtualcam"
TEMPLATE = """\
# Settings of realtime-bg, written by `realtime-bg setup`, which can be run again.
# This file is used unless --config names another one.
#
# The repository's config.yaml lists all settings with their defaults and meanings. Keys that are
# not here keep their defaults.

source:
  # camera (the first one), camera:1, /dev/video1, pipewire, a video or image file, demo, or a
  # stream URL
  spec: camera

background:
  # an image, video, GIF or folder; "#rrggbb" (in quotes) or a colour name; blur or blur:RADIUS,
  # with :bokeh and :depth; beach, office, studio or gradient; erase shows the room without you,
  # none shows the camera
  current: blur

output:
  # window, virtualcam (in PipeWire, and of v4l2loopback if it is loaded), pipewire, pipewire:NAME,
  # virtualcam:/dev/video10, a file (.mp4, .mkv, .mov, .webm), null
  sinks: [window]
"""

T = TypeVar("T")


class Choice(NamedTuple):
    """An answer that a question offers. ``value``: as in config.yaml; None if the user has to type
    it."""

    text: str
    value: str | None


def setup(path: Path) -> None:
    """Ask the questions, try the answers, write ``path``. If it raises RealtimeBgError, nothing has
    been written."""
    text = _existing(path)
    typer.echo(
        "Three questions. Enter accepts the answer in [brackets]; Ctrl-C quits without changes."
    )
    with _leaving() as left, tempfile.TemporaryDirectory(prefix="realtime-bg-") as folder:
        source = _camera(Path(folder))
        left()
        background = _background()
        output = _output()
        values = {"source.spec": source, "background.current": background, "output.sinks": output}
        try:
            new = with_values(text, values)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from None
        real = path.resolve()  # a symbolic link is kept
        with _beside(real, new) as partial:
            settings, lines = read_file(partial)
            validated(settings, str(path), lines)
            _try_out(partial, output, Path(folder))
            left()
            if real.exists():
                shutil.copymode(real, partial)
            partial.replace(real)
    named = "" if path == default_config() else f" --config {_quoted(path)}"
    typer.echo(f"\nwritten: {path}\nnext: realtime-bg{named}")
    if any(sinks.is_camera(spec) for spec in output):
        typer.echo("then choose the virtual camera in the call; start realtime-bg before the call")
        if sys.platform.startswith("linux"):
            typer.echo(f"if a program does not list it: {SEE_DOCTOR}")


@contextmanager
def _leaving() -> Iterator[Callable[[], None]]:
    """Make every signal that asks to stop go through the clean-up of temporary files.

    Libraries swallow the interrupt while they are being imported, or turn it into their own errors.
    So it is raised again instead of those, and also by calling the function that this yields.
    """
    asked = False

    def handler(number: int, _: object) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def left() -> None:
        if asked:
            raise KeyboardInterrupt

    numbers = handled(STOPPING)
    before = [signal.signal(number, handler) for number in numbers]
    try:
        yield left
    except Exception:
        left()
        raise
    finally:
        for number, old in zip(numbers, before, strict=True):
            signal.signal(number, old)


def _existing(path: Path) -> str:
    """The text of the existing file, or the template if there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return TEMPLATE
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {reason(error)}; move it away and try again") from None


@contextmanager
def _beside(path: Path, text: str) -> Iterator[Path]:
    """A temporary file with ``text`` in the folder of ``path``. Neither the file nor a new folder
    remains."""
    made = []
    try:
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.exists():
                folder.mkdir()
                made.append(folder)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".config-", suffix=".yaml", delete=False, encoding="utf-8"
        ) as file:
            partial = Path(file.name)
            file.write(text)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({reason(error)})") from None
    try:
        yield partial
    except OSError as error:
        if isinstance(error, RealtimeBgError):
            raise
        raise SettingsError(f"{path}: cannot be written ({reason(error)})") from None
    finally:
        partial.unlink(missing_ok=True)
        for folder in reversed(made):
            with suppress(OSError):  # it contains the file that was written
                folder.rmdir()


def _asked(title: str, choices: list[Choice], accept: Callable[[str], T], default: int = 1) -> T:
    """The answer to one question: a number, or a value as in config.yaml. Repeats the question
    until ``accept`` accepts the answer."""
    typer.echo(f"\n{title}")
    for number, choice in enumerate(choices, 1):
        typer.echo(f"  {number}  {choice.text}")
    while True:
        answer = str(typer.prompt("Number", default=str(default))).strip()
        if answer.isdecimal():
            if not 1 <= int(answer) <= len(choices):
                typer.echo(f"  choose 1 to {len(choices)}")
                continue
            chosen = choices[int(answer) - 1]
            value = chosen.value
            if value is None:
                value = str(typer.prompt("Which")).strip()
        else:
            value = answer
        try:
            return accept(value)
        except RealtimeBgError as error:
            typer.echo(f"  {error}")


def _camera(folder: Path) -> str:
    found = [camera for camera in cameras() if not camera.virtual]
    choices = [
        Choice(f"{camera.name} ({camera.path})", _spec(camera, index))
        for index, camera in enumerate(found)
    ]
    choices.append(Choice("the demo: another person, for trying the program", "demo"))
    choices.append(Choice("another: a device, a video file or a stream", None))

    def accept(spec: str) -> str:
        sources.classify(spec)
        typer.echo("  a moment ...")
        _preview(spec, folder)
        return absolute("source.spec", spec)

    return _asked("1 of 3: which camera?", choices, accept)


def _spec(camera: Camera, index: int) -> str:
    if camera.path.startswith("/dev/"):
        return camera.path if index else "camera"
    return "camera" if camera.path == "0" else f"camera:{camera.path}"


def _preview(spec: str, folder: Path) -> None:
    """Show the person as the camera sees them, with the background replaced, in a window or as a
    file. Raises RealtimeBgError."""
    settings = load(
        flags={
            "source.spec": spec,
            "source.loop": True,
            "engine.name": "embedded",
            "engine.offline": True,
            "background.current": "gradient",
        }
    )
    source = open_source(settings.source, paced=True)
    processor = Processor(Live(settings.at_quality("fast")), Stats(), wait=False)
    with closing(source), closing(processor):
        window = None if display_problem() else WindowSink("", source.size, source.fps)
        end = time.monotonic() + LOOK_SECONDS
        composite: Composite | None = None
        try:
            for count, frame in enumerate(source):
                composite = processor.process(frame)
                if window is not None:
                    window.send(composite)
                    list(window.typed())
                if count >= FRAMES and (window is None or time.monotonic() > end):
                    break
        finally:
            if window is not None:
                window.close()
        if composite is None:
            raise SettingsError(f"{spec} sends no pictures")
    height, width = composite.image.shape[:2]
    typer.echo(f"  {width}x{height} at {source.fps:g} frames a second")
    if window is None:
        save_png(composite, folder / "preview.png")
        typer.echo(f"  look while this runs: {folder / 'preview.png'}")


def _background() -> str:
    choices = [
        Choice("blur: the room, out of focus", "blur"),
        *(Choice(name, name) for name in backgrounds.scenes()),
        Choice("your own picture, video or folder, or a colour", None),
    ]

    def accept(spec: str) -> str:
        backgrounds.classify(spec)
        return absolute("background.current", spec)

    return _asked("2 of 3: which background?", choices, accept)


def _output() -> list[str]:
    problem = display_problem()
    calls, works = _calls()
    window = "the preview window" + (f" (not here: {problem})" if problem else "")
    choices = [
        Choice(window, "window"),
        Choice(calls, "virtualcam"),
        Choice("both", "window,virtualcam"),
        Choice(f"a video file in this folder: {VIDEO}", VIDEO),
        Choice("another: pipewire:NAME, virtualcam:/dev/video10, a video file, or null", None),
    ]

    def accept(text: str) -> list[str]:
        specs = [spec.strip() for spec in text.split(",")]
        for spec in specs:
            kind = sinks.classify(spec)[0]
            if kind == "window" and problem:
                raise SettingsError(f"no preview window: {problem}")
        return [sinks.absolute(spec) for spec in specs]

    default = 1 if not problem else 2 if works else 4  # never what is not there
    return _asked("3 of 3: where should the picture go?", choices, accept, default)


def _calls() -> tuple[str, bool]:
    """The line that offers the virtual camera, with what has to be done for it on this machine; and
    whether it works already."""
    text = "the virtual camera, for calls"
    if not sys.platform.startswith("linux") or any(one.writable for one in virtual_cameras()):
        return text, True
    machine = Machine()
    if pipewire.works(machine):
        how = "in PipeWire: browsers may need a switch, some programs v4l2loopback"
        return f"{text} ({how})", True
    return (
        f"{text} (not here yet; one of these is enough)"
        f"\n     PipeWire, for browsers: {pipewire.remedy(machine)}"
        f"\n     v4l2loopback, for all programs: {REMEDIES['linux']}",
        False,
    )


def _try_out(config: Path, outputs: list[str], folder: Path) -> None:
    """Run briefly with each output alone, because beside another output a failure would not end the
    run. Videos are written to ``folder``, not over the user's files. Raises SettingsError."""
    for spec in outputs:
        typer.echo(f"\ntrying it out for {TRY_SECONDS:g} seconds ({spec}) ...")
        file = sinks.file_of(spec)
        output = spec if file is None else sinks.with_file(spec, folder / file.name)
        command = [
            sys.executable,
            "-m",
            "realtime_bg",
            "run",
            "--config",
            str(config),
            "--output",
            output,
            "--duration",
            str(TRY_SECONDS),
            "--stats",
        ]
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SettingsError(
                "this does not work yet, and nothing was written; fix the problem shown above "
                "(`realtime-bg doctor` helps), then: realtime-bg setup"
            )


def _quoted(path: Path) -> str:
    return f'"{path}"' if " " in str(path) else str(path)
