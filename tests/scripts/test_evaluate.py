"""scripts/evaluate.py over small photos and clips, with a network that calls bright a person."""

import csv
import json
import os
import sys

import cv2
import numpy as np
import pytest
from helpers import graphs, scripts

from realtime_bg.training.labelled import read_mask

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names are bytes there")

SIZE = (64, 48)


def photo(edge, size=SIZE):
    """A picture that is bright from the column ``edge`` on, and the mask of that."""
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[:, edge:] = 255
    return cv2.merge([np.where(mask > 0, 230, 20).astype(np.uint8)] * 3), mask


@pytest.fixture
def network(tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx", logits=False)
    path.with_suffix(".yaml").write_text("network: {output: probability}\n")
    return path


@pytest.fixture
def photos(tmp_path):
    """Three photos of two sizes with right masks, one of them of 0 and 1."""
    root = tmp_path / "photos"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for name, edge, size in (("a", 20, SIZE), ("b", 40, (80, 60)), ("c", 32, SIZE)):
        image, mask = photo(edge, size)
        cv2.imwrite(str(root / f"images/{name}.png"), image)
        cv2.imwrite(str(root / f"masks/{name}.png"), mask // 255 if name == "b" else mask)
    return root


def evaluate(capsys, *arguments):
    """Exit code, the JSON's object, and what was said."""
    code = scripts.run("evaluate", *arguments, "--device", "cpu", "--json", "-")
    text = capsys.readouterr()
    return code, json.loads(text.out) if text.out else None, text.err


def test_photos_are_measured_at_full_size(capsys, photos, network, tmp_path):
    table = tmp_path / "all.csv"
    code, means, said = evaluate(
        capsys,
        "--engine",
        "semantic",
        "--model",
        network,
        "--data",
        f"folder:{photos}",
        "--csv",
        table,
    )
    assert (code, said) == (0, "")
    assert (means["count"], means["skipped"], means["engine"]) == (3, 0, "semantic")
    assert means["model"] == str(network)
    assert means["iou"] == 1
    assert means["boundary_f"] == 1
    assert 0 < means["mad"] < 30  # the sigmoid is not quite 0 and 1
    assert "dtssd" not in means
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["file"] for row in rows] == ["a", "b", "c", "mean"]
    mean = np.mean([float(row["mad"]) for row in rows[:-1]])
    assert float(rows[-1]["mad"]) == pytest.approx(mean) == pytest.approx(means["mad"])


def test_an_error_of_known_size_is_found(capsys, photos, network):
    mask = cv2.imread(str(photos / "masks/a.png"), 0)
    mask[:24, 20:42] = 0  # a quarter of the 44 columns
    for name in "bc":
        (photos / f"images/{name}.png").unlink()
    cv2.imwrite(str(photos / "masks/a.png"), mask)
    _, means, _ = evaluate(
        capsys, "--engine", "semantic", "--model", network, "--data", f"folder:{photos}"
    )
    assert means["iou"] == pytest.approx(0.75)


def write_video(path, images):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 10, SIZE)
    for image in images:
        writer.write(image if image.ndim == 3 else cv2.merge([image] * 3))
    writer.release()


@pytest.fixture
def clips(tmp_path):
    """The same clip as folders of frames and as videos; its edge moves by 2 columns a frame."""
    root = tmp_path / "clips"
    pictures = [photo(20 + 2 * index) for index in range(4)]
    for folder, kind in (("images", 0), ("masks", 1)):
        (root / folder / "walk").mkdir(parents=True)
        for index, picture in enumerate(pictures):
            cv2.imwrite(str(root / folder / "walk" / f"{index:04}.png"), picture[kind])
        write_video(root / folder / f"film.{'avi' if kind else 'mkv'}", [p[kind] for p in pictures])
    return root


def test_groups_are_files_of_the_same_name_up_to_the_last_hyphen(capsys, photos, network):
    for folder in ("images", "masks"):
        for name, group in (("a", "arms-001"), ("b", "arms-002"), ("c", "close-001")):
            (photos / folder / f"{name}.png").rename(photos / folder / f"{group}.png")
    what = ("--engine", "semantic", "--model", network, "--data", f"folder:{photos}")
    assert scripts.run("evaluate", *what, "--device", "cpu", "--groups") == 0
    shown = capsys.readouterr().out
    assert [
        line.split()[1] for line in shown.splitlines() if "arms" in line or "close" in line
    ] == [
        "arms",
        "close",
    ]


def test_clips_get_dtssd_and_stills_masks_flicker(capsys, clips, network):
    arguments = ("--engine", "semantic", "--model", network, "--data", f"folder:{clips}")
    code, means, _ = evaluate(capsys, *arguments)
    assert (code, means["count"], means["frames"]) == (0, 2, 8)
    assert means["iou"] == 1
    assert means["dtssd"] < 2
    for index in (1, 2, 3):  # a truth that stands still: two of 64 columns flicker
        mask = cv2.imread(str(clips / "masks/walk/0000.png"), 0)
        cv2.imwrite(str(clips / f"masks/walk/{index:04}.png"), mask)
    for film in ("images/film.mkv", "masks/film.avi"):
        (clips / film).unlink()
    _, means, _ = evaluate(capsys, *arguments)
    assert means["dtssd"] == pytest.approx(100 * np.sqrt(2 / 64), rel=0.05)


def test_without_masks_another_engine_is_the_reference(capsys, clips, network):
    code, means, _ = evaluate(
        capsys,
        "--engine",
        "semantic",
        "--model",
        network,
        "--reference",
        "threshold",
        "--data",
        f"folder:{clips / 'images'}",
    )
    assert (code, means["reference"], means["count"]) == (0, "threshold", 2)
    assert {"iou", "dtssd"} <= means.keys()


def test_what_is_wrong_is_named_and_left_out(capsys, photos, network):
    (photos / "images/a.png").write_bytes(b"no picture")
    cv2.imwrite(str(photos / "masks/b.png"), np.zeros((10, 10), np.uint8))
    cv2.imwrite(str(photos / "images/lonely.png"), photo(5)[0])
    for folder in ("images", "masks"):
        (photos / folder / "clip.mp4").write_bytes(b"no video")
    code, means, said = evaluate(
        capsys, "--engine", "semantic", "--model", network, "--data", f"folder:{photos}"
    )
    assert (code, means["count"], means["skipped"]) == (0, 1, 3)
    assert "a.png: not a readable image; left out" in said
    assert "clip.mp4" in said
    assert "the mask is 10x10, its image 80x60; left out" in said
    assert "no mask" in said
    assert "lonely.png" in said


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 65535)])
def test_masks_of_16_bits_are_those_of_8(tmp_path, values):
    mask = np.zeros((8, 8), np.uint16)
    mask[:4] = values[1]
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    read = read_mask(tmp_path / "mask.png")
    assert read.dtype == np.uint8
    assert (read == np.where(mask > 0, 255, 0)).all()


def test_results_that_cannot_be_written_are_known_before(capsys, photos, network, tmp_path):
    code, _, said = evaluate(
        capsys,
        "--engine",
        "semantic",
        "--model",
        network,
        "--data",
        f"folder:{photos}",
        "--csv",
        tmp_path / "none/a.csv",
    )
    assert code == 2
    assert "none: no such folder; create it first" in said


@linux
def test_a_name_that_is_no_utf8_is_written_as_it_is(capsys, photos, network, tmp_path):
    for folder in ("images", "masks"):
        os.rename(photos / folder / "a.png", os.fsencode(photos / folder) + b"/Jos\xe9.png")
    code, means, said = evaluate(
        capsys,
        "--engine",
        "semantic",
        "--model",
        network,
        "--data",
        f"folder:{photos}",
        "--csv",
        tmp_path / "a.csv",
    )
    assert (code, means["count"]) == (0, 3), said
    assert b"Jos\xe9," in (tmp_path / "a.csv").read_bytes()
    datasets = pytest.importorskip("realtime_bg.training.datasets", exc_type=ImportError)
    train, val = datasets.open_photos(f"folder:{photos}", 0.4, 0)
    assert datasets.fingerprint(train.names, val.names).startswith("3 (")


def test_a_clip_without_a_frames_mask_is_left_out(capsys, clips, network):
    (clips / "masks/walk/0002.png").unlink()
    code, means, said = evaluate(
        capsys, "--engine", "semantic", "--model", network, "--data", f"folder:{clips}"
    )
    assert (code, means["count"], means["skipped"]) == (0, 1, 1)
    assert "has no mask for frame 0002" in said


def test_a_clip_whose_frames_differ_in_size_is_left_out(capsys, clips, network):
    for folder in ("images", "masks"):
        path = str(clips / folder / "walk/0002.png")
        cv2.imwrite(path, cv2.resize(cv2.imread(path), (40, 30)))
    code, means, said = evaluate(
        capsys, "--engine", "semantic", "--model", network, "--data", f"folder:{clips}"
    )
    assert (code, means["count"], means["skipped"]) == (0, 1, 1)
    assert f"frame 0002 is 40x30, the first one {SIZE[0]}x{SIZE[1]}" in said


def test_a_clip_with_more_masks_than_frames_is_left_out(capsys, clips, network):
    write_video(clips / "masks/film.avi", [photo(20)[1]] * 5)
    cv2.imwrite(str(clips / "masks/walk/0009.png"), photo(20)[1])
    code, _, said = evaluate(
        capsys, "--engine", "semantic", "--model", network, "--data", f"folder:{clips}"
    )
    assert code == 2
    assert said.count("has more frames than") == 2


def test_a_videos_faint_noise_is_no_mask_of_0_and_1(capsys, clips, network):
    masks = [np.ones(SIZE[::-1], np.uint8)] * 4  # lossy black
    write_video(clips / "masks/film.avi", masks)
    (clips / "images/film.mkv").unlink()
    write_video(clips / "images/film.mkv", [np.zeros((*SIZE[::-1], 3), np.uint8)] * 4)
    for folder in ("images", "masks"):
        for path in (clips / folder / "walk").iterdir():
            path.unlink()
        (clips / folder / "walk").rmdir()
    _, means, _ = evaluate(
        capsys, "--engine", "semantic", "--model", network, "--data", f"folder:{clips}"
    )
    assert means["mad"] < 100


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda root: (root / "masks").rename(root / "other"), "masks: no such folder"),
        (
            lambda root: [path.unlink() for path in (root / "images").iterdir()],
            "contains no images",
        ),
        (
            lambda root: [path.unlink() for path in (root / "masks").iterdir()],
            "no image has a mask",
        ),
        (
            lambda root: [path.write_bytes(b"") for path in (root / "images").iterdir()],
            "no file could be evaluated",
        ),
    ],
)
def test_nothing_to_measure_ends_in_one_line(capsys, photos, network, change, reason):
    change(photos)
    code, means, said = evaluate(
        capsys, "--engine", "semantic", "--model", network, "--data", f"folder:{photos}"
    )
    assert (code, means) == (2, None)
    assert reason in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--engine", "semnatic", "--data", "folder:{root}"), "did you mean 'semantic'"),
        (
            ("--engine", "semantic", "--data", "folder:{root}", "--model", "none.onnx"),
            "unknown model",
        ),
        (("--engine", "kmeans", "--data", "{root}"), "write folder:ROOT"),
        (("--engine", "kmeans", "--data", "folder:{root}/nowhere"), "no such folder"),
    ],
)
def test_wrong_arguments_end_in_one_line(capsys, photos, arguments, reason):
    code, means, said = evaluate(capsys, *(text.format(root=photos) for text in arguments))
    assert (code, means) == (2, None)
    assert reason in said


def test_an_engine_that_fails_gives_no_figures(capsys, photos, tmp_path):
    path = graphs.person_map(tmp_path / "net.onnx", classes=3)  # no known label set
    code, means, said = evaluate(
        capsys, "--engine", "semantic", "--model", path, "--data", f"folder:{photos}"
    )
    assert (code, means) == (2, None)
    assert "semantic failed; no result without it" in said


def test_rvm_does_on_a_portrait_what_it_should(capsys, shared, shared_path, monkeypatch, tmp_path):
    monkeypatch.setenv("REALTIME_BG_MODELS", str(shared / "models"))
    for folder, name in (("images", "10.jpg"), ("masks", "10.png")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).symlink_to(shared_path("data/people/portraits") / folder / name)
    _, means, _ = evaluate(capsys, "--engine", "rvm", "--data", f"folder:{tmp_path}")
    assert means["iou"] > 0.95
    _, live, _ = evaluate(
        capsys, "--engine", "rvm", "--data", f"folder:{tmp_path}", "--quality", "fast"
    )
    assert live["work_size"] != means["work_size"]
