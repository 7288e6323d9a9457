"""The program as a camera in PipeWire, read by browsers and GStreamer in a session of its own."""

import signal
import sys

import cv2
import numpy as np
import pytest
from helpers.desktop import CHROMIUM, FIREFOX, GSTREAMER, MISSING, CallPage
from helpers.waiting import until

from realtime_bg.backgrounds import open_background
from realtime_bg.daemon.control import ask_once
from realtime_bg.daemon.endpoint import UnixEndpoint
from realtime_bg.settings import load

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
needs_gstreamer = pytest.mark.skipif(not GSTREAMER, reason="needs gst-launch-1.0")
NAME, SIZE = "realtime-bg", (1280, 720)


class Product:
    """The daemon, with a camera in PipeWire as its output. There is one per session."""

    def __init__(self, desktop, *options, name=NAME):
        self.desktop = desktop
        common = ["--engine", "embedded", "--background", "beach", *options]
        words = [sys.executable, "-m", "realtime_bg", "daemon", *common]
        self._child = desktop.start(*words, log="product.log")
        until(lambda: desktop.node(name), desktop.logs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.desktop.stop(self._child)

    def set(self, **changes):
        return self._ask("set", changes={k.replace("__", "."): v for k, v in changes.items()})

    def status(self):
        return self._ask("status")

    def _ask(self, command, **details):
        at = UnixEndpoint(self.desktop.folder / "realtime-bg")
        return ask_once({"command": command, **details}, at)


@pytest.fixture
def product(desktop):
    with Product(desktop, "--source", "demo", "--output", "pipewire") as started:
        yield started


def scenery(name):
    """A background as the program shows it."""
    return open_background(name, load().background, True).render(SIZE, 0.0)


def shows(picture, name):
    """Whether the upper corners, where the demo's person never is, show a background."""
    behind = scenery(name)
    corners = (slice(0, 200), slice(0, 250)), (slice(0, 200), slice(-250, None))
    off = [np.abs(picture[at].astype(int) - behind[at]).mean() for at in corners]
    return max(off) < 6


def person(picture, name):
    """Where the picture differs from the background, ``bool (H, W)``."""
    off = np.abs(picture.astype(int) - scenery(name)).max(axis=2)
    return cv2.blur(off.astype(np.float32), (9, 9)) > 20


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_a_browser_sees_the_composite_and_a_change_of_the_background(product, browser):
    if not {"chromium": CHROMIUM, "firefox": FIREFOX}[browser]:
        pytest.skip(f"needs {browser}")
    desktop = product.desktop
    product.set(background__current="beach")
    with CallPage() as page:
        child = getattr(desktop, browser)(page.url)
        page.until(lambda picture: shows(picture, "beach"), desktop.logs)
        assert page.told["label"] == NAME
        assert page.told["labels"] == [NAME]
        assert tuple(page.told["size"]) == SIZE
        seen = page.until(
            lambda picture: 0.15 < person(picture, "beach").mean() < 0.5, desktop.logs
        )
        blue, green, red = seen[person(seen, "beach")].mean(axis=0)
        assert red > green > blue  # the suit is orange: nothing is swapped
        product.set(background__current="#00b140")
        page.until(
            lambda picture: np.abs(picture[:200, :250] - (64.0, 177, 0)).mean() < 6, desktop.logs
        )
        desktop.stop(child)


@needs_gstreamer
def test_readers_come_and_go_and_open_and_close_the_source(product):
    """Listing the cameras does not open it. Two read at once; one that is killed harms no other."""
    desktop = product.desktop
    until(lambda: not product.status()["watched"], desktop.logs)
    desktop.run("pw-dump")
    desktop.run("wpctl", "status")
    assert not product.status()["watched"]
    assert product.status()["cameras"]["pipewire"].startswith("PipeWire camera realtime-bg (for")
    first = desktop.gstreamer(NAME)
    until(lambda: product.status()["watched"], desktop.logs)
    second = desktop.gstreamer(NAME, frames=10)
    until(lambda: second.poll() == 0, desktop.logs)
    desktop.stop(first, signal.SIGKILL)
    until(lambda: not product.status()["watched"], desktop.logs)
    until(lambda: not product.status()["camera_open"], desktop.logs)
    for _ in range(20):
        reader = desktop.gstreamer(NAME, frames=3)
        until(lambda reader=reader: reader.poll() == 0, desktop.logs)


@needs_gstreamer
def test_readers_that_are_killed_or_frozen_do_not_starve_others(product):
    desktop = product.desktop
    frozen = desktop.gstreamer(NAME)
    until(lambda: product.status()["watched"], desktop.logs)
    frozen.send_signal(signal.SIGSTOP)
    for _ in range(5):
        killed = desktop.gstreamer(NAME)
        until(lambda: desktop.node(NAME) == "running", desktop.logs)
        desktop.stop(killed, signal.SIGKILL)
    reader = desktop.gstreamer(NAME, frames=20)
    until(lambda: reader.poll() == 0, desktop.logs)
    frozen.send_signal(signal.SIGCONT)
    desktop.stop(frozen)


@needs_gstreamer
def test_the_camera_comes_back_after_pipewire_was_restarted(desktop):
    """And before that PipeWire is not there at all; the other output goes on."""
    outputs = ["--output", "pipewire", "--output", "null"]
    with Product(desktop, "--source", "demo", *outputs) as product:
        until(lambda: set(product.status()["outputs"]) == {"pipewire", "null"}, desktop.logs)
        desktop.stop(desktop.manager)
        desktop.stop(desktop.pipewire)
        until(lambda: product.status()["outputs"] == ["null"], desktop.logs)
        assert "PipeWire" in product.status()["waiting_for"]["pipewire"]
        desktop.start_pipewire()
        desktop.start_session_manager()
        until(lambda: set(product.status()["outputs"]) == {"pipewire", "null"}, desktop.logs)
        reader = desktop.gstreamer(NAME, frames=3)
        until(lambda: reader.poll() == 0, desktop.logs)


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_no_pixel_of_the_camera_is_seen(desktop, tmp_path):
    """From the first picture on, while engines load and change, and backgrounds change."""
    room = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    room[:] = 255, 0, 255
    cv2.imwrite(str(tmp_path / "room.png"), room)
    options = ["--source", tmp_path / "room.png", "--output", "pipewire:Room"]
    with Product(desktop, *options, name="Room") as product, CallPage() as page:
        child = desktop.chromium(page.url)
        page.until(lambda picture: shows(picture, "beach"), desktop.logs)
        assert page.told["label"] == "Room"
        for engine, background in (("grabcut", "office"), ("embedded", "beach")):
            product.set(engine__name=engine, background__current=background)
            page.until(lambda picture, name=background: shows(picture, name), desktop.logs)
        desktop.stop(child)
    for picture in page.pictures:
        assert not (np.abs(picture.astype(int) - (255, 0, 255)).max(axis=2) < 60).any()
