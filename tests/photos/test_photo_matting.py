"""Photos in memory: what a cut-out's colours tell of the room, sizes that change, backgrounds."""

from contextlib import closing, suppress

import cv2
import numpy as np
import pytest
from helpers import graphs

from realtime_bg.errors import BackgroundError, DataError
from realtime_bg.media.photos import encode, encode_rgba, read_photo
from realtime_bg.photos.photo_matting import Cutout, PhotoMatting
from realtime_bg.settings import load

PERSON = (190, 225, 240)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    path = graphs.person_map(tmp_path_factory.mktemp("network") / "bright.onnx")
    flags = {
        "engine.name": "semantic",
        "engine.model": str(path),
        "background.current": "blue",
        "refine.hysteresis": 0,
    }  # faint alpha all over the room stays
    with closing(PhotoMatting(load(flags=flags))) as opened:
        yield opened


def photo(width=160, height=120):
    """A bright person in a dark room with a strong pattern."""
    rng = np.random.default_rng(2)
    room = cv2.resize(
        rng.integers(0, 90, (height // 8, width // 8, 3), np.uint8),
        (width, height),
        interpolation=cv2.INTER_NEAREST,
    )
    soft = np.zeros((height, width), np.float32)
    cv2.ellipse(soft, (width // 2, height), (width // 5, height * 3 // 4), 0, 0, 360, 1, -1)
    soft = cv2.GaussianBlur(soft, (0, 0), 3)[..., None]
    return np.rint(soft * PERSON + (1 - soft) * room).astype(np.uint8), soft[..., 0]


@pytest.mark.parametrize("depth", [8, 16])
def test_the_room_is_not_in_the_colours_of_a_cut_out(photos, depth):
    """Whoever drops the alpha sees no room: neither where it is 0 nor where it is nearly 0."""
    image, soft = photo()
    png = encode_rgba(photos.matte(image), depth=depth)
    full = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    colour = full[..., :3] / (257 if depth == 16 else 1)
    alpha = full[..., 3] / full[..., 3].max()
    assert (alpha == 0).any() == (depth == 8)  # with 16 bits it is nowhere quite sure
    assert (colour[alpha < 0.0019] == 0).all()
    faint = (alpha > 0.002) & (alpha < 0.02) & (soft < 0.01)
    assert faint.sum() > 20
    for channel in range(3):
        seen, room = colour[faint][:, channel], image[faint][:, channel].astype(float)
        assert abs(np.corrcoef(seen, room)[0, 1]) < 0.35


def test_it_looks_as_if_shot_there(photos):
    """Over a colour, an edge shows person and colour mixed, and nothing of the room."""
    image, _ = photo()
    cutout = photos.matte(image)
    shown = photos.over(cutout, "#00ff00")
    alpha = cutout.alpha[..., None]
    wanted = alpha * PERSON + (1 - alpha) * (0, 255, 0)
    assert np.abs(shown - wanted).mean() < 3


@pytest.mark.parametrize("background", ["erase", "blur", "beach"])
def test_where_the_engine_is_lost_nothing_of_the_photo_is_shown(background):
    image, _ = photo()
    flags = {"engine.name": "chroma", "background.current": background}  # and there is no screen
    with closing(PhotoMatting(load(flags=flags))) as lost:
        cutout = lost.matte(image)
        shown = lost.over(cutout)
    assert cutout.lost
    assert (shown == image).all(-1).mean() < 0.01
    grey, room = (cv2.cvtColor(one, cv2.COLOR_BGR2GRAY).ravel() for one in (shown, image))
    assert abs(np.corrcoef(grey, room)[0, 1]) < 0.35


def test_photos_of_any_size_one_after_the_other(photos):
    for size in ((160, 120), (96, 200), (1, 1), (2, 301), (160, 120)):
        image = np.full((size[1], size[0], 3), PERSON, np.uint8)
        cutout = photos.matte(image)
        assert cutout.alpha.shape == image.shape[:2]
        assert cutout.alpha.min() > 0.95
        for background in (None, "blur", "beach"):
            assert photos.over(cutout, background).shape == image.shape


def test_a_photo_is_no_mirror_whatever_the_camera_is():
    settings = load(flags={"engine.name": "grabcut", "output.mirror": True})
    image, _ = photo()
    image[:, :20] = (200, 0, 0)
    with closing(PhotoMatting(settings)) as opened:
        whole = Cutout(image, np.ones(image.shape[:2], np.float32), image)
        assert np.abs(opened.over(whole, "red").astype(int) - image).max() <= 1


def test_a_photo_is_not_lit_as_the_one_before():
    settings = load(flags={"engine.name": "grabcut", "harmonise.match": 1})
    image, soft = photo()
    dark, bright = Cutout(image // 4, soft, image // 4), Cutout(image, soft, image)
    with closing(PhotoMatting(settings)) as first, closing(PhotoMatting(settings)) as second:
        alone = first.over(bright, "beach")
        assert (second.over(dark, "beach") != alone).any()
        np.testing.assert_array_equal(second.over(bright, "beach"), alone)


def test_a_background_that_cannot_be_read_leaves_the_next_one_working(photos, tmp_path):
    image, _ = photo()
    cutout = photos.matte(image)
    (tmp_path / "junk.png").write_bytes(b"junk")
    with pytest.raises(BackgroundError, match=r"junk\.png"):
        photos.over(cutout, str(tmp_path / "junk.png"))
    assert (photos.over(cutout, "red")[0, 0] == (0, 0, 255)).all()


@pytest.mark.parametrize(
    ("pixels", "format", "why"),
    [
        (np.zeros((2, 16384, 3), np.uint8), "webp", "cannot be written as webp"),
        (np.zeros((2, 2, 4), np.uint16), "webp", "16 bits are supported only by PNG"),
    ],
)
def test_what_a_format_cannot_hold_is_said(pixels, format, why):
    with pytest.raises(DataError, match=why):
        encode(pixels, format)


def test_any_damage_to_a_photo_is_one_error():
    """Bytes changed at random: the picture, or an error of ours."""
    rng = np.random.default_rng(4)
    image, _ = photo()
    read = 0
    for format in ("jpg", "png", "webp", "tiff"):
        whole = np.frombuffer(encode(image, format, exif=None), np.uint8)
        for _ in range(40):
            data = whole.copy()
            data[rng.integers(0, len(data), 12)] = rng.integers(0, 256, 12)
            with suppress(DataError):
                read += read_photo(data.tobytes(), pixels=1_000_000).image.dtype == np.uint8
    assert read > 10
