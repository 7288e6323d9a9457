"""What other programs import: photos, sessions, pipelines; in arrays, Pillow images and files."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers.waiting import until
from PIL import Image

import realtime_bg
from realtime_bg.errors import DataError, RealtimeBgError, SettingsError
from realtime_bg.settings import SourceSettings
from realtime_bg.sources.demo import DemoSource

FAST = {"engine": "embedded", "offline": True, "device": "cpu"}
GREEN = (0, 177, 64)  # RGB of #00b140


@pytest.fixture(scope="module")
def person():
    """A BGR frame of the demo, 320x180."""
    source = DemoSource("", SourceSettings(spec="demo", size=(320, 180)), False)
    frame = next(iter(source))
    source.close()
    return frame.image


@pytest.fixture
def rgb(person):
    return cv2.cvtColor(person, cv2.COLOR_BGR2RGB)


def test_importing_it_is_cheap_and_shows_its_face():
    code = (
        "import realtime_bg, sys; assert 'numpy' not in sys.modules; "
        "assert set(realtime_bg.__all__) <= set(dir(realtime_bg)); print(realtime_bg.__version__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        realtime_bg.nothing  # noqa: B018
    assert all(getattr(realtime_bg, name).__doc__ for name in realtime_bg.__all__ if name[0] != "_")


def test_an_array_is_cut_out_in_the_order_it_came_in(person, rgb):
    cut = realtime_bg.remove(rgb, **FAST)
    assert cut.shape == (180, 320, 4)
    assert cut.dtype == np.uint8
    assert cut[175, 160, 3] > 250  # the person
    assert cut[5, 5, 3] == 0  # the room
    other = realtime_bg.remove(person, order="bgr", **FAST)
    np.testing.assert_array_equal(other, cv2.cvtColor(cut, cv2.COLOR_RGBA2BGRA))
    alpha = realtime_bg.alpha(rgb, **FAST)
    assert alpha.dtype == np.float32
    np.testing.assert_array_equal(np.rint(alpha * 255).astype(np.uint8), cut[..., 3])


def test_a_background_is_a_name_an_array_or_a_picture(rgb):
    green = np.full((9, 16, 3), GREEN, np.uint8)
    pictures = [
        realtime_bg.remove(rgb, background=background, **FAST)
        for background in ("#00b140", green, Image.fromarray(green))
    ]
    for picture in pictures:
        assert picture.shape == (180, 320, 3)
        assert tuple(picture[5, 5]) == GREEN
        assert abs(picture[175, 160].astype(int) - rgb[175, 160]).max() < 12
    np.testing.assert_allclose(pictures[1], pictures[0], atol=2)
    np.testing.assert_array_equal(pictures[2], pictures[1])


def test_pillow_in_is_pillow_out_and_files_are_read_upright(rgb, tmp_path):
    cut = realtime_bg.remove(Image.fromarray(rgb), **FAST)
    assert cut.mode == "RGBA"
    assert realtime_bg.remove(Image.fromarray(rgb), "blur", **FAST).mode == "RGB"
    path = tmp_path / "me.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    Image.fromarray(np.ascontiguousarray(np.rot90(rgb))).save(path, exif=exif)
    for given in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(realtime_bg.remove(given, **FAST), np.asarray(cut))


def test_what_cannot_work_is_one_of_our_errors(rgb, tmp_path):
    with pytest.raises(SettingsError, match=r"arguments: refine\.feather"):
        realtime_bg.remove(rgb, refine__feather=-1)
    with pytest.raises(SettingsError, match=r"no such setting"):
        realtime_bg.alpha(rgb, nothing=1)
    with pytest.raises(SettingsError, match="choose 'rgb' or 'bgr'"):
        realtime_bg.alpha(rgb, order="gbr")
    with pytest.raises(realtime_bg.RealtimeBgError, match="unknown engine 'rwm'; did you mean"):
        realtime_bg.Session("rwm")
    with pytest.raises(RealtimeBgError, match="no such file or name"):
        realtime_bg.remove(rgb, "gone.jpg", **FAST)
    with pytest.raises(DataError, match=r"x\.png: cannot be read"):
        realtime_bg.remove(tmp_path / "x.png", **FAST)
    with pytest.raises(ValueError, match="expected the shape"):
        realtime_bg.remove(rgb[..., 0], **FAST)


def test_a_session_goes_on_from_frame_to_frame_until_it_is_reset(person):
    empty = np.zeros_like(person)
    with realtime_bg.Session(order="bgr", **FAST) as session:
        alphas = [session.matte(person) for _ in range(3)]
        assert alphas[0].shape == (180, 320)
        assert alphas[-1][175, 160] > 0.98
        shown = session.composite(person, "#00b140")
        assert tuple(shown[5, 5]) == GREEN[::-1]
        np.testing.assert_array_equal(session.composite(person, np.full_like(person, 7))[5, 5], 7)
        session.matte(empty)
        session.reset()
        again = session.matte(person)
    np.testing.assert_allclose(again, alphas[0], atol=1e-6)
    session.close()


def test_open_runs_until_it_is_stopped_and_changes_on_the_way(tmp_path):
    seen = []
    file = tmp_path / "out.mp4"
    with realtime_bg.open(
        "demo", "#00b140", [seen.append, str(file)], size=(64, 36), output__on_demand=False, **FAST
    ) as running:
        until(lambda: any(tuple(image[1, 1]) == GREEN[::-1] for image in seen[-1:]))
        assert running.running
        until(lambda: running.stats["engine"] == "embedded")
        running.set(background="red", refine__feather=2)
        until(lambda: tuple(seen[-1][1, 1]) == (0, 0, 255))
        assert running.settings["refine"]["feather"] == 2
        with pytest.raises(SettingsError, match="no such file"):
            running.set(background="gone.jpg")
        assert not running.wait(0.01)
    assert not running.running
    assert file.stat().st_size
    running.stop()


def test_open_refuses_what_cannot_work():
    with pytest.raises(SettingsError, match="main thread"):
        realtime_bg.open("demo", outputs=["window"])
    with pytest.raises(RealtimeBgError, match="no such file"):
        realtime_bg.open("gone.mp4", outputs=["null"])


def test_the_program_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "realtime_bg", "--version"],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == f"realtime-bg {realtime_bg.__version__}\n"
