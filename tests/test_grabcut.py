"""GrabCut without weights: finds a drawn portrait, follows it, forgets it, survives anything."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime_bg.engines.grabcut import GrabCut, Portraits
from realtime_bg.frames import Alpha, Frame, Image, Matte, Size, as_image, check_matte
from realtime_bg.settings import EngineSettings
from realtime_bg.stats import Stats

SHARED = Path(os.environ.get("REALTIME_BG_SHARED", "../shared"))
SIZE = (640, 360)


def engine(size: Size = SIZE, work_size: Size | None = None) -> GrabCut:
    return GrabCut(EngineSettings(work_size=work_size), size, Stats())


def matte(grabcut: GrabCut, image: Image, index: int = 0) -> Matte:
    return check_matte(grabcut.matte(Frame(image, index, index / 30)))


def room(seed: int = 1) -> Image:
    """A wall of soft blotches with a shelf on the left and a window on the right."""
    noise = np.random.default_rng(seed).normal(0, 1, (360, 640, 3)).astype(np.float32)
    wall = cv2.GaussianBlur(noise, (0, 0), 12) * 200 + (120, 140, 130)
    wall = np.clip(wall + 6 * noise, 0, 255).astype(np.uint8)
    cv2.rectangle(wall, (0, 60), (110, 300), (40, 60, 90), -1)
    cv2.rectangle(wall, (520, 30), (639, 150), (230, 220, 200), -1)
    return wall


def portrait(centre: int = 320, seed: int = 1) -> tuple[Image, Alpha]:
    """A figure with hair, face, striped shirt and a raised arm in `room`, and its true mask."""
    image, mask = room(seed), np.zeros((360, 640), np.float32)
    arm = np.array([[90, 300], [180, 150], [210, 165], [120, 359]]) + np.array([centre, 0])
    for drawn, ink in ((image, False), (mask, True)):

        def paint(colour: tuple[int, int, int], ink: bool = ink) -> tuple[float, ...]:
            return (1.0,) if ink else colour

        cv2.ellipse(drawn, (centre, 135), (58, 75), 0, 0, 360, paint((30, 40, 60)), -1)
        cv2.ellipse(drawn, (centre, 145), (42, 58), 0, 0, 360, paint((130, 160, 215)), -1)
        cv2.rectangle(drawn, (centre - 24, 190), (centre + 24, 240), paint((120, 150, 205)), -1)
        cv2.ellipse(drawn, (centre, 380), (140, 160), 0, 180, 360, paint((150, 40, 40)), -1)
        cv2.fillPoly(drawn, [arm], paint((150, 40, 40)))
        for y in range(250, 360, 25):
            cv2.line(drawn, (centre - 70, y), (centre + 70, y), paint((60, 30, 160)), 5)
    return image, mask


def iou(alpha: Alpha, truth: Alpha) -> float:
    person = cv2.resize(alpha, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return float((person & (truth > 0.5)).sum() / max((person | (truth > 0.5)).sum(), 1))


def test_a_portrait_is_cut_out_better_than_any_outline_could() -> None:
    image, truth = portrait()
    outlines = Portraits((160, 90))
    best = max(iou(shape.reshape(outlines.grid[::-1]), truth) for shape in outlines.persons)
    found = iou(matte(engine(), image).alpha, truth)
    assert best < 0.8
    assert found > 0.95


@pytest.mark.parametrize("centre", [240, 400])
def test_it_need_not_sit_in_the_middle(centre: int) -> None:
    image, truth = portrait(centre, seed=centre)
    assert iou(matte(engine(), image).alpha, truth) > 0.9


def test_history_follows_a_moving_figure() -> None:
    grabcut = engine()
    for index, centre in enumerate(range(260, 400, 7)):
        image, truth = portrait(centre)
        alpha = matte(grabcut, image, index).alpha
        assert iou(alpha, truth) > 0.88, centre


def test_a_still_picture_does_not_flicker() -> None:
    grabcut, (image, _) = engine(), portrait()
    alphas = []
    for index in range(8):
        noise = np.random.default_rng(index).normal(0, 2, image.shape)
        alphas.append(matte(grabcut, np.clip(image + noise, 0, 255).astype(np.uint8), index).alpha)
    assert np.mean(np.abs(np.diff(alphas, axis=0))) < 0.003


def test_reset_forgets() -> None:
    used, (image, _) = engine(), portrait()
    for index, centre in enumerate((220, 227, 234)):
        matte(used, portrait(centre)[0], index)
    used.reset()
    assert np.array_equal(matte(used, image).alpha, matte(engine(), image).alpha)


def test_a_scene_cut_starts_anew() -> None:
    used, (image, _) = engine(), portrait()
    for index in range(3):
        matte(used, 255 - portrait(220, seed=5)[0], index)
    assert np.array_equal(matte(used, image).alpha, matte(engine(), image).alpha)


def test_the_room_stays_hidden_while_the_person_is_away() -> None:
    grabcut, (image, truth) = engine(), portrait()
    for index in range(16):
        matte(grabcut, image, index)
    away = [matte(grabcut, room(), index).alpha for index in range(16, 40)]
    assert np.mean(away[1:]) < 0.01
    back = [matte(grabcut, image, index).alpha for index in range(40, 50)]
    assert iou(back[-1], truth) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (33, 17), (97, 301), (641, 359)])
@pytest.mark.parametrize("kind", ["black", "white", "noise", "portrait"])
def test_any_picture_gives_a_matte(size: Size, kind: str) -> None:
    pictures = {
        "black": np.zeros((size[1], size[0], 3), np.uint8),
        "white": np.full((size[1], size[0], 3), 255, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8),
        "portrait": cv2.resize(portrait()[0], size, interpolation=cv2.INTER_AREA),
    }
    grabcut = engine(size)
    for index, image in enumerate([pictures[kind], pictures["black"], pictures[kind]]):
        alpha = matte(grabcut, image, index).alpha
        assert 0 <= alpha.min() <= alpha.max() <= 1
        assert alpha.shape == grabcut.work_size[::-1]


def test_a_picture_without_contrast_hides_everything() -> None:
    assert not matte(engine(), np.full((360, 640, 3), 90, np.uint8)).alpha.any()


def test_4k_works_small_and_a_given_work_size_is_used() -> None:
    large = cv2.resize(portrait()[0], (3840, 2160))
    result = matte(engine((3840, 2160)), large)
    assert result.alpha.shape == (90, 160)
    assert result.guide is not None
    assert matte(engine(work_size=(96, 64)), portrait()[0]).alpha.shape == (64, 96)
    assert engine((40, 30), (96, 64)).work_size == (40, 30)


def test_it_is_deterministic_and_leaves_its_answers_alone() -> None:
    runs = []
    for _ in range(2):
        grabcut = engine()
        alphas = [matte(grabcut, portrait(c)[0], n).alpha for n, c in enumerate((300, 306, 312))]
        runs.append(alphas)
        first = alphas[0].copy()
        matte(grabcut, portrait(318)[0], 3)
        assert np.array_equal(first, alphas[0])
        cv2.setRNGSeed(99)
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))


def test_it_times_its_stages() -> None:
    grabcut = engine()
    matte(grabcut, portrait()[0])
    assert len(grabcut.stats.milliseconds("resize")) == 1
    assert len(grabcut.stats.milliseconds("network")) == 1


def test_real_half_body_portraits() -> None:
    folder = SHARED / "data/people/portraits"
    if not folder.is_dir():
        pytest.skip(f"no {folder}; set REALTIME_BG_SHARED to the folder with the data sets")
    scores = []
    for path in sorted((folder / "masks").iterdir())[::6]:
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        truth = (np.asarray(mask) > 127).astype(np.float32)
        if truth[-1].mean() < 0.2 or truth.mean() < 0.12:
            continue
        picture = next((folder / "images").glob(path.stem + ".*"))
        image = as_image(cv2.imread(str(picture)))
        scores.append(iou(matte(engine((image.shape[1], image.shape[0])), image).alpha, truth))
    assert np.mean(scores) > 0.7
