"""Cut-outs as training data, the set that shows faults, and checkpoints from exported files."""

import cv2
import numpy as np
import pytest
from helpers import ROOT, scripts

torch = pytest.importorskip("torch")

from realtime_bg.errors import DataError  # noqa: E402
from realtime_bg.networks.embedded import Embedded  # noqa: E402
from realtime_bg.training.checkpoints import load_checkpoint  # noqa: E402
from realtime_bg.training.datasets import CutoutPhotos, open_photos  # noqa: E402
from realtime_bg.training.embedded import Scenes, thin_parts  # noqa: E402


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory):
    """Three people without a background; what their files hold there is never shown."""
    folder = tmp_path_factory.mktemp("cutouts")
    for index in range(3):
        picture = np.zeros((160, 120, 4), np.uint8)
        picture[..., :3] = (255, 0, 255)
        picture[20:, 40:80] = (30, 30 + 40 * index, 220, 255)
        picture[50:62, 8:112] = (30, 30 + 40 * index, 220, 255)
        cv2.imwrite(str(folder / f"who-{index}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for index in range(4):
        mask = np.zeros((160, 200), np.uint8)
        mask[40:, 60:130] = 255
        image = np.where(mask[..., None] > 0, (40, 60, 200), (150, 160, 150)).astype(np.uint8)
        cv2.imwrite(str(root / f"images/{index}.jpg"), image)
        cv2.imwrite(str(root / f"masks/{index}.png"), mask)
    return root


def test_a_cutout_is_a_photo_whose_surroundings_are_made_up(cutouts):
    sample = CutoutPhotos(cutouts)[0]
    assert sample.cut
    assert sample.mask[100, 60] == 255
    assert sample.mask[5, 5] == 0
    assert not (sample.image == (255, 0, 255)).all(2).any()
    assert np.abs(sample.image[100, 60].astype(int) - (30, 30, 220)).max() < 3


def test_what_is_no_cutout_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no PNG files"):
        CutoutPhotos(tmp_path)
    cv2.imwrite(str(tmp_path / "plain.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match=r"plain.png: has no alpha channel"):
        CutoutPhotos(tmp_path)[0]


def test_scenes_never_show_what_surrounds_a_cutout(cutouts, photos):
    train, val = open_photos(f"cutouts:{cutouts}", 0.4, 0)
    assert len(train) + len(val) == 3
    room = open_photos(f"folder:{photos}", 0.1, 0)[0]
    both = [*train, *room]
    scenes = Scenes(both, (64, 36), 0)
    for step in range(12):
        rgb, alpha, _ = scenes[0, step % len(both), step]
        magenta = (rgb[0] > 220) & (rgb[1] < 40) & (rgb[2] > 220)
        assert magenta.float().mean() < 0.01
        assert 0 <= alpha.min() <= alpha.max() <= 1


def test_cutouts_alone_have_no_room_to_stand_in(cutouts):
    assert "no photo" in Scenes(CutoutPhotos(cutouts), (64, 36), 0)[0, 0, 0]


def test_thin_parts_are_arms_and_not_bodies():
    truth = torch.zeros(1, 1, 100, 160)
    truth[:, :, 20:, 60:100] = 1
    truth[:, :, 40:46, 10:150] = 1
    thin = thin_parts(truth)[0, 0]
    assert thin[43, 20] == 1
    assert thin[43, 140] == 1
    assert thin[70, 80] == 0
    assert thin[43, 80] == 0
    assert thin[5, 5] == 0


def test_the_set_has_every_kind_and_clips(cutouts, photos, tmp_path, capsys):
    where = ("--cutouts", cutouts, "--people", f"folder:{photos}", "--rooms", f"folder:{photos}")
    small = ("--count", 1, "--size", "64x36")
    assert scripts.run("make_people_set", "--out", tmp_path / "set", *where, *small) == 0
    names = {path.stem for path in (tmp_path / "set/images").iterdir()}
    assert names == {path.stem for path in (tmp_path / "set/masks").iterdir()}
    assert {name.rpartition("-")[0] for name in names} == {
        *("arms", "close", "faceless", "patch", "entering", "touching", "empty", "still")
    }
    assert len(list((tmp_path / "set/images/still-000").iterdir())) == 16
    assert not cv2.imread(str(tmp_path / "set/masks/empty-000.png"), 0).any()
    again = ("--out", tmp_path / "again", *where, *small)
    assert scripts.run("make_people_set", *again) == 0
    for name in ("arms-000", "close-000"):
        one, other = (tmp_path / folder / f"images/{name}.jpg" for folder in ("set", "again"))
        assert one.read_bytes() == other.read_bytes()
    bad = ("--cutouts", tmp_path, *where[2:])
    assert scripts.run("make_people_set", "--out", tmp_path / "x", *bad) == 2
    assert "holds no PNG files" in capsys.readouterr().err


def test_the_shipped_network_becomes_a_checkpoint_that_computes_the_same(photos, tmp_path, capsys):
    import onnxruntime as ort

    model, out = ROOT / "models/embedded.onnx", tmp_path / "start.pt"
    what = ("--data", f"folder:{photos}", "--size", "64x36", "--out", out)
    assert scripts.run("restore_embedded", model, *what) == 0
    network = Embedded()
    network.load_state_dict(load_checkpoint(out)["model"])
    network.eval()
    src = torch.rand(1, 3, 72, 128, generator=torch.Generator().manual_seed(1))
    last = src[:, :1] * 0.5
    with torch.no_grad():
        ours = network(src, last).sigmoid().numpy()
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (theirs,) = session.run(["pha"], {"src": src.numpy(), "last": last.numpy()})
    assert np.abs(ours - theirs).max() < 1e-3

    (tmp_path / "no.onnx").write_text("no network")
    assert scripts.run("restore_embedded", tmp_path / "no.onnx", *what) == 2
    assert "cannot be read" in capsys.readouterr().err
