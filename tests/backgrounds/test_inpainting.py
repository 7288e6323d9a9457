"""What no picture has shown is guessed, by a trained network where one is given."""

import numpy as np
import pytest
from helpers import graphs

from realtime_bg.backgrounds import open_background
from realtime_bg.backgrounds.inpainting import Inpainter
from realtime_bg.errors import EngineError, ModelError
from realtime_bg.photos import erasing
from realtime_bg.settings import BackgroundSettings

HOLE = slice(20, 60), slice(50, 90)


@pytest.fixture
def picture():
    """Stripes, and where they are known."""
    image = np.full((90, 160, 3), (40, 120, 200), np.uint8)
    image[30:50] = (200, 60, 20)
    known = np.ones(image.shape[:2], bool)
    known[HOLE] = False
    return image, known


@pytest.mark.parametrize("network", [False, True])
def test_what_is_known_stays(picture, network, tmp_path):
    image, known = picture
    holed = np.where(known[..., None], image, np.uint8(0))
    inpainter = Inpainter(graphs.painter(tmp_path / "p.onnx") if network else None)
    filled = inpainter.fill(holed, known)
    assert np.abs(filled[known].astype(int) - image[known]).max() <= 1
    assert (
        (filled[HOLE] == 255).all()
        if network
        else np.abs(filled[HOLE].astype(int) - image[HOLE]).mean() < 35
    )


def test_a_network_that_paints_nan_is_an_error(picture, tmp_path):
    image, known = picture
    inpainter = Inpainter(graphs.painter(tmp_path / "p.onnx", np.nan))
    with pytest.raises(EngineError, match="NaN"):
        inpainter.fill(image, known)


def test_a_strip_of_room_is_enough_to_paint_from():
    """Narrower than the pixels of the small picture in which a hole is filled."""
    image = np.full((300, 2000, 3), 180, np.uint8)
    alpha = np.ones((300, 2000), np.float32)
    alpha[:, :24] = 0
    assert np.abs(erasing.filled(image, alpha, Inpainter(None)).astype(int) - 180).max() < 5


def test_erase_in_files_paints_with_the_network(picture, tmp_path):
    image, known = picture
    settings = BackgroundSettings(inpaint=graphs.painter(tmp_path / "p.onnx"))
    alpha = (~known).astype(np.float32)
    size = image.shape[1], image.shape[0]
    live = open_background("erase", settings, False).render(size, 0.0, image, alpha)
    file = open_background("erase", settings, True).render(size, 0.0, image, alpha)
    assert (file[30:50, 60:80] == 255).all()
    assert not (live[30:50, 60:80] == 255).all()  # a surface that costs next to nothing


def test_what_is_no_inpainting_network_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx.*no such file"):
        Inpainter(tmp_path / "none.onnx")
    with pytest.raises(EngineError, match="not an inpainting model"):
        Inpainter(graphs.person_map(tmp_path / "map.onnx"))
    (tmp_path / "bad.onnx").write_bytes(b"no")
    with pytest.raises(ModelError, match="cannot load it"):
        Inpainter(tmp_path / "bad.onnx")
