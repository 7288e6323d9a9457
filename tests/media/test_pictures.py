"""Plain pictures are recognised and read from bytes, whatever their file is called."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from realtime_bg.backgrounds.folder import FolderBackground
from realtime_bg.errors import EngineError
from realtime_bg.media.photos import is_animated
from realtime_bg.media.pictures import (
    HEAD,
    first_bytes,
    is_animated_png,
    is_picture,
    read_picture,
)
from realtime_bg.networks.faces import Faces
from realtime_bg.processing.cards import card
from realtime_bg.processing.overlays import preview
from realtime_bg.settings import BackgroundSettings, ViewSettings
from realtime_bg.stats import Stats

LATIN = "caf\udce9"  # how Python shows the bytes of "café" in Latin-1
GREEN = np.full((72, 96, 3), (0, 200, 0), np.uint8)

needs_bytes = pytest.mark.skipif(os.name != "posix", reason="names are bytes only on POSIX")


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".jp2", ".ppm", ".hdr", ".ras", ".avif"]
)
def test_what_opencv_decodes_is_a_picture(suffix):
    if not cv2.haveImageWriter(f"a{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    data = cv2.imencode(suffix, GREEN)[1].tobytes()
    assert is_picture(data[:HEAD])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


@pytest.mark.parametrize(
    "head", [b"", b"GIF89a", b"<svg xmlns=", b"\0\0\0\x20ftypisom", b"ffconcat version 1.0\n"]
)
def test_what_is_no_still_picture_is_none(head):
    assert not is_picture(head + bytes(HEAD))


@needs_bytes
def test_a_name_that_is_not_utf8_is_read_like_any_other(tmp_path):
    path = tmp_path / f"{LATIN}.png"
    path.write_bytes(cv2.imencode(".png", GREEN)[1].tobytes())
    assert (read_picture(path) == GREEN).all()
    shown = FolderBackground(str(tmp_path), BackgroundSettings(), True).render((96, 72), 0.0)
    assert (shown == GREEN).all()


@needs_bytes
def test_a_face_detector_may_have_any_name(tmp_path):
    path = tmp_path / f"{LATIN}.onnx"
    path.write_bytes(b"nonsense")
    with pytest.raises(EngineError, match="not a face detector"):
        Faces(path)


def test_names_that_are_not_utf8_can_be_drawn():
    assert card((320, 180), f"{LATIN}.png").shape == (180, 320, 3)
    stats = Stats()
    stats.notice(f"background {LATIN}.png: damaged")
    shown = preview(np.zeros((180, 320, 3), np.uint8), None, None, ViewSettings(), stats)
    assert shown is not None
    assert shown.any()


def animated(path, kind, **options):
    shades = [Image.new("RGB", (8, 6), (40 * n, 0, 0)) for n in range(4)]
    shades[0].save(path, kind, save_all=True, append_images=shades[1:], duration=100, **options)
    return path


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_animated_pictures_are_told_from_still_ones(tmp_path, kind):
    moving = animated(tmp_path / "a", kind)
    Image.new("RGB", (8, 6)).save(tmp_path / "b", kind)
    assert is_animated(moving.read_bytes())
    assert not is_animated((tmp_path / "b").read_bytes())
    assert not is_picture(first_bytes(moving))
    assert not is_animated_png(first_bytes(moving)[:20])  # cut off


def test_a_png_with_text_before_its_animation_is_animated(tmp_path):
    text = PngInfo()
    text.add_text("Comment", "x" * 900)
    assert is_animated_png(first_bytes(animated(tmp_path / "a.png", "PNG", pnginfo=text)))
    assert first_bytes(tmp_path / "gone.png") == b""
