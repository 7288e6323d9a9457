"""scripts/label.py: an engine's alphas as masks to train on, in the layout that training reads."""

import shutil

import cv2
import numpy as np
import pytest
from helpers import graphs, scripts

from realtime_bg.training.labelled import pairs


@pytest.fixture
def network(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx", logits=False)
    path.with_suffix(".yaml").write_text("network: {output: probability}\n")
    return path


@pytest.fixture
def photos(tmp_path):
    """One with somebody bright, one with nobody."""
    folder = tmp_path / "photos"
    folder.mkdir()
    image = np.full((48, 64, 3), 5, np.uint8)
    cv2.imwrite(str(folder / "nobody.png"), image)
    image[:, 32:] = 250
    cv2.imwrite(str(folder / "somebody.jpg"), image)
    return folder


def test_photos_and_frames_become_a_labelled_folder(tmp_path, photos, network, capsys):
    clip = tmp_path / "clips" / "walk"
    clip.mkdir(parents=True)
    picture = cv2.imread(str(photos / "somebody.jpg"))
    for index in range(4):
        cv2.imwrite(str(clip / f"{index}.png"), picture)
    out = tmp_path / "labelled"
    code = scripts.run(
        "label",
        photos,
        clip.parent,
        "--engine",
        "semantic",
        "--model",
        network,
        "--device",
        "cpu",
        "--out",
        out,
        "--every",
        2,
    )
    said = capsys.readouterr().err
    assert code == 0, said
    assert "3 images labelled" in said
    assert "1 left out" in said
    found = pairs(out)
    assert [pair.image.name for pair in found] == [
        "somebody.jpg",
        "walk-00000.png",
        "walk-00002.png",
    ]
    assert (out / "images/somebody.jpg").read_bytes() == (photos / "somebody.jpg").read_bytes()
    mask = cv2.imread(str(out / "masks/somebody.png"), cv2.IMREAD_GRAYSCALE)
    assert mask[:, 40:].min() > 200
    assert mask[:, :24].max() < 60


def test_masks_that_are_there_are_never_written_over(tmp_path, photos, network, capsys):
    own = tmp_path / "own"
    for folder in ("images", "masks"):
        (own / folder).mkdir(parents=True)
    shutil.copy(photos / "somebody.jpg", own / "images")
    cv2.imwrite(str(own / "masks/somebody.png"), np.full((48, 64), 99, np.uint8))
    drawn = (own / "masks/somebody.png").read_bytes()
    engine = ("--engine", "semantic", "--model", network, "--device", "cpu")
    assert scripts.run("label", own, *engine, "--out", own) == 2
    assert "is in --out, whose masks would be overwritten" in capsys.readouterr().err
    assert scripts.run("label", photos, *engine, "--out", own) == 0
    assert "1 kept from before" in capsys.readouterr().err
    assert (own / "masks/somebody.png").read_bytes() == drawn


def test_what_is_not_there_is_one_line(tmp_path, capsys):
    assert scripts.run("label", tmp_path / "none", "--out", tmp_path) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path, photos, network, capsys):
    (photos / "broken.jpg").write_bytes(b"no picture")
    out = tmp_path / "labelled"
    assert (
        scripts.run(
            "label",
            photos,
            "--engine",
            "semantic",
            "--model",
            network,
            "--device",
            "cpu",
            "--out",
            out,
        )
        == 0
    )
    said = capsys.readouterr().err
    assert "broken.jpg: not a readable image; left out" in said
    assert "1 images labelled" in said
    assert "2 left out" in said


def test_two_of_one_name_are_refused_before_anything_is_written(tmp_path, photos, network, capsys):
    other = tmp_path / "other"
    other.mkdir()
    (other / "somebody.png").write_bytes((photos / "nobody.png").read_bytes())
    out = tmp_path / "labelled"
    assert (
        scripts.run(
            "label", photos, other, "--engine", "semantic", "--model", network, "--out", out
        )
        == 2
    )
    assert "would get the same name" in capsys.readouterr().err
    assert not out.exists()
