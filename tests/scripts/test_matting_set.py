"""scripts/make_matting_set.py: clips whose frames are what their truth says."""

import json

import cv2
import numpy as np
import pytest
from helpers import scripts

from realtime_bg.training.labelled import frames, pairs, read_image

SIZE = (192, 108)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two people cut out of photos, and two rooms."""
    root = tmp_path_factory.mktemp("sources")
    for folder in ("people/images", "people/masks", "rooms"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("ann", "bob"):
        mask = np.zeros((240, 200), np.uint8)
        cv2.circle(mask, (100, 70), 30, 255, -1)
        cv2.ellipse(mask, (100, 240), (70, 130), 0, 0, 360, 255, -1)
        noise = cv2.resize(rng.integers(0, 60, (24, 20, 3), np.uint8), (200, 240))
        photo = np.where(mask[..., None] > 0, 160 + noise, 20 + noise).astype(np.uint8)
        cv2.imwrite(str(root / f"people/images/{name}.png"), photo)
        cv2.imwrite(str(root / f"people/masks/{name}.png"), mask)
    for index in range(2):
        room = cv2.resize(rng.integers(0, 255, (9, 16, 3), np.uint8), (320, 180))
        cv2.imwrite(str(root / f"rooms/{index}.png"), room)
    return root


def make(sources, out, *more, seed=3):
    return scripts.run(
        "make_matting_set",
        "--out",
        out,
        "--people",
        f"folder:{sources}/people",
        "--rooms",
        sources / "rooms",
        "--count",
        "2",
        "--frames",
        "8",
        "--size",
        "192x108",
        "--seed",
        seed,
        *more,
    )


@pytest.fixture(scope="module")
def made(sources, tmp_path_factory):
    out = tmp_path_factory.mktemp("set")
    assert make(sources, out) == 0
    return out


def test_frames_are_person_over_room_as_the_truth_says(made):
    clips = pairs(made)
    assert [pair.name[:3] for pair in clips] == ["00-", "01-"]
    about = json.loads((made / "about.json").read_text())
    assert about["clips"].keys() == {pair.name for pair in clips}
    for pair in clips:
        truths = sorted((made / "foregrounds" / pair.name).iterdir())
        shown = list(frames(pair))
        assert len(shown) == len(truths) == 8
        for (image, mask), file in zip(shown, truths, strict=True):
            assert image.shape == (*SIZE[::-1], 3)
            inside = mask == 255
            assert inside.mean() > 0.05
            # Noise and JPEG lie between them, and nothing else.
            off = image[inside].astype(float) - read_image(file)[inside]
            assert np.abs(off.mean(0)).max() < 2
            assert off.std() < 8
            soft = (mask > 10) & (mask < 245)
            assert 0.005 < soft.mean() < 0.2


def test_people_and_rooms_move(made):
    for pair in pairs(made):
        shown = list(frames(pair))
        assert np.abs(shown[0][1].astype(int) - shown[-1][1]).mean() > 0.5
        nobody = (shown[0][1] == 0) & (shown[-1][1] == 0)
        assert np.abs(shown[0][0][nobody].astype(int) - shown[-1][0][nobody]).mean() > 3


def test_the_same_seed_makes_the_same_set(sources, made, tmp_path):
    assert make(sources, tmp_path / "same") == 0
    assert make(sources, tmp_path / "other", seed=4) == 0
    masks = [sorted((root / "masks").rglob("*.png")) for root in (made, tmp_path / "same")]
    assert len(masks[0]) == 16
    assert [file.read_bytes() for file in masks[0]] == [file.read_bytes() for file in masks[1]]
    other = sorted((tmp_path / "other/masks").rglob("*.png"))
    assert other[0].read_bytes() != masks[0][0].read_bytes()


def test_evaluate_reads_it(made, capsys):
    code = scripts.run("evaluate", "--engine", "grabcut", "--data", f"folder:{made}", "--json", "-")
    assert code == 0
    assert json.loads(capsys.readouterr().out)["dtssd"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--people", "folder:nowhere", "--rooms", "."], "no such folder"),
        (["--rooms", "."], "no people"),
        (["--rooms", "nowhere", "--people", "PEOPLE"], "nowhere"),
    ],
)
def test_what_is_missing_is_said(arguments, said, sources, tmp_path, capsys):
    arguments = [f"folder:{sources}/people" if one == "PEOPLE" else one for one in arguments]
    assert scripts.run("make_matting_set", "--out", tmp_path / "set", *arguments) == 2
    assert said in capsys.readouterr().err
