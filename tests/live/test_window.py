"""The preview window on a real display (Xvfb), driven by real key presses and clicks (xdotool)."""

import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from helpers.waiting import PROMPT, until

TOOLS = ("Xvfb", "xdotool", "openbox", "import")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]
pytestmark = [
    pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is for Linux"),
]


@pytest.fixture(scope="module")
def display():
    """A virtual screen with a window manager; yields the environment to use it."""
    read, write = os.pipe()
    # Without -noreset the server starts over whenever its last client leaves, as each
    # xdotool below does, and a window manager that connects just then is refused.
    # -r: on a busy machine a key may stay down for so long that it would repeat.
    command = ["Xvfb", "-displayfd", str(write), "-noreset", "-r", "-nolisten", "tcp"]
    server = subprocess.Popen(
        [*command, "-screen", "0", "1000x700x24"], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    with os.fdopen(read) as numbers:
        environment = {**os.environ, "DISPLAY": f":{numbers.readline().strip()}"}
    manager = subprocess.Popen(["openbox"], env=environment, stderr=subprocess.DEVNULL)

    def manages():
        ask = ["xdotool", "get_num_desktops"]  # which only a window manager answers
        return (
            subprocess.run(ask, env=environment, capture_output=True, check=False).returncode == 0
        )

    # A window that opens while the manager starts up may stay black.
    try:
        until(manages, "window manager")
        yield environment
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait(60)


class Window:
    """The running program as a user sees it."""

    def __init__(self, display, tmp_path, *arguments):
        self.environment, self.media, self.tmp = display, tmp_path / "media", tmp_path
        config = tmp_path / "config.yaml"
        config.write_text(f"output:\n  folder: {self.media}\n{PRESETS}")
        self.log = tmp_path / "log"
        command = [
            sys.executable,
            "-m",
            "realtime_bg",
            "--source",
            "demo",
            "--engine",
            "threshold",
            "--offline",
            "--size",
            "640x360",
            "--verbose",
            "--config",
            config,
            *map(str, arguments),
        ]
        clean = {k: v for k, v in display.items() if not k.startswith("REALTIME_BG_")}
        clean["XDG_CACHE_HOME"] = str(tmp_path / "cache")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=clean, stderr=log)

    def opened(self):
        """Wait until it is on the screen and mattes."""
        self.id = until(lambda: self.ask("search", "--name", "^realtime-bg"), self.said).split()[-1]
        until(lambda: " on CPU at " in self.said(), self.said)
        self.ask("windowfocus", "--sync", self.id)
        return self

    def ask(self, *arguments):
        result = subprocess.run(
            ["xdotool", *arguments],
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        return result.stdout.strip()

    def said(self):
        return " ".join(self.log.read_text().split())

    def press(self, key):
        self.ask("key", "--window", "0", key)

    def click(self, x, y):
        """At shares of the window's width and height."""
        height, width = self.look().shape[:2]
        self.ask("mousemove", "--window", self.id, str(round(x * width)), str(round(y * height)))
        self.ask("click", "1")

    def title(self):
        return self.ask("getwindowname", self.id)

    def look(self):
        """What the window shows, BGR."""
        path = self.tmp / "shot.ppm"  # nothing to compress
        subprocess.run(["import", "-window", self.id, str(path)], env=self.environment, check=True)
        return cv2.imread(str(path)).astype(int)

    def stands_still(self):
        """Whether the picture is the same over half a second; the demo never is."""
        first = self.look()
        for _ in range(5):
            time.sleep(0.1)  # three frames of the demo
            if not np.array_equal(self.look(), first):
                return False
        return True

    def until_seen(self, condition, what):
        return until(lambda: condition(self.look()), lambda: f"{what}\n{self.log.read_text()}")

    def end(self):
        self.process.wait(30)
        return self.process.returncode


@pytest.fixture
def window(display, tmp_path):
    opened = []

    def start(*arguments):
        opened.append(Window(display, tmp_path, *arguments))
        return opened[-1].opened()

    yield start
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def share(image, colour):
    """Which part of the picture has a BGR colour, roughly."""
    return (np.abs(image - colour).max(axis=2) < 12).mean()


GREEN, BLUE = (0, 255, 0), (255, 0, 0)
PRESETS = """presets:
  - {name: Green, values: {background.current: "#00ff00", engine.name: threshold}}
  - {name: Blue, values: {background.current: "#0000ff", engine.name: threshold}}
"""


def test_function_keys_apply_the_presets(window):
    w = window("-b", "white")
    for key, colour in (("F1", GREEN), ("F2", BLUE), ("F1", GREEN)):
        w.press(key)
        w.until_seen(lambda image, colour=colour: share(image, colour) > 0.3, key)
    w.press("F3")
    until(lambda: "there is no preset 3" in w.said(), "F3: why not")
    w.press("q")
    assert w.end() == 0


def test_every_key_does_what_the_help_says(window):
    w = window("-b", "#00ff00", "-b", "#0000ff", "--engine", "grabcut")
    w.until_seen(lambda image: 0.3 < share(image, GREEN) < 0.9, "person over green")
    assert "#00ff00" in until(w.title, "title")
    assert "fps" in w.title()

    w.press("b")
    w.until_seen(lambda image: share(image, BLUE) > 0.3, "b: next background")
    w.press("b")
    w.until_seen(lambda image: share(image, GREEN) > 0.3, "b: around the end")
    w.press("B")
    w.until_seen(lambda image: share(image, BLUE) > 0.3, "B: previous background")

    w.press("0")
    w.until_seen(lambda image: share(image, BLUE) < 0.05, "0: the room")
    sharp = cv2.Laplacian(w.look().astype(np.float32)[:150], cv2.CV_32F).std()
    w.press("u")
    w.until_seen(
        lambda image: cv2.Laplacian(image.astype(np.float32)[:150], cv2.CV_32F).std() < sharp / 2,
        "u: blurred room",
    )

    w.press("b")
    w.until_seen(lambda image: share(image, GREEN) > 0.3, "b: back to the first")
    w.press("f")
    until(w.stands_still, "f: frozen")
    still = w.look()
    w.press("m")  # nothing moves while frozen
    assert w.stands_still()
    assert np.array_equal(w.look(), still)
    w.press("f")
    until(lambda: not w.stands_still(), "f: goes on")
    w.press("m")

    w.press("a")
    w.until_seen(
        lambda image: share(image, GREEN) < 0.01 and share(image, (0, 0, 0)) > 0.3, "a: alpha"
    )
    w.press("a")
    w.until_seen(lambda image: share(image, GREEN) > 0.3, "a: back")
    w.press("c")
    w.until_seen(
        lambda image: share(image[:, :300], GREEN) < 0.02 < share(image[:, 340:], GREEN), "c: split"
    )
    w.press("c")
    w.until_seen(lambda image: share(image[:, :300], GREEN) > 0.2, "c: back")

    top = slice(0, 60)
    w.press("d")
    w.until_seen(lambda image: share(image[top], GREEN) < 0.05, "d: statistics")
    w.press("d")
    w.until_seen(lambda image: share(image[top], GREEN) > 0.3, "d: back")
    w.press("h")
    w.until_seen(lambda image: share(image[top], GREEN) < 0.05, "h: help")
    w.press("h")
    w.until_seen(lambda image: share(image[top], GREEN) > 0.3, "h: back")

    before = (w.look()[:, :, 1] > 250).mean()
    for _ in range(8):
        w.press("period")
    w.until_seen(lambda image: share(image, GREEN) > 0.2, ". keeps the picture")
    for _ in range(8):
        w.press("comma")
    for _ in range(9):
        w.press("bracketleft")
    w.until_seen(lambda image: share(image, GREEN) > 0.2, "[ keeps the picture")
    for _ in range(9):
        w.press("bracketright")
    assert before > 0.2

    w.press("s")
    snapshot = until(lambda: list(w.media.glob("*.png")), "s: snapshot")[0]
    assert 0.3 < share(cv2.imread(str(snapshot)).astype(int), GREEN) < 0.9
    w.press("r")
    until(lambda: list(w.media.glob("*.part.mp4")), "r: recording")
    time.sleep(0.5)  # the length of the recording
    w.press("r")
    until(lambda: [p for p in w.media.glob("*.mp4") if ".part" not in p.name], "r: recorded")

    w.press("v")
    until(lambda: "virtual camera" in w.said(), "v: virtual camera tried, and its remedy said")

    w.press("space")
    w.until_seen(lambda image: share(image, GREEN) < 0.01, "space: card")
    w.press("space")
    w.until_seen(lambda image: share(image, GREEN) > 0.3, "space: goes on")

    w.press("e")
    until(lambda: w.said().count(" on CPU at ") > 1, "e: another engine")
    w.press("Left")  # arrows are no letters: the old fold to Q must not end it
    time.sleep(0.3)  # in which it does not end
    assert w.process.poll() is None
    w.press("q")
    assert w.end() == 0


def test_escape_ends_it(window):
    w = window("-b", "#00ff00")
    w.press("Escape")
    assert w.end() == 0


def test_closing_the_window_ends_it(window):
    w = window("-b", "#00ff00")
    w.press("alt+F4")  # the window manager's close, as the button in the title bar
    assert w.end() == 0


def test_destroying_the_window_from_outside_ends_it(window):
    w = window("-b", "#00ff00")
    time.sleep(1.2)  # the window has to be seen once before it can be missed
    w.ask("windowclose", w.id)  # XDestroyWindow: not the close button, of which Qt would hear
    assert w.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it(window, number):
    w = window("-b", "#00ff00")
    w.process.send_signal(number)
    begin = time.monotonic()
    assert w.end() == 0
    assert time.monotonic() - begin < PROMPT


def test_duration_ends_it(window):
    w = window("-b", "#00ff00", "--duration", "2")
    assert w.end() == 0


GREEN_SCREEN = (40, 200, 40)


def screened(tmp_path):
    """A film of a figure before a green screen on the left and a purple one on the right."""
    image = np.full((360, 640, 3), GREEN_SCREEN, np.uint8)
    image[:, 320:] = (160, 40, 140)
    cv2.ellipse(image, (320, 330), (90, 200), 0, 0, 360, (60, 70, 90), -1)
    path = tmp_path / "screens.png"
    cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("mirror", ["--no-mirror", "--mirror"])
def test_a_click_picks_the_colour_that_is_keyed(window, tmp_path, mirror):
    w = window("-b", "#0000ff", "--source", screened(tmp_path), "--engine", "chroma", mirror)
    purple = 0.2 if mirror == "--mirror" else 0.8  # where it is shown
    side = (slice(0, 150), slice(0, 200) if purple < 0.5 else slice(440, 640))
    other = (slice(0, 150), slice(440, 640) if purple < 0.5 else slice(0, 200))
    w.until_seen(lambda image: share(image[other], BLUE) > 0.9, "the green screen is keyed")
    assert share(w.look()[side], BLUE) < 0.1
    w.click(purple, 0.2)
    w.until_seen(lambda image: share(image[side], BLUE) > 0.9, "the purple one is keyed")
    assert share(w.look()[other], BLUE) < 0.1
    w.click(1 - purple, 0.2)
    w.until_seen(lambda image: share(image[other], BLUE) > 0.9, "the green one again")
    w.press("q")
    assert w.end() == 0
