"""A camera of a real PipeWire as the source."""

import contextlib
import threading
import time

import cv2
import numpy as np
import pytest
from helpers.desktop import MISSING
from helpers.waiting import PROMPT, until

from realtime_bg.devices import pipewire, pipewire_capture
from realtime_bg.errors import SourceError
from realtime_bg.settings import SourceSettings
from realtime_bg.sources import classify, open_source
from realtime_bg.sources import pipewire as module

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
SIZE, COLOUR = (64, 36), (10, 120, 230)


class Webcam:
    """A camera of another program: a picture of one colour, 100 times a second."""

    def __init__(self, name):
        image = np.full((SIZE[1], SIZE[0], 3), COLOUR, np.uint8)
        self._planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
        self._camera = pipewire.PublishedCamera(name, SIZE, 30)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self):
        while not self._ended.wait(0.01):
            self._camera.hand_over(self._planes)

    def close(self):
        self._ended.set()
        self._thread.join()
        self._camera.close()


@pytest.fixture
def webcam(desktop, monkeypatch):
    monkeypatch.setattr(pipewire, "OWN", "other.program")
    made = Webcam("Webcam of a stranger")
    until(lambda: desktop.node("Webcam of a stranger"), desktop.logs)
    yield made
    made.close()
    until(lambda: desktop.node("Webcam of a stranger") is None, desktop.logs)


def opened(spec="pipewire", **settings):
    return open_source(SourceSettings(spec=spec, **settings), paced=True)


def test_the_spec():
    assert classify("pipewire") == ("pipewire", "")
    assert classify("pipewire:Stranger") == ("pipewire", "Stranger")


@pytest.mark.parametrize("spec", ["pipewire", "pipewire:STRANGER"])
def test_it_sends_the_pictures_of_the_camera(webcam, spec):
    with contextlib.closing(opened(spec, size=(1280, 720))) as source:
        assert source.live
        assert (source.size, source.fps) == (SIZE, 30)
        assert source.description == "PipeWire camera Webcam of a stranger: 64x36 at 30 fps, I420"
        frames = iter(source)
        for index in range(3):
            frame = next(frames)
            assert frame.index == index
            assert np.abs(frame.image.astype(int) - COLOUR).max() <= 4


def test_our_own_camera_is_never_taken(desktop):
    own = Webcam("realtime-bg")
    try:
        until(lambda: desktop.node("realtime-bg"), desktop.logs)
        with pytest.raises(SourceError, match=r"no such camera \(there is: none\)"):
            opened()
        with pytest.raises(SourceError, match="no such camera"):
            opened("pipewire:realtime-bg")
    finally:
        own.close()


def test_a_camera_that_is_not_there_is_named_with_those_that_are(webcam):
    with pytest.raises(SourceError, match=r"\(there is: Webcam of a stranger\)") as caught:
        opened("pipewire:Other")
    assert "\n" not in str(caught.value)


def test_without_pipewire_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(SourceError, match=r"no PipeWire .*sudo apt install") as caught:
        opened()
    assert "\n" not in str(caught.value)


def test_a_camera_that_sends_nothing_says_so(webcam, monkeypatch):
    monkeypatch.setattr(module, "READS", 1)
    monkeypatch.setattr(module, "SLICE", 0.05)
    monkeypatch.setattr(pipewire_capture.CapturedCamera, "_process", lambda self: None)
    with pytest.raises(SourceError, match="sends no pictures"):
        opened()


def test_a_camera_that_comes_back_is_used_again(desktop, webcam):
    with contextlib.closing(opened()) as source:
        frames = iter(source)
        assert next(frames).epoch == 0
        webcam.close()
        until(lambda: desktop.node("Webcam of a stranger") is None, desktop.logs)
        again = []

        def return_later():
            until(lambda: source.waiting, desktop.logs)
            again.append(Webcam("Webcam of a stranger"))

        thread = threading.Thread(target=return_later)
        thread.start()
        seen = next(frame for frame in frames if frame.epoch)
        assert np.abs(seen.image.astype(int) - COLOUR).max() <= 4
        thread.join()
        again[0].close()


def test_closing_from_another_thread_ends_it(webcam):
    source = opened()
    frames = iter(source)
    next(frames)
    begin = time.monotonic()
    threading.Timer(0.05, source.close).start()
    for _ in frames:
        pass
    assert time.monotonic() - begin < PROMPT
