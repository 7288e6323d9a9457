"""A camera published in a real PipeWire, read by GStreamer."""

import os
import signal

import numpy as np
import psutil
import pytest
from helpers.desktop import GSTREAMER, MISSING, Desktop
from helpers.waiting import until

from realtime_bg.devices import libpipewire
from realtime_bg.devices.pipewire import PublishedCamera

SIZE, NAME = (64, 36), "published"
PLANES = np.full((SIZE[1] * 3 // 2, SIZE[0]), 90, np.uint8)

needs_pipewire = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
needs_gstreamer = pytest.mark.skipif(not GSTREAMER, reason="needs gst-launch-1.0")


@pytest.fixture
def camera(desktop):
    made = PublishedCamera(NAME, SIZE, 30)
    until(lambda: desktop.node(NAME), desktop.logs)
    yield made
    made.close()


def feed(camera, condition, logs):
    """Hand over pictures until something is true; return how many were taken."""
    taken = 0

    def fed():
        nonlocal taken
        taken += camera.hand_over(PLANES)
        return condition()

    until(fed, logs)
    return taken


@needs_pipewire
def test_nobody_reads_at_first_and_listing_is_not_reading(camera, desktop):
    desktop.run("wpctl", "status")
    assert not camera.has_readers
    assert not camera.hand_over(PLANES)
    assert not camera.lost


@needs_pipewire
@needs_gstreamer
def test_a_reader_gets_pictures_and_leaves(camera, desktop):
    reader = desktop.gstreamer(NAME, frames=5)
    taken = feed(camera, lambda: reader.poll() is not None, desktop.logs)
    assert reader.returncode == 0
    assert taken >= 5
    until(lambda: not camera.has_readers, desktop.logs)


@needs_pipewire
@needs_gstreamer
def test_a_frozen_reader_blocks_neither_the_camera_nor_another_reader(camera, desktop):
    frozen = desktop.gstreamer(NAME)
    feed(camera, lambda: camera.has_readers, desktop.logs)
    frozen.send_signal(signal.SIGSTOP)
    reader = desktop.gstreamer(NAME, frames=20)
    feed(camera, lambda: reader.poll() == 0, desktop.logs)
    frozen.send_signal(signal.SIGCONT)
    desktop.stop(frozen)


@needs_pipewire
@needs_gstreamer
def test_readers_leave_no_threads_and_no_files_behind(camera, desktop):
    own = psutil.Process()
    before = own.num_threads(), own.num_fds()
    for _ in range(5):
        reader = desktop.gstreamer(NAME)
        feed(camera, lambda: camera.has_readers, desktop.logs)
        desktop.stop(reader, signal.SIGKILL)
        until(lambda: not camera.has_readers, desktop.logs)
    # PipeWire takes the buffers back after it has said that the reader is gone.
    until(lambda: own.num_threads() <= before[0], "a thread is left")
    until(lambda: own.num_fds() <= before[1] + 2, "a file is left")


@needs_pipewire
def test_it_is_gone_after_closing(camera, desktop):
    threads = psutil.Process().num_threads()
    camera.close()
    camera.close()
    until(lambda: desktop.node(NAME) is None, desktop.logs)
    assert psutil.Process().num_threads() < threads
    assert camera.lost


@needs_pipewire
def test_a_pipewire_that_ends_is_noticed(monkeypatch):
    with Desktop() as desktop:
        monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(desktop.folder))
        camera = PublishedCamera(NAME, SIZE, 30)
        desktop.stop(desktop.pipewire)
        until(lambda: camera.lost, desktop.logs)
        assert not camera.hand_over(PLANES)
        camera.close()


@needs_pipewire
def test_without_a_pipewire_there_is_a_connection_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEWIRE_RUNTIME_DIR", str(tmp_path))
    threads, files = psutil.Process().num_threads(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            PublishedCamera(NAME, SIZE, 30)
    assert psutil.Process().num_threads() == threads
    assert len(os.listdir("/proc/self/fd")) <= files + 1


@needs_pipewire
@pytest.mark.parametrize("planes", [PLANES[1:], PLANES[:, ::2]])
def test_planes_of_another_size_are_refused(camera, planes):
    with pytest.raises(ValueError, match="expected 3456 bytes"):
        camera.hand_over(planes)


def test_without_the_library_there_is_an_os_error(monkeypatch):
    monkeypatch.setattr(libpipewire, "NAME", "libpipewire-that-is-not-there.so.0")
    libpipewire.library.cache_clear()
    with pytest.raises(OSError, match="libpipewire-that-is-not-there"):
        PublishedCamera(NAME, SIZE, 30)
    libpipewire.library.cache_clear()
